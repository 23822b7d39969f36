//! Fragments out of order: those that come before the first one of their datagram wait for it at the director.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
};

use lvs_tests::{
    pieces::{Outlet, cut},
    prelude::*,
    rig::packet::{Mac, Packet},
};

use crate::{
    cluster::{Cluster, DR, NAT, SOON, Way},
    v6,
};

/// Bytes of datagrams' data.
const SIZES: [usize; 2] = [8_000, 60_000];
/// Of a fragment's, in both families and any method through links of 1500 bytes.
const PIECE: usize = 1400;

/// In which order fragments are sent.
type Order = fn(&mut Vec<Vec<u8>>);

const ORDERS: [Order; 3] = [
    |fragments| fragments.reverse(),
    // All but the first, then the first.
    |fragments| fragments.rotate_left(1),
    // 0, 17, 34, … of the number: as a prime step mixes them, the first in the middle.
    |fragments| {
        let count = fragments.len();
        let step = if count % 17 == 0 { 13 } else { 17 };
        let mixed = (0..count).map(|at| fragments[(at + count / 2) * step % count].clone());
        *fragments = mixed.collect();
    },
];

/// A client's socket, and frames beside it.
struct Sender {
    socket: UdpSocket,
    outlet: Outlet,
    from: SocketAddr,
    macs: [Mac; 2],
    id: u16,
}

impl Sender {
    fn new(topology: &Topology, from: SocketAddr) -> Self {
        let client = topology.host("client");
        let socket = client.netns().run(|| UdpSocket::bind(from)).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let outlet = Outlet::new(client.netns(), "eth0").unwrap();
        let macs = [mac(topology.host("director"), "eth0"), mac(client, "eth0")];
        Self { socket, outlet, from, macs, id: 1 }
    }

    /// Sends a datagram in fragments; the real server's name, when it was echoed.
    fn echo(&mut self, to: SocketAddr, bytes: usize, order: Order) -> String {
        self.id += 1;
        let data = data(bytes, self.id);
        let [director, own] = self.macs;
        let whole = Packet::udp(self.from, to, &data).frame(director, own);
        let mut fragments = cut(&whole, PIECE, self.id);
        order(&mut fragments);
        for fragment in &fragments {
            self.outlet.send(fragment).unwrap();
        }
        let answer = self.hears(to);
        let end = answer.iter().position(|byte| *byte == b'\n').unwrap();
        assert!(answer[end + 1..] == data, "{bytes} bytes to {to} came back as others");
        String::from_utf8(answer[..end].to_vec()).unwrap()
    }

    /// The next datagram, which comes from there.
    fn hears(&self, from: SocketAddr) -> Vec<u8> {
        let mut answer = vec![0; 1 << 16];
        let (bytes, source) = self.socket.recv_from(&mut answer).unwrap();
        assert_eq!(source, from);
        answer.truncate(bytes);
        answer
    }
}

fn mac(host: &Host, interface: &str) -> Mac {
    let text = host.mac(interface).unwrap();
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap());
    bytes.collect::<Vec<_>>().try_into().unwrap()
}

fn data(bytes: usize, seed: u16) -> Vec<u8> {
    let at = |at: usize| u8::try_from((at + usize::from(seed)) % 251).unwrap();
    (0..bytes).map(at).collect()
}

/// A reply of a real server, in fragments that come in the wrong order.
fn replies(topology: &Topology, sender: &Sender, rip: SocketAddr, name: &str, vip: SocketAddr) {
    let server = topology.host(name);
    let outlet = Outlet::new(server.netns(), "eth0").unwrap();
    let [to, from] = [mac(topology.host("director"), "eth1"), mac(server, "eth0")];
    for (id, order) in (7000..).zip(ORDERS) {
        let data = data(20_000, id);
        let whole = Packet::udp(rip, sender.from, &data).frame(to, from);
        let mut fragments = cut(&whole, PIECE, id);
        order(&mut fragments);
        for fragment in &fragments {
            outlet.send(fragment).unwrap();
        }
        assert!(sender.hears(vip) == data, "the reply came as another");
    }
}

/// Fragments so far that came too early, in vain.
fn early(director: &Director) -> u64 {
    director.status().unwrap().reason("fragment_early").unwrap()
}

#[test]
fn fragments_out_of_order_add_up_in_native_mode() {
    adds_up(Mode::Native);
}

#[test]
fn fragments_out_of_order_add_up_in_generic_mode() {
    adds_up(Mode::Generic);
}

