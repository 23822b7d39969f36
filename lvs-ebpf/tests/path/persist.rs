//! Persistence: templates, what they stand for, and how long they hold.

use std::net::{Ipv4Addr, SocketAddrV4};

use lvs_common::{
    conntable::{Entry, Hit, WAYS, word},
    map::{Dest, Family, Method, Service, ServiceKey, Tunables},
    net::{Be16, protocol},
    tcp_state::State,
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, SYN, frame},
    layout::{CLIENT, RIPS, VIP, be32, director, director_of, end, key},
};

const LIFETIME_S: u32 = 360;

/// A director whose services, TCP and UDP at a port of the VIP, are persistent.
pub(crate) fn persistent(method: Method, port: u16) -> Director {
    let mut director = director(method);
    serve(&mut director, port, Service::PERSISTENT);
    director
}

/// Moves the services to a port and gives them flags.
pub(crate) fn serve(director: &mut Director, port: u16, flags: u8) {
    let maps = &mut director.tables.maps;
    let services = std::mem::take(&mut maps.services);
    for (old, service) in services {
        let new = Service { flags, persistence_s: LIFETIME_S, netmask: u32::MAX, ..service };
        let port = Be16::new(port);
        maps.services.insert(ServiceKey { port, ..old }, Service { port, ..new });
    }
    maps.dests.iter_mut().for_each(|dest| dest.service.port = Be16::new(port));
    maps.tunables.kinds = match port {
        0 => Tunables::ANY_PORT,
        21 => Tunables::FTP,
        _ => 0,
    };
}

pub(crate) fn edit(director: &mut Director, edit: impl Fn(&mut Service)) {
    director.tables.maps.services.values_mut().for_each(edit);
}

/// A client's connection of its own for each number.
pub(crate) fn client(host: u8, number: u16) -> SocketAddrV4 {
    end(192, 0, 2, host, 40_000 + number)
}

pub(crate) fn vip(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(*VIP.ip(), port)
}

/// The slot that a new TCP connection goes to.
#[track_caller]
pub(crate) fn opens(director: &mut Director, client: SocketAddrV4, to: SocketAddrV4) -> u32 {
    director.receives(&frame(client, to)).is(FORWARDED);
    director.connection(client, to).expect("a connection").dest()
}

/// Templates: protocol number, masked client, virtual end, real server's slot and port, seconds left.
pub(crate) fn templates(director: &Director) -> Vec<String> {
    let maps = &director.tables.maps;
    let mut found = Vec::new();
    for bucket in director.tables.conns().rows() {
        for way in 0..WAYS {
            let Some(entry) = Entry::read(bucket, way) else { continue };
            if entry.protocol() != word::TEMPLATE {
                continue;
            }
            let ((client, number), (address, port)) = (entry.client(), entry.virtual_end());
            let peer = Hit { bucket, way, entry }.peer().expect("a template's word");
            let (_, dest_port) = word::split(peer);
            let [client, address] =
                [client, address].map(|address| Ipv4Addr::from(address.bytes()));
            let left = entry.expires().wrapping_sub(maps.now) / maps.tunables.ticks_per_second;
            let (number, port, dest_port) = (number.get(), port.get(), dest_port.get());
            found.push(format!(
                "{number} {client} {address}:{port} > {}:{dest_port} {left}s",
                entry.dest()
            ));
        }
    }
    found.sort();
    found
}

/// Templates, and how many of them are assured.
fn assured(director: &Director) -> (usize, usize) {
    let entries = director.tables.conns().entries();
    let states: Vec<State> = entries
        .filter(|entry| entry.protocol() == word::TEMPLATE)
        .map(|entry| entry.state())
        .collect();
    (states.len(), states.iter().filter(|state| **state == State::ESTABLISHED).count())
}

pub(crate) fn persistent_count(director: &Director, dest: u32) -> u64 {
    director.tables.maps.loads[dest as usize].persistent
}

#[test]
fn a_clients_connections_go_to_one_real_server() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = persistent(method, 80);
        for number in 0..3 {
            assert_eq!(opens(&mut director, client(10, number), VIP), 0);
            assert_eq!(opens(&mut director, client(11, number), VIP), 1);
        }
        assert_eq!((director.load(0), persistent_count(&director, 0)), ((3, 0), 1));
        assert_eq!(director.tables.maps.counters[0].connections, 3);
    }
}

#[test]
fn a_template_stands_for_what_its_service_is() {
    for (port, to, expected) in [
        (80, vip(80), "198.51.100.1:80 > 0:8080"),
        (0, vip(443), "198.51.100.1:0 > 0:0"),
        (21, vip(21), "198.51.100.1:0 > 0:0"),
        (21, vip(50_000), "198.51.100.1:0 > 0:0"),
        (21, vip(20), "198.51.100.1:0 > 0:0"),
    ] {
        let mut director = persistent(Method::MASQ, port);
        opens(&mut director, CLIENT, to);
        assert_eq!(templates(&director), [format!("6 192.0.2.10 {expected} 360s")]);
    }
    let mut director = persistent(Method::MASQ, 80);
    director.receives(&frame(CLIENT, VIP).udp()).is(FORWARDED);
    assert_eq!(templates(&director), ["17 192.0.2.10 198.51.100.1:80 > 2:8080 360s"]);
}

