//! Services that take other ports than their own, and services of one packet.

use std::net::SocketAddrV4;

use lvs_common::{
    map::{Method, Service},
    net::{Be16, protocol},
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, Frame, SYN, frame},
    layout::{CLIENT, CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS, VIP, director, key},
    persist::{client, edit, opens, persistent, persistent_count, serve, templates, vip},
};

/// The request as the first real server must get it, on a port there.
fn translated(request: &Frame, port: u16) -> Frame {
    let rip = SocketAddrV4::new(*RIPS[0].ip(), port);
    request.clone().destination(rip).aged().macs(INSIDE_MAC, RIP_MACS[0])
}

/// Sends a request, a reply from a port of the real server's, and a request: each must arrive there.
#[track_caller]
fn talks(director: &mut Director, to: SocketAddrV4, port: u16) {
    let request = frame(CLIENT, to);
    director.receives(&request).is(FORWARDED).carries(&translated(&request, port));
    let rip = SocketAddrV4::new(*RIPS[0].ip(), port);
    let reply = frame(rip, CLIENT).macs(RIP_MACS[0], INSIDE_MAC).tcp(SYN | ACK);
    let returned = reply.clone().source(to).aged().macs(DIRECTOR_MAC, CLIENT_MAC);
    director.receives(&reply).is(RETURNED).carries(&returned);
    let request = request.tcp(ACK).payload(*b"GET");
    director.receives(&request).is(FORWARDED).carries(&translated(&request, port));
}

#[test]
fn only_the_services_own_port_becomes_the_real_servers() {
    talks(&mut persistent(Method::MASQ, 80), vip(80), 8080);
    talks(&mut persistent(Method::MASQ, 0), vip(80), 80);
    talks(&mut persistent(Method::MASQ, 0), vip(443), 443);
    let mut ftp = persistent(Method::MASQ, 21);
    talks(&mut ftp, vip(21), 8080);
    talks(&mut ftp, vip(50_000), 50_000);
}

#[test]
fn ftp_has_the_ports_of_its_data_connections_and_no_others() {
    let no_service = Verdict::Pass(Reason::NoService);
    for (port, verdict) in [
        (20, FORWARDED),
        (21, FORWARDED),
        (22, no_service),
        (1023, no_service),
        (1024, FORWARDED),
        (65_535, FORWARDED),
    ] {
        let mut director = persistent(Method::DIRECT_ROUTE, 21);
        director.receives(&frame(CLIENT, vip(port))).is(verdict);
    }
    let mut datagrams = persistent(Method::DIRECT_ROUTE, 21);
    datagrams.receives(&frame(CLIENT, vip(2000)).udp()).is(no_service);
}

#[test]
fn other_ports_are_looked_up_only_if_there_are_services_that_take_them() {
    for port in [0, 21] {
        let mut director = persistent(Method::DIRECT_ROUTE, port);
        director.receives(&frame(CLIENT, vip(5000))).is(FORWARDED);
        director.tables.maps.tunables.kinds = 0;
        let another = frame(client(11, 0), vip(5000));
        director.receives(&another).is(Verdict::Pass(Reason::NoService));
    }
}

#[test]
fn a_service_of_its_own_goes_before_ftp_and_any_port() {
    let mut director = persistent(Method::DIRECT_ROUTE, 0);
    let service = director.tables.maps.services[&key(vip(0), protocol::TCP)];
    let own = Service { flags: 0, port: Be16::new(5000), ..service };
    director.tables.maps.services.insert(key(vip(5000), protocol::TCP), own);
    opens(&mut director, CLIENT, vip(5000));
    assert_eq!(templates(&director).len(), 0);
    opens(&mut director, CLIENT, vip(5001));
    assert_eq!(templates(&director).len(), 1);
}

#[test]
fn a_service_that_is_not_persistent_takes_its_own_port_only() {
    for port in [0, 21] {
        let mut director = persistent(Method::DIRECT_ROUTE, port);
        edit(&mut director, |service| service.flags = 0);
        let verdict = Verdict::Pass(Reason::NotSchedulable);
        director.receives(&frame(CLIENT, vip(5000))).is(verdict);
    }
    let mut ftp = persistent(Method::DIRECT_ROUTE, 21);
    edit(&mut ftp, |service| service.flags = 0);
    opens(&mut ftp, CLIENT, vip(21));
}

#[test]
fn one_packet_scheduling_chooses_and_counts_each_datagram_and_remembers_none() {
    let mut director = director(Method::MASQ);
    serve(&mut director, 80, Service::ONE_PACKET);
    let request = frame(CLIENT, VIP).udp().payload(*b"query");
    for slot in [2, 3, 2] {
        let rip = RIPS[slot - 2];
        let expected = request.clone().destination(rip).aged().macs(INSIDE_MAC, RIP_MACS[slot - 2]);
        director.receives(&request).is(FORWARDED).carries(&expected);
        assert_eq!(director.load(u32::try_from(slot).unwrap()), (0, 0));
    }
    let counted = |slot: usize| {
        let counters = director.tables.maps.counters[slot];
        (counters.connections, counters.in_packets, counters.in_bytes)
    };
    assert_eq!((counted(2), counted(3)), ((2, 2, 66), (1, 1, 33)));
    assert_eq!(director.tables.conns().entries().count(), 0);
    // Nobody knows whose answer this is.
    director.receives(&frame(RIPS[0], CLIENT).udp()).is(Verdict::Pass(Reason::NotReply));
}

#[test]
fn one_packet_scheduling_leaves_tcp_alone() {
    let mut director = director(Method::DIRECT_ROUTE);
    serve(&mut director, 80, Service::ONE_PACKET);
    opens(&mut director, CLIENT, VIP);
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(FORWARDED);
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 900));
}

#[test]
fn datagrams_of_a_persistent_one_packet_service_follow_a_template() {
    let mut director = director(Method::MASQ);
    serve(&mut director, 0, Service::ONE_PACKET | Service::PERSISTENT);
    for port in [53, 123] {
        let request = frame(CLIENT, vip(port)).udp();
        director.receives(&request).is(FORWARDED).carries(&translated(&request, port));
    }
    assert_eq!(templates(&director), ["17 192.0.2.10 198.51.100.1:0 > 2:0 360s"]);
    assert_eq!((director.load(2), persistent_count(&director, 2)), ((0, 0), 1));
    assert_eq!(director.tables.maps.counters[2].connections, 2);
}
