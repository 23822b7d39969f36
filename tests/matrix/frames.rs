//! Cells by frames through the loaded program: what leaves it is compared to the byte.

use std::net::SocketAddr;

use lvs_tests::rig::{Fate, Place, Rig, Side, packet::mac_of, router};

use crate::{
    axes::{Cell, Family, Matrix, Method, Proof, Protocol, Situation},
    expected::{self, HEAD, Head, Stage, before_data, error, frame, ip, segment, wrapped},
};

/// Of the links to real servers.
const MTU: usize = 1500;

/// One service with one real server, and a client.
struct Way<'r, 'p> {
    rig: &'r mut Rig<'p>,
    method: Method,
    family: Family,
    protocol: Protocol,
    client: SocketAddr,
    vip: SocketAddr,
    rip: SocketAddr,
}

/// A failed cell's reason.
type Went = Result<(), String>;

/// Goes through all cells.
pub fn prove() -> Matrix {
    let place = Place::enter().expect("a network of its own");
    let mut rig = Rig::new(&place).expect("the program loads");
    let mut matrix = Matrix::default();
    for method in Method::ALL {
        for family in Family::ALL {
            for protocol in Protocol::ALL {
                for situation in Situation::ALL {
                    rig.reset().expect("an empty director");
                    let went = Way::new(&mut rig, (method, family, protocol, situation))
                        .and_then(|mut way| way.prove(situation));
                    matrix.note((method, family, protocol, situation), Proof::Frames, went);
                }
            }
        }
    }
    matrix
}

impl<'r, 'p> Way<'r, 'p> {
    /// Sets the service up and opens a connection.
    fn new(
        rig: &'r mut Rig<'p>,
        (method, family, protocol, situation): Cell,
    ) -> Result<Self, String> {
        let client = family.at("10.0.0.1", "2001:db8:9::1", 5001);
        let vip = family.at("192.168.4.5", "2001:db8:4::5", 80);
        // A CRC over another port wants the length of the datagram, which a first fragment does not tell.
        let keeps_port = (protocol, situation) == (Protocol::Sctp, Situation::Fragments);
        let port = if method == Method::Nat && !keeps_port { 8080 } else { 80 };
        let rip = family.at("192.168.2.11", "fd00:2::11", port);
        let service = format!("{} {vip}", protocol.flag());
        rig.set_mtu(u32::try_from(MTU).expect("an MTU"));
        for line in [
            format!("ipvsadm -A {service} -s rr"),
            format!("ipvsadm -a {service} -r {rip} {}", method.flags()),
        ] {
            rig.must(&line).map_err(|error| format!("{error:#}"))?;
        }
        let mut way = Self { rig, method, family, protocol, client, vip, rip };
        let opening = |to| segment(protocol, Stage::Opening, client, to, b"");
        way.reaches(&opening(vip), &opening(way.inside()))?;
        Ok(way)
    }

    fn prove(&mut self, situation: Situation) -> Went {
        match situation {
            Situation::Small => {
                self.data(100)?;
                self.reply()
            }
            Situation::Full => self.data(self.room()),
            Situation::Over => self.over(),
            Situation::Fragments => self.fragments(),
            Situation::ErrorIn => self.error_in(),
            Situation::ErrorOut => self.error_out(),
        }
    }

    /// Where the real server believes the packet went to.
    fn inside(&self) -> SocketAddr {
        if self.method == Method::Nat { self.rip } else { self.vip }
    }

    /// Bytes of a client's packet that just fit.
    fn room(&self) -> usize {
        MTU - self.method.wrap().map_or(0, |bytes| bytes + self.family.header())
    }

    /// Data of a packet of so many bytes.
    fn filling(&self, bytes: usize) -> Vec<u8> {
        let data = bytes - self.family.header() - before_data(self.protocol);
        (0..data).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
    }

    fn data(&mut self, bytes: usize) -> Went {
        let data = self.filling(bytes);
        let of = |to| segment(self.protocol, Stage::Data, self.client, to, &data);
        let (sent, got) = (of(self.vip), of(self.inside()));
        assert_eq!(sent.len() + self.family.header(), bytes);
        self.reaches(&sent, &got)
    }

    /// The real server gets `got` when the client sends `sent`.
    fn reaches(&mut self, sent: &[u8], got: &[u8]) -> Went {
        let number = self.protocol.number();
        let sent = ip(self.client.ip(), self.vip.ip(), HEAD, number, sent);
        let got = ip(self.client.ip(), self.inside().ip(), HEAD.routed(), number, got);
        self.takes(&sent, &got)
    }

