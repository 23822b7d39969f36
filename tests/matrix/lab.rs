//! A lab for one method and family.
//!
//! ```text
//!   client ── lan4 ── director ── lan2 ── a, b      NAT: answers go back through the director
//!                └─────────────────────── a, b      DR, TUN: answers go straight
//! ```
//!
//! In DR and NAT the way from the director to the real servers takes 1 400 bytes, all others 1 500: in TUN it is the
//! outer headers that make packets too long.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use lvs_tests::{
    capture::{Capture, Frames, faults},
    prelude::*,
};

use crate::axes::{Family, Method};

/// The real servers' names.
pub const SERVERS: [&str; 2] = ["a", "b"];
/// Where gue comes to.
pub const GUE_PORT: u16 = 5555;
/// Of HTTP, of the TCP echo, of the UDP echo, and of nothing.
pub const HTTP: u16 = 80;
/// See [`HTTP`].
pub const ECHO: u16 = 3306;
/// See [`HTTP`].
pub const UDP: u16 = 53;
/// See [`HTTP`].
pub const CLOSED: u16 = 5353;

/// Of the way to the real servers in DR and NAT.
const NARROW: usize = 1400;

/// A running lab. Dropped in this order.
pub struct Lab {
    _web: Vec<Web>,
    /// The director.
    pub director: Director,
    /// The hosts.
    pub topology: Topology,
    /// The method.
    pub method: Method,
    /// The family.
    pub family: Family,
}

impl Lab {
    /// Builds it, with services and real servers.
    pub fn new(method: Method, family: Family) -> Result<Self> {
        let topology = topology(method, family)?;
        let director = topology.host("director");
        if method.wrap().is_none() {
            director.netns().ip(&[format!("link set eth1 mtu {NARROW}")])?;
        }
        for name in SERVERS {
            prepare(&topology, name, method, family)?;
        }
        let services =
            Services { http: vec![HTTP], echo: vec![ECHO], udp: vec![UDP], sctp: vec![] };
        let web = SERVERS.map(|name| Web::start(topology.host(name), &services));
        let web = web.into_iter().collect::<Result<_>>()?;
        let director = Director::start(director, Mode::Native)?;
        let lab = Self { _web: web, director, topology, method, family };
        for (flag, port) in [("-t", HTTP), ("-t", ECHO), ("-u", UDP), ("-u", CLOSED)] {
            let service = format!("{flag} {}", lab.to(port));
            lab.director.ipvsadm(&format!("-A {service} -s rr"))?;
            for name in SERVERS {
                let rip = SocketAddr::new(rip(family, name), port);
                lab.director.ipvsadm(&format!("-a {service} -r {rip} {}", method.flags()))?;
            }
        }
        lab.director.wait_until_resolved()?;
        Ok(lab)
    }

    /// The virtual service of a port.
    pub fn to(&self, port: u16) -> SocketAddr {
        SocketAddr::new(vip(self.family), port)
    }

    /// A client on the client's host.
    pub fn client(&self) -> Client<'_> {
        self.topology.host("client").client()
    }

    /// Bytes of a client's packet that just fit.
    pub fn room(&self) -> usize {
        self.method.wrap().map_or(NARROW, |bytes| 1500 - bytes - self.family.header())
    }

    /// Captures what the director sends: at the client, and at the real servers' interfaces toward it.
    pub fn capture(&self) -> Result<Vec<(String, Capture)>> {
        let hosts = ["client"].into_iter().chain(SERVERS);
        hosts
            .map(|name| {
                let capture = Capture::start(self.topology.host(name).netns(), "eth0")?;
                Ok((name.to_owned(), capture))
            })
            .collect()
    }

    /// What somebody else finds wrong with the frames captured, and how many those were.
    pub fn judge(&self, captures: Vec<(String, Capture)>) -> Result<(Vec<String>, usize)> {
        let (mut all, mut seen) = (Vec::new(), 0);
        for (name, capture) in captures {
            let frames = capture.stop()?;
            seen += frames.len();
            let file = self.topology.lab().directory().join(format!("{name}.pcap"));
            unwrapped(&frames).save(&file)?;
            all.extend(faults(&file)?.into_iter().map(|fault| format!("{name}: {fault}")));
        }
        Ok((all, seen))
    }
}

/// The virtual address.
fn vip(family: Family) -> IpAddr {
    family.at("192.168.4.15", "fd00:4::15", 0).ip()
}

