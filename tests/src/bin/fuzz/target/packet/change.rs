//! Stories out of stories: frames left out, doubled, exchanged and borrowed; and what frames suffer.

use super::stories::{
    seen::Seen,
    story::{Event, Story},
    sums,
    world::{self, BEHIND, FIRST_PORT, GUE_PORT, NAT, WAYS},
};
use crate::mutate::Mutator;

/// No story has more frames, and no frame more bytes.
const FRAMES_MAX: usize = 24;
const BYTES_MAX: usize = 4000;

/// Where headers are.
const HEADERS: usize = 120;

/// Changes at random.
pub(super) struct Changes<'a>(pub(super) &'a mut Mutator);

impl Changes<'_> {
    /// A story, changed in a few places, with frames of another one among its own.
    pub(super) fn applied(mut self, mut story: Story, other: &Story) -> Story {
        for _ in 0..=self.0.below(4) {
            self.change(&mut story, other);
        }
        story.0.truncate(FRAMES_MAX);
        story.0.iter_mut().for_each(|event| event.frame.truncate(BYTES_MAX));
        story
    }

    fn change(&mut self, story: &mut Story, other: &Story) {
        let frames = &mut story.0;
        if frames.is_empty() {
            frames.extend(other.0.iter().cloned());
            return;
        }
        let place = self.0.below(frames.len());
        match self.0.below(16) {
            0 => drop(frames.remove(place)),
            1 => frames.insert(place, frames[place].clone()),
            2 => {
                let to = self.0.below(frames.len());
                frames.swap(place, to);
            }
            3 | 4 if !other.0.is_empty() => {
                let borrowed = other.0[self.0.below(other.0.len())].clone();
                frames.insert(place, borrowed);
            }
            // Half of a story that is longer than one may be.
            5 if frames.len() > FRAMES_MAX / 2 => drop(frames.drain(..place)),
            6 => frames[place].seconds = self.one(&[0, 1, 5, 29, 31, 61, 130, 1000]),
            7 => frames[place].is_generic ^= true,
            8 => {
                let pieces = self.cut(&frames[place].frame);
                frames.splice(place..=place, pieces.into_iter().map(Event::new));
            }
            9 => {
                let complaint = self.complaint(&frames[place].frame);
                frames.insert(place + 1, Event::new(complaint));
            }
            _ => {
                let frame = &mut frames[place].frame;
                self.harm(frame);
                if self.0.below(3) > 0 {
                    sums::seal(frame);
                }
            }
        }
    }

    fn harm(&mut self, frame: &mut Vec<u8>) {
        let Some(seen) = Seen::of(frame) else { return self.noise(frame) };
        let at = |v4: usize, v6: usize| seen.at + if seen.is_v4 { v4 } else { v6 };
        match self.0.below(14) {
            0 => frame.truncate(self.0.below(frame.len() + 1)),
            1 => {
                let more = self.0.below(64);
                frame.resize(frame.len() + more, 0xa5);
            }
            2 => {
                let length = u16::try_from(seen.bytes - if seen.is_v4 { 0 } else { 40 });
                let length = length.unwrap_or(0).wrapping_add(self.one(&[1, 2, 8, 0xffff, 0xfff8]));
                put(frame, at(2, 4), &length.to_be_bytes());
            }
            // The longest that it may be, and what is around it.
            3 => self.resize(frame, &seen),
            4 => {
                let port = self.port().to_be_bytes();
                put(frame, seen.transport + self.0.below(2) * 2, &port);
            }
            5 => {
                let width = if seen.is_v4 { 4 } else { 16 };
                let end = self.0.below(2) * width;
                let address = self.address(seen.is_v4);
                put(frame, at(12, 8) + end, &address);
            }
            6 => {
                let protocol = self.one(&[1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 132, 0]);
                put(frame, at(9, 6), &[protocol]);
            }
            7 => {
                let ttl = self.one(&[0, 1, 2, 64, 255]);
                put(frame, at(8, 7), &[ttl]);
            }
            8 if seen.is_v4 => {
                let flags = self.one(&[0, 0x40, 0x20, 0x60, 0x80, 0x1f]);
                let offset = self.byte();
                put(frame, seen.at + 6, &[flags, offset]);
            }
            8 => self.extend(frame, &seen),
            9 => {
                let (kind, control) = (self.one(&[[0x81, 0], [0x88, 0xa8]]), self.byte() % 8);
                frame.splice(12..12, [kind[0], kind[1], 0, control]);
            }
            10 => {
                let flags = self.one(&[0, 1, 2, 4, 16, 17, 18, 20, 24, 63]);
                put(frame, seen.transport + 13, &[flags]);
            }
            11 => {
                let check = self.one(&[[0, 0], [0xff, 0xff], [0x12, 0x34]]);
                let place = self.one(&[6, 16, 2]);
                put(frame, seen.transport + place, &check);
            }
            _ => self.noise(frame),
        }
    }

    /// Bytes that nobody expects, more often where headers are.
    fn noise(&mut self, frame: &mut [u8]) {
        if frame.is_empty() {
            return;
        }
        for _ in 0..=self.0.below(3) {
            let reach = if self.0.below(8) == 0 { frame.len() } else { frame.len().min(HEADERS) };
            let place = self.0.below(reach);
            frame[place] = if self.0.below(2) == 0 {
                frame[place] ^ 1 << self.0.below(8)
            } else {
                self.one(&[0, 1, 0x7f, 0x80, 0xff, 4, 5, 6, 0x45, 0x4f, 0x60])
            };
        }
    }

    /// The packet of another length, its headers in accordance.
    fn resize(&mut self, frame: &mut Vec<u8>, seen: &Seen) {
        let bytes =
            self.one(&[1500, 1501, 1480, 1481, 1460, 1461, 1468, 1469, 1472, 1473, 1476, 3000]);
        let least = seen.transport - seen.at + 20;
        let bytes = bytes.max(least);
        frame.resize(seen.at + bytes, 0x5a);
        let length = u16::try_from(bytes - if seen.is_v4 { 0 } else { 40 }).unwrap_or(0);
        put(frame, seen.at + if seen.is_v4 { 2 } else { 4 }, &length.to_be_bytes());
        if seen.protocol == 17 {
            let length = u16::try_from(seen.at + bytes - seen.transport).unwrap_or(0);
            put(frame, seen.transport + 4, &length.to_be_bytes());
        }
    }

    /// An extension header behind that of IPv6.
    fn extend(&mut self, frame: &mut Vec<u8>, seen: &Seen) {
        let number = self.one(&[0, 43, 60, 51, 135, 44]);
        let eights = self.0.below(3);
        let next = std::mem::replace(&mut frame[seen.at + 6], number);
        let mut header = vec![0; 8 * (eights + 1)];
        header[0] = next;
        header[1] = if number == 44 { 0 } else { u8::try_from(eights).unwrap_or(0) };
        let length = u16::try_from(seen.bytes - 40 + header.len()).unwrap_or(0);
        frame.splice(seen.at + 40..seen.at + 40, header);
        put(frame, seen.at + 4, &length.to_be_bytes());
    }

    /// The frame's packet in fragments, in some order.
    fn cut(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let Some(seen) = Seen::of(frame) else { return vec![frame.to_vec()] };
        let header = if seen.is_v4 { seen.transport - seen.at } else { 40 };
        let (head, payload) = frame[..seen.end()].split_at(seen.at + header);
        let bytes = 8 * (1 + self.one(&[0, 1, 2, 3, 7, 60, 150]));
        let id = self.byte() % 4;
        let last = payload.len().div_ceil(bytes).min(FRAMES_MAX).saturating_sub(1);
        let mut pieces = Vec::new();
        for (number, part) in payload.chunks(bytes).enumerate().take(last + 1) {
            let mut piece = head.to_vec();
            let start = u16::try_from(number * bytes).unwrap_or(0);
            let more = u16::from(number != last);
            if seen.is_v4 {
                put(&mut piece, seen.at + 4, &[0, id]);
                put(&mut piece, seen.at + 6, &(start >> 3 | more << 13).to_be_bytes());
                let length = u16::try_from(header + part.len()).unwrap_or(0);
                put(&mut piece, seen.at + 2, &length.to_be_bytes());
            } else {
                let next = std::mem::replace(&mut piece[seen.at + 6], 44);
                piece.extend(
                    [&[next, 0], &(start | more).to_be_bytes()[..], &[0, 0, 0, id]].concat(),
                );
                let length = u16::try_from(8 + part.len()).unwrap_or(0);
                put(&mut piece, seen.at + 4, &length.to_be_bytes());
            }
            piece.extend(part);
            sums::seal(&mut piece);
            pieces.push(piece);
        }
        if self.0.below(2) == 0 && pieces.len() > 1 {
            let (one, other) = (self.0.below(pieces.len()), self.0.below(pieces.len()));
            pieces.swap(one, other);
        }
        pieces
    }

    /// An ICMP error about a frame's packet, or about one that answers it.
    fn complaint(&mut self, frame: &[u8]) -> Vec<u8> {
        let Some(seen) = Seen::of(frame) else { return frame.to_vec() };
        let mut about = frame[seen.at..].to_vec();
        let (first, width) = if seen.is_v4 { (12, 4) } else { (8, 16) };
        let transport = seen.transport - seen.at;
        if self.0.below(2) == 0 && about.len() >= transport + 4 {
            about[first..first + 2 * width].rotate_left(width);
            about[transport..transport + 4].rotate_left(2);
        }
        if self.0.below(3) == 0 {
            let server = self.one(&[NAT, 0, 2, 3]);
            put(&mut about, first + width, &octets(world::server(seen.is_v4, server)));
            put(&mut about, transport + 2, &BEHIND.to_be_bytes());
        }
        about.truncate(self.one(&[28, 48, 56, 100, 548, 1200]));
        let what = if seen.is_v4 {
            self.one(&[[3, 3], [3, 4], [3, 1], [11, 0], [12, 0], [5, 1]])
        } else {
            self.one(&[[1, 4], [2, 0], [3, 0], [3, 1], [4, 0], [128, 0]])
        };
        let info = self.one(&[[0, 0, 5, 0], [0; 4], [0, 0, 2, 0x40], [0, 1, 0, 0]]);
        let mut error = frame[..seen.at].to_vec();
        let length = u16::try_from(8 + about.len()).unwrap_or(0);
        if seen.is_v4 {
            let [high, low] = (length + 20).to_be_bytes();
            error.extend([0x45, 0, high, low, 0, 7, 0, 0, 60, 1, 0, 0]);
        } else {
            let [high, low] = length.to_be_bytes();
            error.extend([0x60, 0, 0, 0, high, low, 58, 60]);
        }
        // Whoever sent the packet is told.
        let from = self.address(seen.is_v4);
        let to = about.get(first..first + width).map_or_else(|| from.clone(), <[u8]>::to_vec);
        error.extend([from, to, [&what[..], &[0, 0], &info].concat(), about].concat());
        sums::seal(&mut error);
        error
    }

    fn port(&mut self) -> u16 {
        let way = u16::try_from(self.0.below(WAYS.len() + 6)).unwrap_or(0);
        self.one(&[FIRST_PORT + way, FIRST_PORT + way, BEHIND, GUE_PORT, 40_000, 40_001, 20, 0])
    }

    fn address(&mut self, is_v4: bool) -> Vec<u8> {
        let number = self.byte() % 4;
        let way = self.0.below(WAYS.len());
        let address = match self.0.below(5) {
            0 => world::vip(is_v4),
            1 => world::dip(is_v4),
            2 if world::server(is_v4, way).is_ipv4() == is_v4 => world::server(is_v4, way),
            _ => world::client(is_v4, 10 + number),
        };
        if self.0.below(12) == 0 {
            return self.one(&[vec![0; 16], vec![0xff; 16], vec![127; 16]])
                [..if is_v4 { 4 } else { 16 }]
                .to_vec();
        }
        octets(address)
    }

    fn byte(&mut self) -> u8 {
        self.0.next().to_le_bytes()[0]
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.0.below(of.len())].clone()
    }
}

fn octets(address: std::net::IpAddr) -> Vec<u8> {
    match address {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
