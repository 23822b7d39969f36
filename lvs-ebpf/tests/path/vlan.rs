//! VLANs: a frame leaves with its next hop's tags, whatever it came with; the stack gets its own back.

use lvs_common::{
    map::{Method, NextHop},
    net::Be16,
    verdict::{Reason, Verdict},
    wire::{Tag, Tags},
};
use lvs_ebpf::tables::Route;

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, Frame, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIRECTOR_MAC, INGRESS, INSIDE, INSIDE_MAC, RIP_MACS, RIPS, VIP,
        director, end,
    },
};

const QTAG: u16 = 0x8100;
const STAG: u16 = 0x88a8;
const PRIORITY: u16 = 0xa000;

/// Tags of a frame: ethertype and control.
type Vlans = &'static [(u16, u16)];

const NONE: Vlans = &[];
const OF_7: Vlans = &[(QTAG, 7)];
const URGENT_OF_7: Vlans = &[(QTAG, PRIORITY | 7)];
const OF_8: Vlans = &[(QTAG, 8)];
const OF_7_IN_9: Vlans = &[(STAG, 9), (QTAG, 7)];

fn tags(vlans: Vlans) -> Tags {
    let tag = |at: usize| {
        vlans.get(at).map_or(Tag::NONE, |(ethertype, control)| Tag {
            ethertype: Be16::new(*ethertype),
            control: Be16::new(*control),
        })
    };
    Tags([tag(0), tag(1)])
}

fn tagged(frame: Frame, vlans: Vlans) -> Frame {
    vlans.iter().fold(frame, |frame, (ethertype, control)| frame.vlan(*ethertype, *control))
}

/// Its real servers are on this VLAN, its clients on that one.
fn between(method: Method, servers: Vlans, clients: Vlans) -> Director {
    let mut director = director(method);
    let flags = |vlans: Vlans| if vlans.is_empty() { 0 } else { NextHop::TAGGED };
    for hop in &mut director.tables.maps.next_hops[1..] {
        (hop.tags, hop.flags) = (tags(servers), flags(servers));
    }
    let Route::Hop(hop) = &mut director.tables.maps.default_route else { unreachable!() };
    (hop.tags, hop.flags) = (tags(clients), flags(clients));
    director
}

#[test]
fn a_request_leaves_with_the_tags_of_its_next_hop() {
    let servers = [NONE, OF_7, OF_8, OF_7_IN_9];
    for (came, goes) in [NONE, OF_7, OF_7_IN_9].iter().flat_map(|it| servers.map(|to| (*it, to))) {
        let mut director = between(Method::DIRECT_ROUTE, goes, NONE);
        for flags in [SYN, ACK] {
            let request = frame(CLIENT, VIP).tcp(flags).payload(*b"hello");
            let routed = request.clone().aged().macs(INSIDE_MAC, RIP_MACS[0]);
            let outcome = director.receives(&tagged(request, came));
            outcome.is(FORWARDED).carries(&tagged(routed, goes));
        }
    }
}

#[test]
fn on_its_own_vlan_a_frame_keeps_its_priority_and_on_another_it_has_none() {
    for (goes, expected) in [(OF_7, URGENT_OF_7), (OF_8, OF_8)] {
        let mut director = between(Method::DIRECT_ROUTE, goes, NONE);
        let request = frame(CLIENT, VIP).tcp(SYN);
        let routed = request.clone().aged().macs(INSIDE_MAC, RIP_MACS[0]);
        let outcome = director.receives(&tagged(request, URGENT_OF_7));
        outcome.is(FORWARDED).carries(&tagged(routed, expected));
    }
}

#[test]
fn nat_goes_from_vlan_to_vlan_and_back() {
    let mut director = between(Method::MASQ, OF_8, OF_7_IN_9);
    let request = frame(CLIENT, VIP).tcp(SYN);
    let sent = request.clone().aged().destination(RIPS[0]).macs(INSIDE_MAC, RIP_MACS[0]);
    director.receives(&tagged(request, OF_7_IN_9)).is(FORWARDED).carries(&tagged(sent, OF_8));
    let reply = frame(RIPS[0], CLIENT).tcp(SYN | ACK).macs(RIP_MACS[0], INSIDE_MAC);
    let told = reply.clone().aged().source(VIP).macs(DIRECTOR_MAC, CLIENT_MAC);
    director.receives(&tagged(reply, OF_8)).is(RETURNED).carries(&tagged(told, OF_7_IN_9));
}

#[test]
fn what_is_the_stacks_gets_its_tags_back() {
    for vlans in [OF_7, URGENT_OF_7, OF_7_IN_9] {
        let mut director = director(Method::DIRECT_ROUTE);
        let other = tagged(frame(CLIENT, end(198, 51, 100, 2, 80)), vlans);
        director.receives(&other).is(Verdict::Pass(Reason::NotOurs)).carries(&other);
        let mut arp = other.bytes();
        let at = 12 + 4 * vlans.len();
        arp[at..at + 2].copy_from_slice(&[8, 6]);
        director.receives_bytes(&arp).is(Verdict::Pass(Reason::NotIp)).carries_bytes(&arp);
    }
}

#[test]
fn tags_cut_short_and_three_of_them_are_the_stacks() {
    let mut director = director(Method::DIRECT_ROUTE);
    let bytes = tagged(frame(CLIENT, VIP), OF_7_IN_9).bytes();
    for length in 0..bytes.len() {
        let cut = director.receives_bytes(&bytes[..length]);
        cut.is(Verdict::Pass(Reason::Malformed)).carries_bytes(&bytes[..length]);
    }
    let three = tagged(frame(CLIENT, VIP), &[(STAG, 1), (QTAG, 2), (QTAG, 3)]);
    director.receives(&three).is(Verdict::Pass(Reason::Tagged)).carries(&three);
}

#[test]
fn a_refusal_goes_back_by_the_vlan_that_the_request_came_by() {
    let mut director = director(Method::DIRECT_ROUTE);
    for entry in &mut director.tables.maps.pools {
        entry.weight = 0;
    }
    let request = tagged(frame(CLIENT, VIP).tcp(SYN), URGENT_OF_7);
    let mut frame = lvs_common::wire::host::VecFrame::new(&request.bytes(), INGRESS);
    assert_eq!(director.tables.direct(&mut frame), Verdict::Drop(Reason::NoDest));
    assert_eq!(director.tables.tell(&mut frame, Reason::NoDest), Some(Verdict::Redirect(INGRESS)));
    assert_eq!(frame.bytes()[12..18], [0x81, 0, 0xa0, 7, 8, 0]);
    assert_eq!(frame.bytes()[..6], CLIENT_MAC.bytes());
}

#[test]
fn a_frame_without_room_for_a_tag_is_dropped_for_that() {
    let mut director = between(Method::DIRECT_ROUTE, OF_7, NONE);
    let request = frame(CLIENT, VIP).tcp(SYN).bytes();
    let mut frame = lvs_common::wire::host::VecFrame::new(&request, INGRESS).with_headroom(3);
    assert_eq!(director.tables.direct(&mut frame), Verdict::Drop(Reason::NoHeadroom));
    let mut frame = lvs_common::wire::host::VecFrame::new(&request, INGRESS).with_headroom(4);
    assert_eq!(director.tables.direct(&mut frame), Verdict::Redirect(INSIDE));
}
