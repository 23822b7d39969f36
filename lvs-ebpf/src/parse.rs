//! 1. What kind of packet is it? Frame → [`Packet`], or on to the stack.
//!
//! Nothing is known yet of whether the packet is ours, so nothing is dropped here: the stack judges
//! malformed packets as it would without us.

use lvs_common::{
    net::protocol,
    verdict::{Reason, Verdict},
    wire::{ETHERTYPE_QINQ, ETHERTYPE_VLAN, Ethernet, Frame, Tcp, Udp},
};

use crate::{
    ip::{Ip, NETWORK},
    packet::Packet,
};

pub(crate) const MALFORMED: Verdict = Verdict::Pass(Reason::Malformed);

#[inline(always)]
pub(crate) fn parse<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    let ethernet = frame.at::<Ethernet>(0).ok_or(MALFORMED)?;
    if ethernet.ethertype != A::ETHERTYPE {
        let tagged = ethernet.ethertype == ETHERTYPE_VLAN || ethernet.ethertype == ETHERTYPE_QINQ;
        return Err(Verdict::Pass(if tagged { Reason::Tagged } else { Reason::NotIpv4 }));
    }

    let ip = A::header(frame)?;
    let transport = ip.payload;
    let (source_port, destination_port, flags, least) = match ip.protocol {
        protocol::TCP => {
            let tcp = frame.at::<Tcp>(transport).ok_or(MALFORMED)?;
            (tcp.source, tcp.destination, tcp.flags, size_of::<Tcp>())
        }
        protocol::UDP => {
            let udp = frame.at::<Udp>(transport).ok_or(MALFORMED)?;
            (udp.source, udp.destination, 0, size_of::<Udp>())
        }
        _ => return Err(Verdict::Pass(Reason::OtherProtocol)),
    };
    if NETWORK + (ip.bytes as usize) < transport + least {
        return Err(MALFORMED);
    }
    Ok(Packet {
        source: ip.source,
        destination: ip.destination,
        source_port,
        destination_port,
        protocol: ip.protocol,
        flags,
        bytes: ip.bytes,
        transport,
    })
}
