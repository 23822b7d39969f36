//! What silence may take back of what was heard.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::model::{
    DestAddr, ServiceId,
    health::{Cause, Errand},
};

/// Real servers that said that nobody takes packets out of the tunnel, and whether they said nothing the last time.
///
/// A real server whose ICMP errors are limited says so at one time and not at another.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<HashMap<(ServiceId, DestAddr), bool>>);

impl Doubts {
    /// The cause to believe in: a tunnel's end is there only when nothing is heard of it twice.
    pub(super) fn weigh(&self, errand: &Errand, found: Option<Cause>) -> Option<Cause> {
        let key = (errand.service, errand.dest.addr);
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(Cause::NoTunnelDevice) => {
                silent.insert(key, false);
            }
            Some(Cause::VipMissing) if silent.get(&key) == Some(&false) => {
                silent.insert(key, true);
                return Some(Cause::NoTunnelDevice);
            }
            _ => drop(silent.remove(&key)),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Dest, Method, Protocol, Tunnel,
        health::{Transport, Via},
    };

    fn errand() -> Errand {
        let addr = DestAddr { address: [10, 0, 0, 1].into(), port: 80 };
        let method = Method::Tunnel(Tunnel::Ipip);
        let dest = Dest { addr, method, weight: 1, upper_threshold: 0, lower_threshold: 0 };
        let address = [192, 0, 2, 1].into();
        let service = ServiceId::Address { protocol: Protocol::Tcp, address, port: 80 };
        let (via, transport) = (Via::Service, Transport::Tcp);
        Errand { service, dest, via, transport, address: None, port: None }
    }

    #[test]
    fn what_was_heard_is_taken_back_by_the_second_silence() {
        let doubts = Doubts::default();
        let weigh = |cause| doubts.weigh(&errand(), Some(cause)).unwrap();
        assert_eq!(weigh(Cause::VipMissing), Cause::VipMissing, "nothing was heard before");
        assert_eq!(weigh(Cause::NoTunnelDevice), Cause::NoTunnelDevice);
        assert_eq!(weigh(Cause::VipMissing), Cause::NoTunnelDevice);
        assert_eq!(weigh(Cause::NoTunnelDevice), Cause::NoTunnelDevice);
        assert_eq!(weigh(Cause::VipMissing), Cause::NoTunnelDevice);
        assert_eq!(weigh(Cause::VipMissing), Cause::VipMissing);
        assert_eq!(weigh(Cause::NoTunnelDevice), Cause::NoTunnelDevice);
        assert_eq!(weigh(Cause::ServerDown), Cause::ServerDown, "another word counts at once");
        assert_eq!(weigh(Cause::VipMissing), Cause::VipMissing);
    }
}
