//! Datagrams cut into fragments, and put together again as a receiver would: by etherparse and by hand, apart from the
//! code under test.

use etherparse::{IpFragOffset, Ipv4Header};

/// The link-layer header.
const ETHERNET: usize = 14;
const IPV6: usize = 40;

/// The fragments of a frame of IPv4, with so many bytes of its payload each.
pub(crate) fn cut(frame: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    let (header, payload) = Ipv4Header::from_slice(&frame[ETHERNET..]).unwrap();
    let payload = &payload[..usize::from(header.payload_len().unwrap())];
    let last = payload.len().div_ceil(bytes) - 1;
    let fragment = |(number, part): (usize, &[u8])| {
        let mut header = header.clone();
        let offset = u16::try_from(number * bytes / 8).unwrap();
        header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        header.more_fragments = number != last;
        header.set_payload_len(part.len()).unwrap();
        let mut fragment = frame[..ETHERNET].to_vec();
        header.write(&mut fragment).unwrap();
        fragment.extend(part);
        fragment
    };
    payload.chunks(bytes).enumerate().map(fragment).collect()
}

/// The packet that frames of IPv4 are the fragments of.
pub(crate) fn join(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut head = None;
    for fragment in fragments {
        let (header, payload) = Ipv4Header::from_slice(&fragment[ETHERNET..]).unwrap();
        assert_eq!(header.calc_header_checksum(), header.header_checksum, "{fragment:02x?}");
        parts.push((usize::from(header.fragment_offset.value()) * 8, payload));
        if header.fragment_offset.value() == 0 {
            head = Some(header);
        }
    }
    let payload = together(parts);
    let mut head = head.expect("a first fragment");
    head.more_fragments = false;
    head.set_payload_len(payload.len()).unwrap();
    let mut packet = Vec::new();
    head.write(&mut packet).unwrap();
    packet.extend(payload);
    packet
}

/// The fragments of a frame of IPv6 without extension headers.
pub(crate) fn cut6(frame: &[u8], bytes: usize, id: u32) -> Vec<Vec<u8>> {
    let (head, payload) = frame.split_at(ETHERNET + IPV6);
    let last = payload.len().div_ceil(bytes) - 1;
    let fragment = |(number, part): (usize, &[u8])| {
        let mut fragment = head.to_vec();
        let next = std::mem::replace(&mut fragment[ETHERNET + 6], 44);
        let length = u16::try_from(part.len() + 8).unwrap();
        fragment[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&length.to_be_bytes());
        let offset = u16::try_from(number * bytes).unwrap() | u16::from(number != last);
        fragment.extend([next, 0]);
        fragment.extend(offset.to_be_bytes());
        fragment.extend(id.to_be_bytes());
        fragment.extend(part);
        fragment
    };
    payload.chunks(bytes).enumerate().map(fragment).collect()
}

/// The frame that frames of IPv6 are the fragments of.
pub(crate) fn join6(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = Vec::new();
    for fragment in fragments {
        let header = &fragment[ETHERNET + IPV6..][..8];
        let offset = u16::from_be_bytes([header[2], header[3]]) & !7;
        parts.push((usize::from(offset), &fragment[ETHERNET + IPV6 + 8..]));
    }
    let payload = together(parts);
    let mut frame = fragments[0][..ETHERNET + IPV6].to_vec();
    frame[ETHERNET + 6] = fragments[0][ETHERNET + IPV6];
    let length = u16::try_from(payload.len()).unwrap();
    frame[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&length.to_be_bytes());
    frame.extend(payload);
    frame
}

fn together(mut parts: Vec<(usize, &[u8])>) -> Vec<u8> {
    parts.sort_unstable_by_key(|(offset, _)| *offset);
    let mut payload = Vec::new();
    for (offset, part) in parts {
        assert_eq!(payload.len(), offset, "a gap or an overlap");
        payload.extend(part);
    }
    payload
}
