//! `lvs-ctl status`.

use clap::Args;

use super::{Context, Failure, service::Json, table::table};
use crate::api::types::{PlaneStatus, Status};

/// How to show it.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    json: Json,
}

impl Arguments {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let status = context.controller.status()?;
        if self.json.json {
            return context.json(&status);
        }
        context.print(&text(&status));
        Ok(())
    }
}

fn text(status: &Status) -> String {
    let Status { version, revision, services, dests, plane, .. } = status;
    let rules = format!(
        "lvs-ctl {version}, revision {revision}: {services} virtual services, {dests} real servers\n"
    );
    let parts =
        [rules, interfaces(plane), probing(plane), next_hops(plane), tables(plane), reasons(plane)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn interfaces(plane: &PlaneStatus) -> String {
    let rows = plane.interfaces.iter();
    let rows = rows.map(|it| [it.name.clone(), it.mode.clone(), it.why.clone()]);
    section(&["INTERFACE", "MODE", "WHY"], &rows.collect::<Vec<_>>())
}

fn probing(plane: &PlaneStatus) -> String {
    let rows = plane.probing.iter().map(|it| {
        let device = it.device.clone().unwrap_or_else(|| "none".to_owned());
        let state = it.why.clone().unwrap_or_else(|| "ok".to_owned());
        [device, it.stand_ins.join(" "), state]
    });
    section(&["CHECKS BY", "STAND-INS", "STATE"], &rows.collect::<Vec<_>>())
}

fn next_hops(plane: &PlaneStatus) -> String {
    let rows = plane.next_hops.iter().map(|it| {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let state = match &it.unresolved {
            Some(why) => format!("unresolved: {why}"),
            None if it.local => "local: the director itself".to_owned(),
            None => "ok".to_owned(),
        };
        let vlans = it.vlans.iter().map(|vlan| format!(" vlan {vlan}"));
        let interface = [known(&it.interface)].into_iter().chain(vlans).collect();
        [it.dest.to_string(), interface, known(&it.mac), state]
    });
    section(&["BACKEND", "INTERFACE", "MAC", "STATE"], &rows.collect::<Vec<_>>())
}

fn tables(plane: &PlaneStatus) -> String {
    let rows = plane.tables.iter().map(|it| {
        let state = if it.is_alarming() { "fills up" } else { "ok" };
        let (used, capacity) = (it.used.to_string(), it.capacity.to_string());
        [it.name.clone(), used, capacity, format!("{} %", it.percent()), state.to_owned()]
    });
    section(&["TABLE", "USED", "CAPACITY", "FULL", "STATE"], &rows.collect::<Vec<_>>())
}

fn reasons(plane: &PlaneStatus) -> String {
    let rows = plane.reasons.iter().filter(|it| it.packets > 0);
    let rows = rows.map(|it| [it.reason.clone(), it.packets.to_string(), it.meaning.clone()]);
    section(&["REASON", "PACKETS", "MEANING"], &rows.collect::<Vec<_>>())
}

fn section<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() { String::new() } else { table(head, rows) }
}
