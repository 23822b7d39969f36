//! Extension headers: looked behind, within bounds.

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
};

use super::{
    frame::{Frame, frame},
    layout::{CLIENT, Directs as _, VIP, director},
};
use crate::director::FORWARDED;

const OTHER: Verdict = Verdict::Pass(Reason::OtherProtocol);

fn becomes(frame: &Frame, verdict: Verdict) {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        director(method).directs(frame).is(verdict);
        director(method).directs(&frame.clone().udp()).is(verdict);
    }
}

fn syn() -> Frame {
    frame(CLIENT, VIP)
}

#[test]
fn four_headers_are_looked_behind_and_a_fifth_hides_the_protocol() {
    let mut frame = syn();
    for _ in 0..4 {
        becomes(&frame, FORWARDED);
        frame = frame.extension(60, &[0; 6]);
    }
    becomes(&frame, FORWARDED);
    becomes(&frame.extension(60, &[0; 6]), OTHER);
}

#[test]
fn two_hundred_bytes_are_looked_behind_and_more_hide_the_protocol() {
    becomes(&syn().extension(0, &[0; 198]), FORWARDED);
    becomes(&syn().extension(0, &[0; 206]), OTHER);
    becomes(&syn().extension(0, &[0; 102]).extension(60, &[0; 94]), FORWARDED);
    becomes(&syn().extension(0, &[0; 102]).extension(60, &[0; 102]), OTHER);
}

#[test]
fn a_route_counts_only_at_its_end() {
    becomes(&syn().extension(43, &[4, 0, 0, 0, 0, 0]), FORWARDED);
    becomes(&syn().extension(43, &[4, 1, 0, 0, 0, 0]), OTHER);
}

#[test]
fn fragments_go_a_way_of_their_own_behind_whatever_headers() {
    const EARLY: Verdict = Verdict::Drop(Reason::FragmentEarly);
    for (offset_and_more, verdict) in [(0x0000_u16, FORWARDED), (0x0100, EARLY)] {
        let [high, low] = offset_and_more.to_be_bytes();
        let holds = [high, low, 0, 0, 0, 7];
        let syn = syn().payload([0; 4]);
        becomes(&syn.clone().extension(44, &holds), verdict);
        becomes(&syn.clone().extension(0, &[0; 6]).extension(44, &holds), verdict);
        becomes(&syn.extension(0, &[0; 182]).extension(44, &holds), verdict);
    }
    // What hides behind the fragment's header is not looked for.
    let hidden = syn().extension(44, &[0; 6]).extension(60, &[0; 6]);
    becomes(&hidden, Verdict::Pass(Reason::Fragment));
}

#[test]
fn what_is_hidden_encrypted_or_of_another_protocol_is_the_stacks() {
    let known = [0, 6, 17, 43, 44, 60, 132];
    for number in (0..=255).filter(|number| !known.contains(number)) {
        // As ICMPv6, no error: those have types below 128.
        let packet = syn().protocol(number).payload([128; 64]);
        director(Method::MASQ).directs(&packet).is(OTHER);
        let behind = packet.extension(60, &[0; 6]);
        director(Method::MASQ).directs(&behind).is(OTHER);
    }
}