    /// The packet `got` reaches the real server when `sent` comes from the clients' side.
    fn takes(&self, sent: &[u8], got: &[u8]) -> Went {
        let arriving = frame(self.rig.mac(Side::Clients), router(), sent);
        let left = match self.send(Side::Clients, &arriving)? {
            Fate::Sent(left) => left,
            other => return Err(self.why(&format!("{other:02x?}"))),
        };
        let packet = if self.method.wrap().is_none() {
            got.to_vec()
        } else {
            let ends = (self.family.dip(), self.rip.ip());
            wrapped(self.method, self.family, ends, got, self.chosen(&left))
        };
        let ends = (mac_of(self.rip.ip()), self.rig.mac(Side::Servers));
        same(&left, &frame(ends.0, ends.1, &packet))
    }

    /// What the director may choose: the identification of what may be cut, and gue's source port.
    fn chosen(&self, left: &[u8]) -> (u16, u16) {
        let half = |at: usize| left.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        (half(18), half(14 + self.family.header()).clamp(32_768, 60_999))
    }

    fn send(&self, side: Side, bytes: &[u8]) -> Result<Fate, String> {
        self.rig.send_bytes(side, bytes).map_err(|error| format!("{error:#}"))
    }

    /// In NAT an answer comes back from the VIP; in the others it does not come by.
    fn reply(&mut self) -> Went {
        if self.method != Method::Nat {
            return Ok(());
        }
        let data = self.filling(200);
        let of = |from: SocketAddr, head| {
            let body = segment(self.protocol, Stage::Data, from, self.client, &data);
            ip(from.ip(), self.client.ip(), head, self.protocol.number(), &body)
        };
        let (sent, got) = (of(self.rip, HEAD), of(self.vip, HEAD.routed()));
        self.returns(&sent, &got)
    }

    /// The packet `got` reaches the client when `sent` comes from the real server.
    fn returns(&self, sent: &[u8], got: &[u8]) -> Went {
        let arriving = frame(self.rig.mac(Side::Servers), mac_of(self.rip.ip()), sent);
        match self.send(Side::Servers, &arriving)? {
            Fate::Sent(left) => same(&left, &frame(router(), self.rig.mac(Side::Clients), got)),
            other => Err(self.why(&format!("{other:02x?}"))),
        }
    }

    /// One word more than fits: the client hears how much does.
    fn over(&mut self) -> Went {
        let data = self.filling(self.room() + 4);
        let body = segment(self.protocol, Stage::Data, self.client, self.vip, &data);
        let of = |head| ip(self.client.ip(), self.vip.ip(), head, self.protocol.number(), &body);
        let arriving = frame(self.rig.mac(Side::Clients), router(), &of(HEAD));
        let (what, bytes, tos) = match self.family {
            Family::V4 => ((3, 4), 576 - 28, 0xc0),
            Family::V6 => ((2, 0), 1280 - 48, 0),
        };
        let mut quoted = of(HEAD.routed());
        quoted.truncate(bytes);
        let head = Head { ttl: 64, whole: false, id: HEAD.id, tos };
        let room = u32::try_from(self.room()).expect("an MTU");
        let told = error(self.vip.ip(), self.client.ip(), head, what, room, &quoted);
        match self.send(Side::Clients, &arriving)? {
            Fate::Sent(left) => same(&left, &frame(router(), self.rig.mac(Side::Clients), &told)),
            other => Err(self.why(&format!("{other:02x?}"))),
        }
    }

    /// Every piece reaches the real server of the first.
    fn fragments(&mut self) -> Went {
        let data = self.filling(1400);
        let of = |to: SocketAddr, head| {
            let body = segment(self.protocol, Stage::Data, self.client, to, &data);
            ip(self.client.ip(), to.ip(), head, self.protocol.number(), &body)
        };
        let head = Head { whole: false, ..HEAD };
        let sent = expected::pieces(&of(self.vip, head), 800);
        let got = expected::pieces(&of(self.inside(), head.routed()), 800);
        for (sent, got) in sent.iter().zip(&got) {
            self.takes(sent, got)?;
        }
        Ok(())
    }

