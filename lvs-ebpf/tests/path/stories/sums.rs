//! Which checksums of a packet are right, and how to make them right: by RFC 1071, byte for byte, and by crc32c.

use std::net::IpAddr;

use super::seen::{Part, SCTP, Seen, TCP, UDP};

/// What can be told of a packet's checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    /// The IP header's; IPv6 has none.
    pub(crate) header: bool,
    /// That of what it carries; none if it has none, or not all of what it is over is here.
    pub(crate) transport: Option<bool>,
}

/// Sixteen-bit words added up as RFC 1071 has it, folded, not complemented.
pub(crate) fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("it is folded")
}

/// The pseudo-header of so many bytes.
pub(crate) fn pseudo(source: IpAddr, destination: IpAddr, protocol: u8, bytes: usize) -> Vec<u8> {
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bytes = u32::try_from(bytes).expect("a packet").to_be_bytes();
    [octets(source), octets(destination), bytes.to_vec(), vec![0, 0, 0, protocol]].concat()
}

/// Offset of the transport checksum from the transport header, by protocol.
fn place(seen: &Seen) -> Option<usize> {
    match seen.protocol {
        TCP => Some(16),
        UDP => Some(6),
        _ if seen.is_icmp() => Some(2),
        _ => None,
    }
}

/// What is beside the bytes in the sum of the transport.
fn beside(seen: &Seen, bytes: usize) -> Vec<u8> {
    if seen.is_v4 && seen.is_icmp() {
        return Vec::new();
    }
    pseudo(seen.source, seen.destination, seen.protocol, bytes)
}

impl Sums {
    /// Of a packet in its frame.
    pub(crate) fn of(frame: &[u8], seen: &Seen) -> Self {
        let header = !seen.is_v4 || {
            let words = usize::from(frame[seen.at] & 15) * 4;
            sum(&[&frame[seen.at..seen.at + words]]) == 0xffff
        };
        Self { header, transport: transport(frame, seen) }
    }
}

fn transport(frame: &[u8], seen: &Seen) -> Option<bool> {
    let data = frame.get(seen.transport..seen.end()).filter(|_| seen.part == Part::Whole)?;
    if seen.protocol == SCTP {
        let stored = u32::from_le_bytes(*data.get(8..12)?.first_chunk()?);
        return Some(crc(data) == stored);
    }
    let at = place(seen)?;
    if seen.protocol == UDP && data.get(6..8)? == [0, 0] {
        return None;
    }
    _ = data.get(at..at + 2)?;
    Some(sum(&[&beside(seen, data.len()), data]) == 0xffff)
}

/// RFC 9260 §6.8, as if the checksum were zero.
pub(crate) fn crc(data: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[&data[..8], &[0; 4]].concat()), &data[12..])
}

/// Makes the checksums of a frame's packet right.
pub(crate) fn seal(frame: &mut [u8]) {
    let Some(seen) = Seen::of(frame) else { return };
    if seen.is_v4 {
        let words = usize::from(frame[seen.at] & 15) * 4;
        frame[seen.at + 10..seen.at + 12].fill(0);
        let check = !sum(&[&frame[seen.at..seen.at + words]]);
        frame[seen.at + 10..seen.at + 12].copy_from_slice(&check.to_be_bytes());
    }
    let (start, end) = (seen.transport, seen.end());
    if seen.part != Part::Whole {
        return;
    }
    if seen.protocol == SCTP && end >= start + 12 {
        let crc = crc(&frame[start..end]).to_le_bytes();
        frame[start + 8..start + 12].copy_from_slice(&crc);
    } else if let Some(at) = place(&seen).filter(|at| start + at + 2 <= end) {
        frame[start + at..start + at + 2].fill(0);
        let check = !sum(&[&beside(&seen, end - start), &frame[start..end]]);
        let check = if check == 0 && seen.protocol == UDP { 0xffff } else { check };
        frame[start + at..start + at + 2].copy_from_slice(&check.to_be_bytes());
    }
}