#[test]
fn a_services_ports_share_a_template_and_its_protocols_do_not() {
    let mut director = persistent(Method::DIRECT_ROUTE, 0);
    assert_eq!(opens(&mut director, client(10, 0), vip(80)), 0);
    assert_eq!(opens(&mut director, client(11, 0), vip(443)), 1);
    assert_eq!(opens(&mut director, client(11, 1), vip(80)), 1);
    assert_eq!(opens(&mut director, client(10, 1), vip(443)), 0);
    director.receives(&frame(CLIENT, vip(80)).udp()).is(FORWARDED);
    assert_eq!((templates(&director).len(), persistent_count(&director, 2)), (3, 1));
}

#[test]
fn a_marks_template_is_for_all_that_is_marked() {
    let mut director = persistent(Method::DIRECT_ROUTE, 0);
    let maps = &mut director.tables.maps;
    let service = maps.services[&key(vip(0), protocol::TCP)];
    let mark = ServiceKey::mark(7, Family::V4);
    maps.services.clear();
    maps.services.insert(mark, Service { mark: 7, ..service });
    maps.dests.iter_mut().for_each(|dest| dest.service = mark);
    maps.tunables.marks = 1;
    for number in [protocol::TCP, protocol::UDP] {
        for port in [80, 443] {
            maps.marks.insert(key(vip(port), number), 7);
        }
    }
    director.receives(&frame(CLIENT, vip(80)).tcp(SYN)).is(FORWARDED);
    director.receives(&frame(CLIENT, vip(443)).tcp(SYN)).is(FORWARDED);
    director.receives(&frame(CLIENT, vip(443)).udp()).is(FORWARDED);
    assert_eq!(templates(&director), ["0 192.0.2.10 0.0.0.7:0 > 0:0 360s"]);
    assert_eq!(director.load(0), (2, 1));
    // Both are assured by it: the template is found by the mark again.
    director.receives(&frame(CLIENT, vip(443)).tcp(ACK)).is(FORWARDED);
    assert_eq!(assured(&director), (1, 1));
}

#[test]
fn every_new_connection_renews_the_template_and_no_other_packet_does() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    let left = |director: &Director| templates(director)[0].rsplit_once(' ').unwrap().1.to_owned();
    opens(&mut director, client(10, 0), VIP);
    director.receives(&frame(client(10, 0), VIP).tcp(ACK)).is(FORWARDED);
    director.waits(100);
    director.receives(&frame(client(10, 0), VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(left(&director), "260s");
    opens(&mut director, client(10, 1), VIP);
    assert_eq!(left(&director), "360s");
}

#[test]
fn a_template_that_is_over_is_scheduled_anew_after_the_sweepers_grace() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    opens(&mut director, client(10, 0), VIP);
    director.waits(LIFETIME_S + 1);
    assert_eq!(opens(&mut director, client(10, 1), VIP), 0);
    director.waits(LIFETIME_S + 3);
    assert_eq!(opens(&mut director, client(10, 2), VIP), 1);
    assert_eq!(templates(&director), ["6 192.0.2.10 198.51.100.1:80 > 1:80 360s"]);
    assert_eq!((persistent_count(&director, 0), persistent_count(&director, 1)), (0, 1));
}

#[test]
fn a_template_holds_at_weight_zero_unless_quiescent_ones_expire() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    opens(&mut director, client(10, 0), VIP);
    director.tables.maps.pools[0].weight = 0;
    director.tables.maps.dests[0].weight = 0;
    assert_eq!(opens(&mut director, client(10, 1), VIP), 0);
    assert_eq!(opens(&mut director, client(11, 0), VIP), 1);
    director.tables.maps.tunables.expire_quiescent_template = 1;
    assert_eq!(opens(&mut director, client(10, 2), VIP), 1);
    // It stays there when the first is back.
    director.tables.maps.pools[0].weight = 1;
    director.tables.maps.dests[0].weight = 1;
    assert_eq!(opens(&mut director, client(10, 3), VIP), 1);
    assert_eq!((persistent_count(&director, 0), persistent_count(&director, 1)), (0, 2));
}

#[test]
fn a_template_holds_although_its_real_server_is_overloaded() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    director.tables.maps.dests[0].upper = 1;
    opens(&mut director, client(10, 0), VIP);
    assert_eq!(director.tables.maps.loads[0].overloaded, 1);
    assert_eq!(opens(&mut director, client(10, 1), VIP), 0);
    assert_eq!(opens(&mut director, client(11, 0), VIP), 1);
    assert_eq!(opens(&mut director, client(12, 0), VIP), 1);
}

