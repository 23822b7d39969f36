//! What the director's own stack answers to a packet for one of its addresses that nobody waits for.

use lvs_tests::rig::packet::{ACK, Body, Packet, RST};

/// The answer, as a capture names it.
pub(super) fn answer(packet: &Packet) -> Option<String> {
    let Packet { from, to, .. } = packet;
    match &packet.body {
        // RFC 9293 §3.10.7.1: no answer to a reset; an acknowledgment where there was none.
        Body::Tcp(flags, _) if flags & RST != 0 => None,
        Body::Tcp(flags, _) if flags & ACK != 0 => Some(format!("{to} > {from} R")),
        Body::Tcp(..) => Some(format!("{to} > {from} RA")),
        // RFC 1122 §4.1.3.1.
        Body::Udp(_) => Some(refusal(packet)),
    }
}

/// Port unreachable.
pub(super) fn refusal(packet: &Packet) -> String {
    format!("{} > {} icmp type 3 code 3", packet.to.ip(), packet.from.ip())
}
