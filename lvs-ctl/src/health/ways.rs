//! The seam to whoever knows how a packet reaches a real server.

use std::net::SocketAddr;

use futures_util::future::{self, BoxFuture};

use crate::model::{
    DestAddr, ServiceId,
    health::{Cause, Errand, NoWay, Target, Transport},
};

/// Knows the ways to real servers.
pub trait Ways: Send + Sync {
    /// Where to go on `errand`. Asked before every probe, so it is to be cheap and never waits.
    ///
    /// # Errors
    /// There is no way. [`NoWay::Unknown`] is no verdict on the real server.
    fn way(&self, errand: &Errand) -> Result<Target, NoWay>;

    /// What is wrong on `errand`, whose probe has just failed; `None` if nothing is to be added to
    /// what the probe says. Asked when a real server goes down, and now and then while it is.
    fn diagnose<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Option<Cause>>;

    /// These real servers are checked through their services from now on, and no others: whoever
    /// has to set something up for each of them does it here.
    fn follow(&self, _checked: &[(ServiceId, DestAddr)]) {}
}

/// Why a real server of every port cannot be checked at any.
pub(crate) const NO_PORT: &str = "the real server takes every port: the check needs one of its own";

/// The real server's own address and port, whatever the errand says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Ways for Direct {
    fn way(&self, errand: &Errand) -> Result<Target, NoWay> {
        let address = errand.address.unwrap_or(errand.dest.addr.address);
        let port = errand.port.unwrap_or(errand.dest.addr.port);
        if port == 0 && matches!(errand.transport, Transport::Tcp | Transport::Udp) {
            return Err(NoWay::Unknown(NO_PORT.into()));
        }
        Ok(Target::plain(SocketAddr::new(address, port)))
    }

    fn diagnose<'a>(&'a self, _errand: &'a Errand) -> BoxFuture<'a, Option<Cause>> {
        Box::pin(future::ready(None))
    }
}
