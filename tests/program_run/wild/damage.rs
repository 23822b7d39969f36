//! What frames suffer: tags, options, cuts into fragments; and lies, holes and noise.

use lvs_tests::rig::feed::Feed;

use super::{
    frames::{ETHERNET, seal},
    random::Random,
};

const IPV4: usize = 20;
const IPV6: usize = 40;

/// Puts one, two or three VLAN tags on.
pub(super) fn tag(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let [kind, type_] = random.one(&[[0x81, 0], [0x88, 0xa8]]);
        frame.splice(12..12, [kind, type_, random.byte(), random.byte()]);
    }
}

/// The packet with options, or with extension headers.
pub(super) fn lengthened(packet: &[u8], random: &mut Random) -> Vec<u8> {
    if packet[0] >> 4 == 4 {
        let options = random.below(11) * 4;
        let kind = random.one(&[0, 1, 7, 131, 148, 255]);
        let mut all = [&packet[..IPV4], &vec![kind; options], &packet[IPV4..]].concat();
        all[0] = 0x40 | u8::try_from(5 + options / 4).expect("at most fifteen words");
        return with_length(all, IPV4 + options);
    }
    let mut all = packet.to_vec();
    for _ in 0..=random.below(4) {
        let header = random.one(&[0, 43, 60, 51, 135, 44]);
        let eights = if header == 44 { 0 } else { random.below(3) };
        let mut extension = random.bytes(8 * (eights + 1));
        extension[0] = std::mem::replace(&mut all[6], header);
        extension[1] = u8::try_from(eights).expect("a few");
        all.splice(IPV6..IPV6, extension);
    }
    with_length(all, 0)
}

/// A fragment of the packet.
pub(super) fn fragment(packet: &[u8], random: &mut Random) -> Vec<u8> {
    let is_v4 = packet[0] >> 4 == 4;
    let header = if is_v4 { usize::from(packet[0] & 15) * 4 } else { IPV6 };
    let eights = (packet.len() - header) / 8;
    let first = if random.once_in(2) { 0 } else { random.below(eights + 1) };
    let last = first + random.below(eights + 1 - first);
    let more = random.below(4) > 0;
    let part = &packet[header + first * 8..if more { header + last * 8 } else { packet.len() }];
    let offset = u16::try_from(first).expect("within a packet");
    let mut head = packet[..header].to_vec();
    if is_v4 {
        let word = offset | if more { 0x2000 } else { 0 };
        head[6..8].copy_from_slice(&word.to_be_bytes());
    } else {
        let next = std::mem::replace(&mut head[6], 44);
        let word = (offset << 3 | u16::from(more)).to_be_bytes();
        head.extend([next, 0, word[0], word[1], 0, 0, 0, random.byte() % 8]);
    }
    let seal_at = if is_v4 { header } else { 0 };
    with_length([&head, part].concat(), seal_at)
}

/// Does it one or several harms.
pub(super) fn harm(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        one(frame, random);
    }
    if frame.len() < Feed::SHORTEST {
        frame.resize(Feed::SHORTEST, 0);
    }
}

fn one(frame: &mut Vec<u8>, random: &mut Random) {
    let is_v4 = frame.get(12..14) == Some(&[8, 0]);
    let at = |v4: usize, v6: usize| ETHERNET + if is_v4 { v4 } else { v6 };
    match random.below(16) {
        // Cut off anywhere; more often where headers are.
        0 => frame.truncate(random.below(frame.len() + 1)),
        1 => frame.truncate(ETHERNET + random.below(100)),
        2 => put(frame, ETHERNET, &[random.byte()]),
        // Lengths: of the packet, of what it carries.
        3 => {
            let length = random.one(&[0, 1, 8, 19, 20, 27, 28, 40, 60, 1500, 0xffff]);
            put(frame, at(2, 4), &u16::to_be_bytes(length));
        }
        4 => {
            let length = random.half() % 64;
            put(frame, at(IPV4 + 4, IPV6 + 4), &length.to_be_bytes());
        }
        // From the address that it is to, and the port.
        5 => {
            copy(frame, at(16, 24), at(12, 8), if is_v4 { 4 } else { 16 });
            copy(frame, at(IPV4 + 2, IPV6 + 2), at(IPV4, IPV6), 2);
        }
        // Addresses that nobody has.
        6 => {
            let place = random.one(&[at(12, 8), at(16, 24)]);
            let martian = random.one(&[[0; 4], [127, 0, 0, 1], [255; 4], [224, 0, 0, 1], [240; 4]]);
            let v6 = random.one(&[[0; 16], [0xff; 16], [0xfe; 16]]);
            put(frame, place, if is_v4 { &martian } else { &v6 });
        }
        7 => put(frame, at(10, 7), &random.half().to_be_bytes()),
        8 => put(frame, at(IPV4 + 16, IPV6 + 16), &random.half().to_be_bytes()),
        // Bits that are reserved, and places of fragments.
        9 => put(frame, at(6, IPV6 + 2), &random.half().to_be_bytes()),
        10 => put(frame, at(8, 7), &[random.byte() % 3]),
        11 => put(frame, at(9, 6), &[random.byte()]),
        // For somebody else, or everybody.
        12 => {
            let mac = random.one(&[[0xff; 6], [1, 0, 0x5e, 0, 0, 1], [2, 9, 9, 9, 9, 9]]);
            put(frame, 0, &mac);
        }
        13 => frame.extend(random.bytes(32)),
        _ => {
            for _ in 0..=random.below(3) {
                let place = random.below(100);
                put(frame, place, &[random.byte()]);
            }
        }
    }
}

/// The packet with its length in its header, and that header sealed.
fn with_length(mut packet: Vec<u8>, header: usize) -> Vec<u8> {
    let is_v4 = packet[0] >> 4 == 4;
    let length = if is_v4 { packet.len() } else { packet.len() - IPV6 };
    let at = if is_v4 { 2 } else { 4 };
    let length = u16::try_from(length).expect("a packet").to_be_bytes();
    packet[at..at + 2].copy_from_slice(&length);
    if is_v4 {
        seal(&mut packet[..header]);
    }
    packet
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn copy(frame: &mut [u8], from: usize, to: usize, bytes: usize) {
    if from + bytes <= frame.len() && to + bytes <= frame.len() {
        frame.copy_within(from..from + bytes, to);
    }
}
