//! Connections that nobody answered or that were reset, counted by the way of a sweep.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use lvs_common::{
    conntable::{Entry, word},
    map::{Dest, Family, ServiceKey},
    net::protocol,
    tcp_state::State,
};

use crate::model::{self, DestAddr, Protocol, ServiceId, Sign, Signs};

/// One sweep's count, by real server's slot.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<u32, Sign>);

impl Tally {
    /// A connection that stays.
    pub(super) fn note(&mut self, entry: &Entry) {
        let is_tcp = word::protocol_number(entry.protocol()) == protocol::TCP;
        let is_unanswered = entry.state() == State::SYN_RECV;
        if !is_tcp || !(is_unanswered || entry.state() == State::CLOSE) {
            return;
        }
        let sign = self.0.entry(entry.dest()).or_default();
        let count = if is_unanswered { &mut sign.unanswered } else { &mut sign.reset };
        *count = count.saturating_add(1);
    }

    /// What they tell; `dest` reads a slot.
    pub(super) fn signs(&self, dest: impl Fn(u32) -> Dest) -> Signs {
        let named = self.0.iter().filter_map(|(slot, sign)| {
            let dest = dest(*slot);
            let addr = DestAddr { address: dest.address.ip(), port: dest.port.get() };
            Some(((identity(&dest.service)?, addr), *sign))
        });
        named.collect()
    }
}

/// The service that a key is of.
fn identity(key: &ServiceKey) -> Option<ServiceId> {
    if key.protocol == 0 {
        let family =
            if key.family == Family::V6 { model::Family::Ipv6 } else { model::Family::Ipv4 };
        let [.., mark] = key.address.words();
        return Some(ServiceId::Mark { mark: mark.get(), family });
    }
    let protocol = Protocol::ALL.into_iter().find(|known| known.number() == key.protocol)?;
    Some(ServiceId::Address { protocol, address: key.ip(), port: key.port.get() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;

    #[test]
    fn a_key_names_its_service() {
        for id in [
            ServiceId::Mark { mark: 7, family: model::Family::Ipv4 },
            ServiceId::Mark { mark: 0x0102_0304, family: model::Family::Ipv6 },
            ServiceId::Address {
                protocol: Protocol::Tcp,
                address: [192, 0, 2, 1].into(),
                port: 80,
            },
            ServiceId::Address {
                protocol: Protocol::Sctp,
                address: "2001:db8::1".parse().unwrap(),
                port: 0,
            },
        ] {
            assert_eq!(identity(&compile::key(&id)), Some(id));
        }
    }
}
