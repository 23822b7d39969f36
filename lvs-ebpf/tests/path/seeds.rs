//! Stories to begin with: right frames of every kind, for every way.

use std::net::{IpAddr, SocketAddr};

use crate::stories::{
    story::{Event, Story},
    sums,
    world::{self, BEHIND, CLIENT_MAC, DIRECTOR_MAC, FIRST_PORT, GUE_PORT, NAT, WAYS},
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// All of them, by the names of their files.
pub(crate) fn all() -> Vec<(String, Story)> {
    let mut stories = Vec::new();
    for (family, is_v4) in [("v4", true), ("v6", false)] {
        let ends = Ends { is_v4 };
        for (way, it) in WAYS.iter().enumerate() {
            let name = format!("{}-{family}.story", it.name.replace(' ', "-"));
            stories.push((format!("long-{name}"), told(ends.long(way))));
            stories.push((name, told(ends.connection(way))));
        }
        let mut add = |name: &str, frames| {
            stories.push((format!("{name}-{family}.story"), told(frames)));
        };
        add("replies", ends.replies());
        add("fragments", ends.fragments());
        add("tags", ends.tags());
        add("headers", ends.headers());
        add("errors-from-clients", ends.errors_from_clients());
        add("errors-from-servers", ends.errors_from_servers());
        add("errors-about-tunnels", ends.errors_about_tunnels());
        add("its-own-errors", ends.its_own_errors());
        add("others", ends.others());
    }
    let generic = stories.clone().into_iter().map(|(name, mut story)| {
        story.0.iter_mut().for_each(|event| event.is_generic = true);
        (format!("generic-{name}"), story)
    });
    let chosen: Vec<_> =
        generic.filter(|(name, _)| name.contains("nat") || name.contains("summed-gue")).collect();
    stories.extend(chosen);
    stories
}

fn told(frames: Vec<Vec<u8>>) -> Story {
    Story(frames.into_iter().map(Event::new).collect())
}

/// Who is who in a family.
#[derive(Clone, Copy)]
struct Ends {
    is_v4: bool,
}

impl Ends {
    fn client(self) -> SocketAddr {
        SocketAddr::new(world::client(self.is_v4, 10), 40_000)
    }

    fn vip(self, port: u16) -> SocketAddr {
        SocketAddr::new(world::vip(self.is_v4), port)
    }

    fn server(self) -> SocketAddr {
        SocketAddr::new(world::server(self.is_v4, NAT), BEHIND)
    }

    fn of(self, way: usize) -> SocketAddr {
        self.vip(FIRST_PORT + u16::try_from(way).unwrap())
    }

    /// A connection of each protocol, as far as it goes by requests.
    fn connection(self, way: usize) -> Vec<Vec<u8>> {
        let (from, to) = (self.client(), self.of(way));
        vec![
            frame(from, to, &tcp(2), b""),
            frame(from, to, &tcp(16), b"odd"),
            frame(from, to, &udp(), b"even"),
            frame(from, to, &udp(), b"odd"),
            unsummed(frame(from, to, &udp(), b"without"), self.is_v4),
            frame(from, to, &sctp(1), b"twenty bytes of INIT"),
            frame(from, to, &sctp(10), b"a cookie"),
            frame(from, to, &tcp(17), b""),
            frame(from, to, &tcp(4), b""),
        ]
    }

    /// What just fits, and what does not.
    fn long(self, way: usize) -> Vec<Vec<u8>> {
        let (from, to) = (self.client(), self.of(way));
        let mut frames =
            vec![frame(from, to, &udp(), &[7; 1400]), frame(from, to, &udp(), &[7; 1452])];
        if self.is_v4 {
            frames.push(may_be_cut(frame(from, to, &udp(), &[7; 1472])));
            frames.push(may_be_cut(frame(from, to, &udp(), &[7; 1600])));
        }
        frames
    }

    fn replies(self) -> Vec<Vec<u8>> {
        let (from, back) = (self.client(), self.server());
        let mut frames = self.connection(NAT);
        for header in [tcp(18), tcp(16), udp(), sctp(2)] {
            frames.push(frame(back, from, &header, b"an answer"));
        }
        if self.is_v4 {
            frames.push(may_be_cut(frame(back, from, &udp(), &[1; 1600])));
        }
        frames.push(frame(back, self.vip(80), &tcp(2), b""));
        frames
    }

    fn fragments(self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for (number, way) in (0_u8..).zip(0..WAYS.len()) {
            let whole = frame(self.client(), self.of(way), &udp(), &[number; 300]);
            let mut pieces = cut(&may_be_cut(whole), 120, number);
            frames.extend(pieces.iter().cloned());
            pieces.reverse();
            frames.extend(pieces);
        }
        frames.extend(cut(
            &may_be_cut(frame(self.server(), self.client(), &udp(), &[1; 300])),
            100,
            99,
        ));
        frames.extend(cut(
            &may_be_cut(frame(self.client(), self.of(0), &tcp(2), &[1; 64])),
            16,
            98,
        ));
        frames
    }

    fn tags(self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for tags in [
            &[(0x8100, 7)][..],
            &[(0x8100, 0xa007)],
            &[(0x88a8, 1), (0x8100, 2)],
            &[(0x8100, 1); 3],
        ] {
            for way in [0, 1, 2, 4] {
                let mut tagged = frame(self.client(), self.of(way), &udp(), b"tagged");
                for (kind, control) in tags.iter().rev() {
                    tagged.splice(
                        12..12,
                        [u16::to_be_bytes(*kind), u16::to_be_bytes(*control)].concat(),
                    );
                }
                frames.push(tagged);
            }
        }
        frames
    }

    /// With options, or with extension headers.
    fn headers(self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for way in 0..WAYS.len() {
            let plain = frame(self.client(), self.of(way), &tcp(2), b"with more");
            let longer: &[&[u8]] = if self.is_v4 {
                &[&[1; 4], &[1; 40]]
            } else {
                &[&[0; 8], &[60; 8], &[43; 8], &[0, 0, 1, 4, 0, 0, 0, 0, 60, 0, 1, 4, 0, 0, 0, 0]]
            };
            frames.extend(longer.iter().map(|more| with(&plain, more)));
        }
        frames
    }

    fn errors_from_clients(self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let router = world::client(self.is_v4, 200);
        for way in 0..WAYS.len() {
            frames.extend(self.connection(way).into_iter().take(3));
            for header in [tcp(16), udp()] {
                let about = frame(self.of(way), self.client(), &header, b"what the VIP sent");
                frames.push(error((router, self.vip(0).ip()), 1, [0, 0, 5, 0], &about[14..]));
                frames.push(error((router, self.vip(0).ip()), 0, [0; 4], &about[14..]));
            }
        }
        frames
    }

    fn errors_from_servers(self) -> Vec<Vec<u8>> {
        let mut frames = self.connection(NAT);
        let from = self.server().ip();
        for header in [tcp(16), udp()] {
            let about = frame(self.client(), self.server(), &header, b"what the client sent");
            frames.push(error((from, self.client().ip()), 0, [0; 4], &about[14..]));
            frames.push(error((from, self.client().ip()), 1, [0, 0, 5, 0], &about[14..]));
        }
        frames.extend(self.connection(0));
        let about = frame(self.client(), self.of(0), &udp(), b"to the VIP");
        frames.push(error(
            (world::server(self.is_v4, 0), self.client().ip()),
            0,
            [0; 4],
            &about[14..],
        ));
        frames
    }

    fn errors_about_tunnels(self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let carried = if self.is_v4 { 4 } else { 41 };
        let ether: [u8; 2] = if self.is_v4 { [8, 0] } else { [0x86, 0xdd] };
        let port = GUE_PORT.to_be_bytes();
        let gue = [&[0x9c, 0x40], &port[..], &[0; 4], &[0, carried, 0, 0]].concat();
        let behind = [
            vec![],
            gue,
            [&[0, 0], &ether[..]].concat(),
            vec![],
            [&[0x80, 0], &ether[..], &[0; 4]].concat(),
        ];
        for (way, head) in [2, 3, 4, 5, 6].into_iter().zip([0, 1, 2, 1, 4]) {
            frames.extend(self.connection(way).into_iter().take(3));
            let inside = frame(self.client(), self.of(way), &tcp(16), &[1; 200]);
            let protocol = [carried, UDP, 47, UDP, 47][way - 2];
            let (from, to) = (world::dip(self.is_v4), world::server(self.is_v4, way));
            let outer = ip((from, to), protocol, &[&behind[head], &inside[14..]].concat());
            let router = world::client(self.is_v4, 201);
            for (what, info) in [(0, [0; 4]), (1, [0, 0, 5, 0]), (1, [0, 0, 0, 68])] {
                frames.push(error((router, from), what, info, &outer[14..]));
            }
        }
        frames
    }

    fn its_own_errors(self) -> Vec<Vec<u8>> {
        let (from, port) = (self.client(), world::NOBODYS);
        let mut frames = vec![
            frame(from, self.vip(port), &tcp(2), b""),
            frame(from, self.vip(port), &udp(), b"is anybody there?"),
        ];
        for way in 0..WAYS.len() {
            frames.push(dying(frame(from, self.of(way), &tcp(2), b"")));
            frames.push(frame(from, self.of(way), &udp(), &[7; 1500]));
        }
        frames
    }

    fn others(self) -> Vec<Vec<u8>> {
        let (from, to) = (self.client(), self.vip(80));
        let mut frames = vec![
            frame(from, self.vip(world::LOCAL), &tcp(2), b"at home"),
            frame(from, self.vip(world::PERSISTENT), &tcp(2), b""),
            frame(SocketAddr::new(from.ip(), 40_001), self.vip(world::PERSISTENT), &tcp(2), b""),
            frame(from, self.vip(world::ONE_PACKET), &udp(), b"once"),
            frame(from, self.vip(4000), &tcp(2), b""),
            frame(from, SocketAddr::new(world::client(self.is_v4, 11), 80), &tcp(2), b""),
            frame(from, to, &tcp(16), b"not begun"),
            ip((from.ip(), to.ip()), 47, b"GRE to the VIP"),
            error((from.ip(), to.ip()), 2, [1, 2, 3, 4], b"echo"),
        ];
        let mut arp = [[0xff; 6], CLIENT_MAC.bytes()].concat();
        arp.extend([8, 6]);
        arp.resize(60, 0);
        frames.push(arp);
        frames
    }
}

fn tcp(flags: u8) -> Vec<u8> {
    let rest = [1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 0x72, 0x10, 0, 0, 0, 0];
    [&[TCP, 0, 0, 0, 0], &rest[..]].concat()
}

fn udp() -> Vec<u8> {
    vec![UDP, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// With one chunk.
fn sctp(chunk: u8) -> Vec<u8> {
    vec![SCTP, 0, 0, 0, 0, 9, 8, 7, 6, 0, 0, 0, 0, chunk, 0, 0, 0]
}

/// A frame with this header, whose protocol's number is before it, and what follows it.
fn frame(from: SocketAddr, to: SocketAddr, header: &[u8], data: &[u8]) -> Vec<u8> {
    let (protocol, mut header) = (header[0], header[1..].to_vec());
    header[..2].copy_from_slice(&from.port().to_be_bytes());
    header[2..4].copy_from_slice(&to.port().to_be_bytes());
    let length = u16::try_from(header.len() + data.len()).unwrap();
    match protocol {
        UDP => header[4..6].copy_from_slice(&length.to_be_bytes()),
        SCTP => header[14..16].copy_from_slice(&(length - 12).to_be_bytes()),
        _ => {}
    }
    ip((from.ip(), to.ip()), protocol, &[&header, data].concat())
}

/// A packet between two addresses, in its frame, its checksums right.
fn ip((from, to): (IpAddr, IpAddr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [DIRECTOR_MAC.bytes(), CLIENT_MAC.bytes()].concat();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
            frame.extend([
                8, 0, 0x45, 0xb9, length[0], length[1], 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0,
            ]);
            frame.extend([from.octets(), to.octets()].concat());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            frame.extend([0x86, 0xdd, 0x6b, 0x99, 0x87, 0x65, length[0], length[1], protocol, 64]);
            frame.extend([from.octets(), to.octets()].concat());
        }
        _ => panic!("two families"),
    }
    frame.extend(payload);
    sums::seal(&mut frame);
    frame
}

/// An ICMP message: port unreachable, too long, echo.
fn error(ends: (IpAddr, IpAddr), what: usize, info: [u8; 4], data: &[u8]) -> Vec<u8> {
    let is_v4 = ends.0.is_ipv4();
    let (kind, code) =
        if is_v4 { [(3, 3), (3, 4), (8, 0)] } else { [(1, 4), (2, 0), (128, 0)] }[what];
    let message = [&[kind, code, 0, 0], &info[..], data].concat();
    ip(ends, if is_v4 { 1 } else { 58 }, &message)
}

fn unsummed(mut frame: Vec<u8>, is_v4: bool) -> Vec<u8> {
    if is_v4 {
        frame[40..42].fill(0);
    }
    frame
}

fn may_be_cut(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12] == 8 {
        frame[20] &= !0x40;
        sums::seal(&mut frame);
    }
    frame
}

fn dying(mut frame: Vec<u8>) -> Vec<u8> {
    let at = if frame[12] == 8 { 22 } else { 21 };
    frame[at] = 1;
    sums::seal(&mut frame);
    frame
}

/// With options, or with extension headers whose first bytes are their own numbers.
fn with(plain: &[u8], more: &[u8]) -> Vec<u8> {
    let mut frame = plain.to_vec();
    if plain[12] == 8 {
        frame.splice(34..34, more.iter().copied());
        frame[14] += u8::try_from(more.len() / 4).unwrap();
        let length =
            u16::from_be_bytes([frame[16], frame[17]]) + u16::try_from(more.len()).unwrap();
        frame[16..18].copy_from_slice(&length.to_be_bytes());
    } else {
        for header in more.chunks(8) {
            let next = std::mem::replace(&mut frame[20], header[0]);
            frame.splice(54..54, [next, 0, 1, 4, 0, 0, 0, 0]);
            if header[0] == 43 {
                frame[57] = 0;
            }
        }
        let length =
            u16::from_be_bytes([frame[18], frame[19]]) + u16::try_from(more.len()).unwrap();
        frame[18..20].copy_from_slice(&length.to_be_bytes());
    }
    sums::seal(&mut frame);
    frame
}

/// The fragments of a frame without options.
fn cut(frame: &[u8], bytes: usize, id: u8) -> Vec<Vec<u8>> {
    if frame[12] != 8 {
        return crate::cut::cut6(frame, bytes, id.into());
    }
    let mut frame = frame.to_vec();
    frame[19] = id;
    sums::seal(&mut frame);
    crate::cut::cut(&frame, bytes)
}
