//! What threads send with, and what must hold when they are done.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use aya::programs::Xdp;
use lvs_ctl::model::Load;
use lvs_tests::rig::{
    Fate, Rig, Side,
    packet::{ACK, Packet, SYN, Seen, What},
    run,
};

/// The virtual address.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 5);

/// What a thread sends with.
pub(crate) struct Sender {
    program: Xdp,
    clients: u32,
    servers: u32,
    arriving: [[u8; 6]; 2],
}

impl Sender {
    pub(crate) fn new(rig: &Rig<'_>) -> Self {
        let mac = |side, from: &str, to: &str| {
            let packet = Packet::udp(from.parse().unwrap(), to.parse().unwrap(), b"");
            *rig.arriving(side, &packet).first_chunk().unwrap()
        };
        Self {
            program: rig.program().unwrap(),
            clients: rig.index(Side::Clients),
            servers: rig.index(Side::Servers),
            arriving: [
                mac(Side::Clients, "10.0.0.1:1", "192.168.4.5:80"),
                mac(Side::Servers, "192.168.2.11:8080", "10.0.0.1:1"),
            ],
        }
    }

    /// Connects; a SYN that is dropped is sent again.
    pub(crate) fn open(&self, client: SocketAddr) -> Option<SocketAddr> {
        let server = (0..3).find_map(|_| self.request(client, SYN))?;
        assert!(self.reply(server, client, SYN | ACK), "{server}'s welcome to {client} got lost");
        Some(server)
    }

    /// The real server that a client's segment reached.
    pub(crate) fn request(&self, client: SocketAddr, flags: u8) -> Option<SocketAddr> {
        let packet = Packet::tcp(client, SocketAddr::new(VIP.into(), 80), flags, b"");
        let frame = packet.frame(self.arriving[0], [2; 6]);
        let Fate::Sent(frame) = run(&self.program, self.clients, &frame).unwrap() else {
            return None;
        };
        let seen = Seen::read(&frame).expect("a frame");
        let What::Tcp(from, to, seen_flags) = seen.what else { panic!("{seen}") };
        assert_eq!((SocketAddr::new(seen.from, from), seen_flags), (client, flags), "torn: {seen}");
        Some(SocketAddr::new(seen.to, to))
    }

    /// Whether a real server's segment reached the client, as the VIP's.
    pub(crate) fn reply(&self, server: SocketAddr, client: SocketAddr, flags: u8) -> bool {
        let packet = Packet::tcp(server, client, flags, b"");
        let frame = packet.frame(self.arriving[1], [2; 6]);
        let Fate::Sent(frame) = run(&self.program, self.servers, &frame).unwrap() else {
            return false;
        };
        let seen = Seen::read(&frame).expect("a frame").to_string();
        let translated = Packet { from: SocketAddr::new(VIP.into(), 80), ..packet };
        assert_eq!(seen, translated.to_string(), "torn");
        true
    }
}

/// A client for each number and port.
pub(crate) fn client(number: u16, port: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(10, 0, high, low + 1).into(), port)
}

/// The counts of each real server are those of its lines in the listing, each connection and template stands there
/// once, and every line is of a real server.
pub(crate) fn assert_counts_are_the_tables(rig: &Rig<'_>) {
    rig.sweep();
    let mut counts = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for connection in rig.connections() {
        let (client, dest) = (connection.client, connection.dest);
        assert_eq!((connection.vip.address, connection.vip.port), (VIP.into(), 80));
        assert!(seen.insert((client.address, client.port)), "{client:?} stands twice");
        let count: &mut Load = counts.entry((dest.address, dest.port)).or_default();
        match &*connection.state {
            "SYN_RECV" | "ESTABLISHED" => count.active += 1,
            "NONE" | "ASSURED" => count.persistent += 1,
            _ => count.inactive += 1,
        }
    }
    for entry in &rig.listing().services[0].dests {
        let addr = entry.dest.addr;
        let counted = counts.remove(&(addr.address, addr.port)).unwrap_or_default();
        assert_eq!(entry.load, counted, "{addr}");
    }
    assert!(counts.is_empty(), "connections of nobody: {counts:?}");
}

/// Everything ends, and every count is zero then.
pub(crate) fn assert_ends_empty(rig: &Rig<'_>) {
    rig.time().advance(Duration::from_secs(1000));
    rig.sweep();
    assert_eq!(rig.connections().len(), 0);
    for entry in &rig.listing().services[0].dests {
        assert_eq!(entry.load, Load::default(), "{}", entry.dest.addr);
    }
}
