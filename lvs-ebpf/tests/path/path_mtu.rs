//! What routers say of the path to a tunnel's end: the director remembers it.

use lvs_common::{
    map::tunnel,
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};

use crate::{
    complaint::{Complaint, wrapped},
    director::{Director, FORWARDED, Outcome, RETURNED},
    frame::{ACK, Frame, SYN, frame},
    icmp::{ROUTER, WRAPS, from_inside, tunnels},
    layout::{CLIENT, DIP, INGRESS, RIPS, VIP, end},
};

/// What the director says of a request that does not get through.
fn told_to(director: &mut Director, request: &Frame) -> Option<u32> {
    let mut frame = VecFrame::new(&request.bytes(), INGRESS);
    let verdict = director.tables.direct(&mut frame);
    assert_eq!(verdict, Verdict::Drop(Reason::OverMtu));
    director.tables.tell(&mut frame, Reason::OverMtu)?;
    let info: [u8; 4] = frame.bytes()[38..42].try_into().unwrap();
    assert_eq!(frame.bytes()[34..36], [3, 4]);
    Some(u32::from_be_bytes(info))
}

/// A router between the director and the first real server says what gets through, of a packet of so many bytes.
fn narrows(director: &mut Director, wrap: u8, mtu: u32, payload: usize) -> Outcome {
    let inside = frame(CLIENT, VIP).tcp(ACK).payload(vec![5; payload]).aged().packet();
    let quoted = wrapped(wrap, &inside);
    let error = Complaint { info: mtu.to_be_bytes(), ..from_inside(ROUTER, DIP, (3, 4), &quoted) };
    director.receives_bytes(&error.bytes())
}

#[test]
fn what_a_router_says_of_a_tunnels_path_is_remembered_for_ten_minutes() {
    for (wrap, headers) in WRAPS {
        let mut director = tunnels(wrap);
        let request = |length: u32| {
            let payload = vec![7; usize::try_from(length - headers).unwrap() - 40];
            frame(CLIENT, VIP).tcp(ACK).payload(payload)
        };
        director.receives(&request(1500)).is(FORWARDED);
        narrows(&mut director, wrap, 1400, 1400).is(RETURNED);
        director.receives(&request(1400)).is(FORWARDED);
        assert_eq!(told_to(&mut director, &request(1401)), Some(1400 - headers));
        // What may be cut is cut on the way.
        director.receives(&request(1500).may_fragment(7)).is(FORWARDED);
        // The path of another real server is another one.
        let other = end(192, 0, 2, 10, 40_001);
        director.receives(&frame(other, VIP).tcp(SYN)).is(FORWARDED);
        director.receives(&request(1500).source(other)).is(FORWARDED);
        director.waits(599);
        assert_eq!(told_to(&mut director, &request(1401)), Some(1400 - headers));
        director.waits(1);
        director.receives(&request(1500)).is(FORWARDED);
    }
}

#[test]
fn a_router_is_believed_of_what_was_sent_and_of_what_is_narrower() {
    let mut director = tunnels(tunnel::IPIP);
    let request = |length: usize| frame(CLIENT, VIP).tcp(ACK).payload(vec![7; length - 60]);
    // No longer than what it says gets through; longer than what the link takes.
    narrows(&mut director, tunnel::IPIP, 1400, 1300).is(RETURNED);
    narrows(&mut director, tunnel::IPIP, 1400, 1441).is(RETURNED);
    director.receives(&request(1500)).is(FORWARDED);
    // From an address that the director does not send from.
    director.tables.maps.next_hops.iter_mut().for_each(|hop| hop.from = (*RIPS[1].ip()).into());
    narrows(&mut director, tunnel::IPIP, 1400, 1400).is(RETURNED);
    director.tables.maps.next_hops.iter_mut().for_each(|hop| hop.from = DIP.into());
    director.receives(&request(1500)).is(FORWARDED);
    // Nobody makes it narrower than networks are, and nobody wider.
    narrows(&mut director, tunnel::IPIP, 68, 1400).is(RETURNED);
    narrows(&mut director, tunnel::IPIP, 1400, 1400).is(RETURNED);
    director.receives(&request(552)).is(FORWARDED);
    assert_eq!(told_to(&mut director, &request(553)), Some(532));
}
