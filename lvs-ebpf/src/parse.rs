//! 1. What kind of packet is it? Frame → [`Packet`], or on to the stack.
//!
//! Nothing is known yet of whether the packet is ours, so nothing is dropped here: the stack judges
//! malformed packets as it would without us.

use lvs_common::{
    net::protocol,
    verdict::{Reason, Verdict},
    wire::{ETHERTYPE_IPV4, ETHERTYPE_QINQ, ETHERTYPE_VLAN, Ethernet, Frame, Ipv4, Tcp, Udp},
};

use crate::packet::Packet;

const MALFORMED: Verdict = Verdict::Pass(Reason::Malformed);

/// Offset of the IP header: behind an untagged Ethernet header.
pub(crate) const NETWORK: usize = size_of::<Ethernet>();

#[inline(always)]
pub(crate) fn parse<F: Frame>(frame: &F) -> Result<Packet, Verdict> {
    let ethernet = frame.at::<Ethernet>(0).ok_or(MALFORMED)?;
    if ethernet.ethertype != ETHERTYPE_IPV4 {
        let tagged = ethernet.ethertype == ETHERTYPE_VLAN || ethernet.ethertype == ETHERTYPE_QINQ;
        return Err(Verdict::Pass(if tagged { Reason::Tagged } else { Reason::NotIpv4 }));
    }

    let ip = frame.at::<Ipv4>(NETWORK).ok_or(MALFORMED)?;
    let (header, bytes) = (ip.header_len(), ip.total_length.get());
    if !ip.is_v4() || header < Ipv4::MIN_LEN || NETWORK + bytes as usize > frame.len() {
        return Err(MALFORMED);
    }
    if ip.is_fragment() {
        return Err(Verdict::Pass(Reason::Fragment));
    }

    let transport = NETWORK + header;
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
    if (bytes as usize) < header + least {
        return Err(MALFORMED);
    }
    Ok(Packet {
        source: ip.source,
        destination: ip.destination,
        source_port,
        destination_port,
        protocol: ip.protocol,
        flags,
        bytes,
        transport,
    })
}