/// A real server's address toward the director.
fn rip(family: Family, name: &str) -> IpAddr {
    match name {
        "a" => family.at("192.168.2.100", "fd00:2::100", 0).ip(),
        _ => family.at("192.168.2.200", "fd00:2::200", 0).ip(),
    }
}

fn bits(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}

fn topology(method: Method, family: Family) -> Result<Topology> {
    let (bits, host_bits) = (bits(family), if family == Family::V4 { 32 } else { 128 });
    let on = |interface, switch, address: IpAddr| {
        let link = LinkPlan::new(interface, switch).offload(Offload::Prepared);
        link.address(&format!("{address}/{bits}"))
    };
    let at = |v4, v6| family.at(v4, v6, 0).ip();
    let gateway = at("192.168.2.1", "fd00:2::1");
    let front = on("eth0", "lan4", at("192.168.4.5", "fd00:4::5"));
    let director = HostPlan::new("director")
        .link(front.address(&format!("{}/{host_bits}", vip(family))))
        .link(on("eth1", "lan2", gateway))
        .sysctl("net.ipv4.ip_forward", "1")
        .sysctl("net.ipv6.conf.all.forwarding", "1");
    let client = on("eth0", "lan4", at("192.168.4.10", "fd00:4::10"));
    let mut plan = Plan::new()
        .switch("lan4")
        .switch("lan2")
        .host(HostPlan::new("client").link(client))
        .host(director);
    for (name, outside) in SERVERS
        .into_iter()
        .zip([at("192.168.4.100", "fd00:4::100"), at("192.168.4.200", "fd00:4::200")])
    {
        let host = HostPlan::new(name).link(on("eth0", "lan2", rip(family, name)));
        plan = plan.host(if method == Method::Nat {
            host
        } else {
            host.link(on("eth1", "lan4", outside))
        });
    }
    plan.build()
}

/// Makes the host a real server.
fn prepare(topology: &Topology, name: &str, method: Method, family: Family) -> Result<()> {
    let host = topology.host(name);
    let (vip, server) = (vip(family).to_string(), RealServer::on(host)?);
    if method.wrap().is_none() {
        host.netns().ip(&[format!("link set eth0 mtu {NARROW}")])?;
    }
    let gateway = family.at("192.168.2.1", "fd00:2::1", 0).ip();
    match method {
        Method::Nat => {
            server.must(&format!(
                "setup --method nat --vip {vip} --interface eth0 --gateway {gateway}"
            ))?;
            // As if nobody had told it of the narrow link: clients fill theirs.
            let (flag, mss) = match family {
                Family::V4 => ("-4", "1460"),
                Family::V6 => ("-6", "1440"),
            };
            let gateway = gateway.to_string();
            let change = ["ip", flag, "route", "change", "default", "via", &gateway, "dev", "eth0"];
            host.netns().exec(&[&change[..], &["advmss", mss]].concat())?;
        }
        Method::Dr => {
            server.must(&format!("setup --method dr --vip {vip} --interface eth1"))?;
        }
        Method::Ipip => server.end_tunnels("ipip", &vip, "eth0", GUE_PORT)?,
        Method::Gue => server.end_tunnels("gue", &vip, "eth0", GUE_PORT)?,
        Method::Gre => server.end_tunnels("gre", &vip, "eth0", GUE_PORT)?,
    }
    // The host takes it along.
    std::mem::forget(server);
    Ok(())
}

/// The frames, and behind each that carries gue, which few dissect, what is in it.
fn unwrapped(frames: &Frames) -> Frames {
    frames.iter().flat_map(|frame| [Some(frame.clone()), inside(frame)]).flatten().collect()
}

fn inside(frame: &Frame) -> Option<Frame> {
    let bytes = frame.completed();
    let (udp, is_udp) = match bytes.get(12..14)? {
        [8, 0] => (34, bytes.get(23) == Some(&17)),
        [0x86, 0xdd] => (54, bytes.get(20) == Some(&17)),
        _ => return None,
    };
    let is_gue = is_udp && bytes.get(udp + 2..udp + 4)? == GUE_PORT.to_be_bytes();
    let inner = bytes.get(udp + 12..)?;
    let ethertype = if inner.first()? >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    is_gue.then(|| frame.with_bytes([&bytes[..12], &ethertype, inner].concat()))
}
