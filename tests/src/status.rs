//! What `lvs-ctl status` says, read back into values.
#![forbid(unsafe_code)]

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{assert::eventually, director::Director};

/// How long the way to a real server that is there may stay unknown.
const RESOLVE_LIMIT: Duration = Duration::from_secs(15);

/// A director's status.
#[derive(Debug, Clone)]
pub struct Status(Value);

impl Director {
    /// Asks for the status.
    pub fn status(&self) -> Result<Status> {
        let said = self.lvs_ctl("status --json")?;
        Ok(Status(serde_json::from_str(&said).with_context(|| format!("reading {said}"))?))
    }

    /// Waits until the way to every real server is known.
    pub fn wait_until_resolved(&self) -> Result<()> {
        self.wait_for_status("the way to every real server is known", |status| {
            let hops = status.list("next_hops");
            (!hops.is_empty() && hops.iter().all(|hop| hop["unresolved"].is_null())).then_some(())
        })
    }

    /// Waits until the status shows something.
    pub fn wait_for_status<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Status) -> Option<T>,
    ) -> Result<T> {
        let mut last = None;
        let seen = eventually(what, RESOLVE_LIMIT, || {
            let status = self.status();
            let seen = status.as_ref().ok().and_then(&mut look);
            last = Some(status);
            seen
        });
        seen.with_context(|| format!("the last status: {last:?}"))
    }
}

impl Status {
    /// The mode in which the program stands on an interface, `native` or `generic`, and why.
    pub fn mode(&self, interface: &str) -> Result<(&str, &str)> {
        let all = self.list("interfaces");
        let found = all.iter().find(|it| it["name"] == interface);
        let found = found.with_context(|| format!("no interface {interface} in {all:?}"))?;
        found["mode"].as_str().zip(found["why"].as_str()).context("mode and why are text")
    }

    /// Why the way to a real server is unknown; `None` if it is known.
    pub fn unresolved(&self, real: impl Into<IpAddr>) -> Result<Option<&str>> {
        Ok(self.next_hop(real.into())?["unresolved"].as_str())
    }

    /// The MAC address that packets for a real server go to.
    pub fn mac(&self, real: impl Into<IpAddr>) -> Result<Option<&str>> {
        Ok(self.next_hop(real.into())?["mac"].as_str())
    }

    /// How many packets left the path early for this reason.
    pub fn reason(&self, name: &str) -> Result<u64> {
        let all = self.list("reasons");
        let found = all.iter().find(|it| it["reason"] == name);
        found.and_then(|it| it["packets"].as_u64()).with_context(|| format!("no reason {name}"))
    }

    /// Places in use in one of the data plane's tables.
    pub fn used(&self, table: &str) -> Result<u64> {
        let all = self.list("tables");
        let found = all.iter().find(|it| it["name"] == table);
        found.and_then(|it| it["used"].as_u64()).with_context(|| format!("no table {table}"))
    }

    /// How often the connection tables were swept.
    pub fn sweeps(&self) -> Result<u32> {
        let runs = self.0["sweeps"]["runs"].as_u64().context("no sweep yet")?;
        Ok(runs.try_into()?)
    }

    fn next_hop(&self, real: IpAddr) -> Result<&Value> {
        let (all, real) = (self.list("next_hops"), real.to_string());
        let found = all.iter().find(|it| it["dest"] == real.as_str());
        found.with_context(|| format!("no way to {real} in {all:?}"))
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0[name].as_array().map_or(&[], Vec::as_slice)
    }
}
