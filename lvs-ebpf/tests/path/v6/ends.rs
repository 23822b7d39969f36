//! Connections are told apart by their whole addresses, however the words that stand for them meet.

use std::{collections::BTreeMap, net::SocketAddrV6};

use lvs_common::{
    conntable::ends::short,
    map::{Method, Service},
    net::Addr6,
    verdict::{Reason, Verdict},
};

use super::{
    frame::frame,
    layout::{CLIENT, Directs as _, RIPS, VIP, director, end, key},
};
use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, RST, SYN},
};

const RACING: Verdict = Verdict::Drop(Reason::Racing);

/// Two clients of one port whose addresses have the same short form under the director's secret.
fn twins(director: &Director) -> [SocketAddrV6; 2] {
    let seed = director.tables.maps.tunables.seed;
    let mut known = BTreeMap::new();
    let hosts = (0..=u16::MAX).flat_map(|network| (0..16).map(move |host| (network, host)));
    for (network, host) in hosts {
        let client = end([0x2001, 0xdb8, 0xc, network, 0, 0, 0, host], CLIENT.port());
        if let Some(twin) = known.insert(short(Addr6::new((*client.ip()).into()), seed), client) {
            return [twin, client];
        }
    }
    panic!("of a million addresses some hundred pairs meet");
}

#[test]
fn a_client_whose_words_are_anothers_gets_no_connection_beside_it_and_never_its_own() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = director(method);
        let [first, second] = twins(&director);
        director.directs(&frame(first, VIP)).is(FORWARDED);
        director.directs(&frame(second, VIP)).is(RACING);
        // Not its connection: no later segment gets anywhere by it.
        let data = frame(second, VIP).tcp(ACK);
        director.directs(&data).is(Verdict::Pass(Reason::NotSchedulable));
        assert_eq!(director.only_state(), ("SYN_RECV", 60));
        // From another port it has one.
        let other = end(second.ip().segments(), second.port() + 1);
        director.directs(&frame(other, VIP)).is(FORWARDED);
    }
}

#[test]
fn when_the_first_is_over_the_second_has_its_turn() {
    let mut director = director(Method::MASQ);
    let [first, second] = twins(&director);
    director.directs(&frame(first, VIP)).is(FORWARDED);
    director.directs(&frame(first, VIP).tcp(RST)).is(FORWARDED);
    director.waits(100);
    // The claim that is given up does not find a place in the table that holds the first, but one
    // that has expired is ended by the first who finds it.
    director.directs(&frame(first, VIP).tcp(ACK)).is(Verdict::Pass(Reason::NotSchedulable));
    director.directs(&frame(second, VIP)).is(FORWARDED);
    assert_eq!(director.entries().len(), 1);
}

#[test]
fn a_reply_to_a_client_whose_words_are_anothers_is_none() {
    let mut director = director(Method::MASQ);
    let [first, second] = twins(&director);
    director.directs(&frame(first, VIP)).is(FORWARDED);
    let reply = |client| frame(RIPS[0], client).tcp(SYN | ACK);
    director.directs(&reply(second)).is(Verdict::Pass(Reason::NotReply));
    director.directs(&reply(first)).is(RETURNED);
}

#[test]
fn of_two_cpus_that_open_one_connection_both_use_the_first() {
    let mut model = director(Method::MASQ);
    model.directs(&frame(CLIENT, VIP)).is(FORWARDED);
    let hit = model.tables.conns6().hits().next().unwrap();
    let now = model.tables.maps.now;
    let rival = lvs_common::conntable::New {
        key: hit.entry.key(),
        dest: 1,
        method: Method::MASQ,
        keeps_port: false,
        state: hit.entry.state(),
        peer: hit.peer().unwrap(),
        now,
        expires: now + 6000,
    };
    let mut director = director(Method::MASQ);
    director.tables.maps.rival = Some(rival);
    director.directs(&frame(CLIENT, VIP)).is(FORWARDED);
    assert_eq!(director.entries().len(), 1);
    assert_eq!((director.load(0), director.load(1)), ((0, 0), (1, 0)));
}

#[test]
fn clients_of_one_prefix_share_a_template() {
    let mut director = director(Method::MASQ);
    let tcp = key(VIP, lvs_common::net::protocol::TCP);
    let service = director.tables.maps.services.get_mut(&tcp).unwrap();
    (service.flags, service.persistence_s, service.netmask) = (Service::PERSISTENT, 300, 60);
    let client = |network, host| end([0x2001, 0xdb8, 0xc, network, 0, 7, 0, host], 40_000);
    let mut dest_of = |client| {
        let before = [director.load_of(0), director.load_of(1)];
        director.directs(&frame(client, VIP)).is(FORWARDED);
        (0..2).find(|slot| director.load_of(*slot) > before[*slot as usize]).unwrap()
    };
    let first = dest_of(client(0x10, 1));
    // /60: the last sixteen networks are one.
    assert_eq!(dest_of(client(0x1f, 2)), first);
    assert_eq!(dest_of(client(0x10, 3)), first);
    let other = dest_of(client(0x20, 1));
    assert_ne!(other, first);
    assert_eq!(dest_of(client(0x2a, 9)), other);
}

trait Total {
    fn load_of(&self, slot: u32) -> u64;
}

impl Total for Director {
    /// All connections of a real server.
    fn load_of(&self, slot: u32) -> u64 {
        self.tables.maps.loads[slot as usize].total
    }
}