#[test]
fn templates_are_no_load() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    director.tables.maps.dests.iter_mut().for_each(|dest| dest.upper = 2);
    opens(&mut director, client(10, 0), VIP);
    assert_eq!((director.load(0), director.tables.maps.loads[0].overloaded), ((1, 0), 0));
}

#[test]
fn a_deleted_real_servers_client_gets_another_one() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    opens(&mut director, client(10, 0), VIP);
    director.tables.maps.dests[0].flags &= !Dest::AVAILABLE;
    director.tables.maps.pools[0].weight = 0;
    assert_eq!(opens(&mut director, client(10, 1), VIP), 1);
    assert_eq!(templates(&director), ["6 192.0.2.10 198.51.100.1:80 > 1:80 360s"]);
    assert_eq!((persistent_count(&director, 0), persistent_count(&director, 1)), (0, 1));
}

#[test]
fn without_any_real_server_nothing_is_remembered() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    director.tables.maps.pools.iter_mut().for_each(|entry| entry.weight = 0);
    director.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoDest));
    assert_eq!(director.tables.conns().entries().count(), 0);
}

#[test]
fn clients_that_the_netmask_does_not_tell_apart_share_a_template() {
    let mut director = persistent(Method::DIRECT_ROUTE, 80);
    edit(&mut director, |service| service.netmask = be32([255, 255, 255, 0].into()).raw());
    for host in 1..9 {
        assert_eq!(opens(&mut director, client(host, 0), VIP), 0);
    }
    assert_eq!(templates(&director), ["6 192.0.2.0 198.51.100.1:80 > 0:80 360s"]);
    assert_eq!(opens(&mut director, end(192, 0, 3, 1, 40_000), VIP), 1);
    // A client of the net's own number, if there is one, is as the others.
    assert_eq!(opens(&mut director, end(192, 0, 3, 0, 40_000), VIP), 1);
    assert_eq!(templates(&director).len(), 2);
}

#[test]
fn a_template_is_assured_when_tcp_is_established() {
    let mut director = persistent(Method::MASQ, 80);
    director.receives(&frame(CLIENT, VIP));
    director.receives(&frame(RIPS[0], CLIENT).tcp(SYN | ACK)).is(RETURNED);
    assert_eq!(assured(&director), (1, 0));
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!((assured(&director), director.load(0)), ((1, 1), (1, 0)));

    let mut sloppy = persistent(Method::DIRECT_ROUTE, 80);
    sloppy.tables.maps.tunables.sloppy_tcp = 1;
    sloppy.receives(&frame(CLIENT, VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(assured(&sloppy), (1, 1));
}

#[test]
fn a_template_is_assured_when_a_datagram_is_answered() {
    let mut director = persistent(Method::MASQ, 80);
    for _ in 0..2 {
        director.receives(&frame(CLIENT, VIP).udp()).is(FORWARDED);
        assert_eq!(assured(&director), (1, 0));
    }
    director.receives(&frame(RIPS[0], CLIENT).udp()).is(RETURNED);
    assert_eq!(assured(&director), (1, 1));
}

#[test]
fn a_connection_assures_no_template_toward_another_real_server() {
    let mut director = persistent(Method::MASQ, 80);
    director.receives(&frame(client(10, 0), VIP)).is(FORWARDED);
    director.tables.maps.dests[0].flags &= !Dest::AVAILABLE;
    director.tables.maps.pools[0].weight = 0;
    assert_eq!(opens(&mut director, client(10, 1), VIP), 1);
    director.tables.maps.dests[0].flags |= Dest::AVAILABLE;
    director.receives(&frame(client(10, 0), VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(assured(&director), (1, 0));
    director.receives(&frame(client(10, 1), VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(assured(&director), (1, 1));
}

#[test]
fn the_template_of_a_masked_client_is_assured_too() {
    let mut director = persistent(Method::DIRECT_ROUTE, 0);
    edit(&mut director, |service| service.netmask = be32([255, 255, 0, 0].into()).raw());
    director.receives(&frame(CLIENT, VIP));
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(assured(&director), (1, 1));
}

#[test]
fn in_a_full_table_neither_a_template_nor_a_connection_is_left_behind() {
    let mut director = director_of(Method::DIRECT_ROUTE, 1);
    serve(&mut director, 80, Service::PERSISTENT);
    for host in 1..=4 {
        opens(&mut director, client(host, 0), VIP);
        director.receives(&frame(client(host, 0), VIP).tcp(ACK)).is(FORWARDED);
    }
    director.receives(&frame(client(5, 0), VIP)).is(Verdict::Drop(Reason::TableFull));
    assert_eq!((templates(&director).len(), assured(&director)), (4, (4, 4)));
}