fn adds_up(mode: Mode) {
    let cluster = Cluster::manual(mode);
    let mut sender = Sender::new(&cluster.topology, (layout::CLIENT, 4000).into());
    for way in [DR, NAT] {
        cluster.serve(way, "-u", 53, "-s rr");
        let mut name = String::new();
        for order in ORDERS {
            for bytes in SIZES {
                name = sender.echo(way.to(53), bytes, order);
            }
        }
        if way.flag == "-m" {
            let (name, rip) = way.servers.into_iter().find(|(it, _)| *it == name).unwrap();
            replies(&cluster.topology, &sender, (rip, 53).into(), name, way.to(53));
        }
    }
    assert_eq!(early(&cluster.director), 0);
}

#[test]
fn fragments_of_ipv6_out_of_order_add_up_in_native_mode() {
    adds_up6(Mode::Native);
}

#[test]
fn fragments_of_ipv6_out_of_order_add_up_in_generic_mode() {
    adds_up6(Mode::Generic);
}

fn adds_up6(mode: Mode) {
    let cluster = v6::Cluster::new(mode);
    let mut sender = Sender::new(&cluster.topology, (v6::CLIENT, 4000).into());
    for way in [v6::DR, v6::NAT] {
        cluster.serve(way, "-u", 53);
        let to = SocketAddr::from((way.vip, 53));
        let mut name = String::new();
        for order in ORDERS {
            for bytes in SIZES {
                name = sender.echo(to, bytes, order);
            }
        }
        if way.flag == "-m" {
            let (name, rip) = way.servers.into_iter().find(|(it, _)| *it == name).unwrap();
            replies(&cluster.topology, &sender, (rip, 53).into(), name, to);
        }
    }
    assert_eq!(early(&cluster.director), 0);
}

#[test]
fn fragments_out_of_order_go_through_tunnels() {
    let topology = Topology::dr(Offload::Prepared).unwrap();
    topology.switch("lan4").ip(&["link set director.eth0 gro_max_size 1500"]).unwrap();
    let servers = DR.servers.iter();
    let ends: Vec<_> =
        servers.map(|(name, _)| TunnelEnd::start(topology.host(name)).unwrap()).collect();
    let cluster = Cluster::on(topology, Mode::Native);
    let mut sender = Sender::new(&cluster.topology, (layout::CLIENT, 4000).into());
    for flag in ["-i", "-i --tun-type gue --tun-port 5555", "-i --tun-type gre"] {
        let way = Way { flag, ..DR };
        cluster.serve(way, "-u", 53, "-s rr");
        for order in ORDERS {
            for bytes in SIZES {
                sender.echo(way.to(53), bytes, order);
            }
        }
        cluster.director.ipvsadm(&format!("-D {}", way.service("-u", 53))).unwrap();
    }
    for end in ends {
        assert_eq!(end.complaints(), "");
    }
    assert_eq!(early(&cluster.director), 0);
}

#[test]
fn a_flood_of_fragments_without_a_first_is_bounded_and_counted() {
    const FLOOD: u16 = 8_000;
    let cluster = Cluster::on(Topology::dr(Offload::Prepared).unwrap(), Mode::Native);
    cluster.serve(DR, "-u", 53, "-s rr");
    let mut sender = Sender::new(&cluster.topology, (layout::CLIENT, 4000).into());
    sender.echo(DR.to(53), 8000, |_| {});
    let memory = || {
        let pid = cluster.director.pid().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    let before = memory();
    let [director, own] = sender.macs;
    // Another source: fragments of one are told apart by their number only.
    let elsewhere = SocketAddr::from(([192, 168, 4, 77], 4001));
    let whole = Packet::udp(elsewhere, DR.to(53), &[7; 2 * PIECE]).frame(director, own);
    for id in 0..FLOOD {
        sender.outlet.send(&cut(&whole, PIECE, id)[1]).unwrap();
        if id % 2000 == 0 {
            sender.echo(DR.to(53), 8000, |_| {});
        }
    }
    sender.echo(DR.to(53), 60_000, |_| {});
    // kB
    assert!(memory() < before + 16_000, "{before} kB became {}", memory());
    eventually("all of them are counted", SOON, || {
        (early(&cluster.director) == u64::from(FLOOD)).then_some(())
    })
    .unwrap();
    sender.echo(DR.to(53), 60_000, ORDERS[0]);
}