    /// Somebody on the clients' side has something to say of an answer.
    fn error_in(&mut self) -> Went {
        let from = self.family.at("10.0.0.254", "2001:db8:9::fe", 0).ip();
        let seen = self.quote(self.vip, self.client);
        let meant = self.quote_of(&seen, self.inside(), self.client);
        let sent = error(from, self.vip.ip(), HEAD, self.unreachable(), 0, &seen);
        let got = error(from, self.inside().ip(), HEAD.routed(), self.unreachable(), 0, &meant);
        self.takes(&sent, &got)
    }

    /// The real server has something to say of a request.
    fn error_out(&mut self) -> Went {
        let what = self.unreachable();
        match (self.method, self.method.wrap()) {
            (_, Some(_)) => self.tunnel_refused(what),
            (Method::Nat, None) => {
                let seen = self.quote(self.client, self.rip);
                let meant = self.quote_of(&seen, self.client, self.vip);
                let client = self.client.ip();
                let sent = error(self.rip.ip(), client, HEAD, what, 0, &seen);
                let got = error(self.vip.ip(), client, HEAD.routed(), what, 0, &meant);
                self.returns(&sent, &got)
            }
            // In the VIP's own name, past the director: who is its router lets it by.
            (_, None) => {
                let quoted = self.quote(self.client, self.vip);
                let sent = error(self.vip.ip(), self.client.ip(), HEAD, what, 0, &quoted);
                let arriving = frame(self.rig.mac(Side::Servers), mac_of(self.rip.ip()), &sent);
                match self.send(Side::Servers, &arriving)? {
                    Fate::Passed(left) => same(&left, &arriving),
                    other => Err(self.why(&format!("{other:02x?}"))),
                }
            }
        }
    }

    /// The real server does not take the outer packet: the client hears it of its own.
    fn tunnel_refused(&self, what: (u8, u8)) -> Went {
        let data = self.filling(128);
        let body = segment(self.protocol, Stage::Data, self.client, self.vip, &data);
        let number = self.protocol.number();
        let inner = ip(self.client.ip(), self.vip.ip(), HEAD.routed(), number, &body);
        let ends = (self.family.dip(), self.rip.ip());
        let outer = wrapped(self.method, self.family, ends, &inner, (0, 40_000));
        let complaint = error(self.rip.ip(), self.family.dip(), HEAD, what, 0, &outer);
        let arriving = frame(self.rig.mac(Side::Servers), mac_of(self.rip.ip()), &complaint);
        let left = match self.send(Side::Servers, &arriving)? {
            Fate::Sent(left) => left,
            other => return Err(self.why(&format!("{other:02x?}"))),
        };
        let tos = if self.family == Family::V4 { 0xc0 } else { 0 };
        let head = Head { ttl: 64, whole: false, id: self.chosen(&left).0, tos };
        let told = error(self.vip.ip(), self.client.ip(), head, what, 0, &inner);
        same(&left, &frame(router(), self.rig.mac(Side::Clients), &told))
    }

    /// A packet as an error quotes it, up to the first eight bytes behind its IP header.
    fn quote(&self, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let body = segment(self.protocol, Stage::Data, from, to, b"quoted");
        let head = Head { ttl: 60, ..HEAD };
        let mut packet = ip(from.ip(), to.ip(), head, self.protocol.number(), &body);
        packet.truncate(self.family.header() + 8);
        packet
    }

    /// The same packet between other ends, with the checksum that was seen: nobody adjusts that of a
    /// datagram that is only quoted.
    fn quote_of(&self, seen: &[u8], from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let mut packet = self.quote(from, to);
        if self.protocol == Protocol::Udp {
            let at = self.family.header() + 6;
            packet[at..].copy_from_slice(&seen[at..]);
        }
        packet
    }

    /// Port unreachable.
    fn unreachable(&self) -> (u8, u8) {
        match self.family {
            Family::V4 => (3, 3),
            Family::V6 => (1, 4),
        }
    }

    fn why(&self, fate: &str) -> String {
        let fate: String = fate.chars().take(80).collect();
        format!("{fate}; reasons so far: {:?}", self.rig.reasons())
    }
}

/// Whether the frame that left is the one expected.
fn same(left: &[u8], expected: &[u8]) -> Went {
    if left == expected {
        return Ok(());
    }
    let hex = |frame: &[u8]| {
        let bytes = frame.iter().take(120).map(|byte| format!("{byte:02x}"));
        bytes.collect::<String>()
    };
    let at = left.iter().zip(expected).position(|(a, b)| a != b);
    Err(format!(
        "differ at {at:?} ({} and {} bytes)\n  expected {}\n  got      {}",
        expected.len(),
        left.len(),
        hex(expected),
        hex(left)
    ))
}
