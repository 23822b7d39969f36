//! Cells by traffic of real sockets through a lab.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lvs_tests::{assert::eventually, prelude::*};
use socket2::{Domain, Protocol as SocketProtocol, Socket, Type};

use crate::{
    axes::{Family, Matrix, Method, Proof, Protocol, Situation},
    expected::{HEAD, Stage, ip, segment},
    lab::{CLOSED, ECHO, HTTP, Lab, SERVERS, UDP},
};

/// What goes through a tunnel over links of 1 500 bytes.
const MUCH: u64 = 100_000_000;
/// What goes elsewhere.
const SOME: u64 = 300_000;

/// How long a datagram's answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Goes through the cells of one method and family.
pub fn prove(method: Method, family: Family) -> Matrix {
    let mut matrix = Matrix::default();
    if let Err(error) = through(method, family, &mut matrix) {
        matrix.fail(format!("the lab of {method:?} {family:?}: {error:#}"));
    }
    matrix
}

fn through(method: Method, family: Family, matrix: &mut Matrix) -> Result<()> {
    let lab = Lab::new(method, family)?;
    let captures = lab.capture()?;
    let mut note = |protocol, situation, went: Result<()>| {
        let went = went.map_err(|error| format!("{error:#}"));
        matrix.note((method, family, protocol, situation), Proof::Traffic, went);
    };
    note(Protocol::Tcp, Situation::Small, small_tcp(&lab));
    note(Protocol::Udp, Situation::Small, datagrams(&lab, 32));
    // Answers carry a name and a line feed more.
    note(Protocol::Udp, Situation::Full, datagrams(&lab, lab.room() - family.header() - 8 - 2));
    note(Protocol::Tcp, Situation::ErrorIn, error_in(&lab, Protocol::Tcp));
    note(Protocol::Udp, Situation::ErrorIn, error_in(&lab, Protocol::Udp));
    note(Protocol::Tcp, Situation::ErrorOut, error_out(&lab));
    note(Protocol::Udp, Situation::ErrorOut, refused(&lab));
    note(Protocol::Tcp, Situation::Over, over_tcp(&lab, SOME));
    note(Protocol::Tcp, Situation::Full, full_tcp(&lab));
    forget(&lab)?;
    note(Protocol::Udp, Situation::Over, over_udp(&lab));
    note(Protocol::Udp, Situation::Fragments, datagrams(&lab, 4000));
    let (faults, seen) = lab.judge(captures)?;
    ensure!(seen > 1000, "only {seen} frames were captured");
    ensure!(faults.is_empty(), "tshark finds fault with it:\n{}", faults.join("\n"));
    if method.wrap().is_some() {
        forget(&lab)?;
        let sent = lab.client().upload(lab.to(HTTP), MUCH)?;
        ensure!(sent.status() == 200, "{MUCH} bytes: {sent:?}");
    }
    Ok(())
}

fn small_tcp(lab: &Lab) -> Result<()> {
    for _ in 0..4 {
        lab.client().tcp_echo(lab.to(ECHO), b"hello")?;
    }
    split(&lab.client().sequential(lab.to(HTTP), 10), 5)
}

fn datagrams(lab: &Lab, bytes: usize) -> Result<()> {
    let payload: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect();
    split(&lab.client().timeout(PATIENCE).datagrams(lab.to(UDP), 10, &payload), 5)
}

/// Each real server answered so often.
fn split(split: &Split, each: usize) -> Result<()> {
    let even = SERVERS.iter().all(|name| split.of(name) == each);
    ensure!(split.failures().is_empty() && even, "{split}");
    Ok(())
}

/// Segments as long as the way takes, in both directions.
fn full_tcp(lab: &Lab) -> Result<()> {
    for _ in SERVERS {
        lab.client().download(lab.to(HTTP), SOME)?;
        let sent = lab.client().upload(lab.to(HTTP), SOME)?;
        ensure!(sent.status() == 200, "{sent:?}");
    }
    Ok(())
}

/// Segments that are too long at first: the client is told.
fn over_tcp(lab: &Lab, bytes: u64) -> Result<()> {
    forget(lab)?;
    let before = told(lab)?;
    let sent = lab.client().upload(lab.to(HTTP), bytes)?;
    ensure!(sent.status() == 200, "{sent:?}");
    ensure!(told(lab)? > before, "nobody was told of the narrow way");
    knows_room(lab)
}

/// A datagram that is too long: the client is told, and sends it in pieces then.
fn over_udp(lab: &Lab) -> Result<()> {
    let payload = vec![b'x'; lab.room() - lab.family.header() - 8 + 1];
    let client = lab.client().timeout(PATIENCE);
    let error = format!("{:#}", client.udp(lab.to(UDP), &payload).err().context("it fits")?);
    ensure!(error.contains("Message too long"), "{error}");
    knows_room(lab)?;
    for _ in SERVERS {
        client.udp(lab.to(UDP), &payload)?;
    }
    Ok(())
}

/// The client believes of the way to the VIP what is true.
fn knows_room(lab: &Lab) -> Result<()> {
    let vip = lab.to(0).ip().to_string();
    let route = lab.topology.host("client").netns().exec(&["ip", "route", "get", &vip])?;
    ensure!(route.contains(&format!(" mtu {} ", lab.room())), "{route}");
    Ok(())
}

/// Has the client forget what it has learnt.
fn forget(lab: &Lab) -> Result<()> {
    let flag = if lab.family == Family::V4 { "-4" } else { "-6" };
    let client = lab.topology.host("client").netns();
    client.exec(&["ip", flag, "route", "flush", "cache"]).map(drop)
}

/// Packets so far that were too long.
fn told(lab: &Lab) -> Result<u64> {
    Ok(lab.director.status()?.reason("over_mtu").unwrap_or(0))
}

/// Nobody listens at the real servers' port: the client hears it.
fn refused(lab: &Lab) -> Result<()> {
    for _ in SERVERS {
        let client = lab.client().timeout(PATIENCE);
        let error = client.udp(lab.to(CLOSED), b"anybody?").err().context("somebody is there")?;
        let error = format!("{error:#}");
        ensure!(error.contains("Connection refused"), "{error}");
    }
    Ok(())
}

/// The client's host has something to say of an answer: one real server hears it.
fn error_in(lab: &Lab, protocol: Protocol) -> Result<()> {
    let port = if protocol == Protocol::Tcp { 9001 } else { 9002 };
    let client = lab.client().from_port(port);
    let to = if protocol == Protocol::Tcp {
        client.tcp_echo(lab.to(ECHO), b"first")?;
        lab.to(ECHO)
    } else {
        client.udp(lab.to(UDP), b"first")?;
        lab.to(UDP)
    };
    let from = SocketAddr::new(lab.family.at("192.168.4.10", "fd00:4::10", 0).ip(), port);
    let before = heard(lab, &SERVERS)?;
    complain(lab, "client", protocol, (to, from), to.ip())?;
    eventually("a real server hears the error", PATIENCE, || {
        heard(lab, &SERVERS).ok().filter(|heard| *heard == before + 1)
    })
    .map(drop)
}

/// A real server has something to say of a segment: the client hears it.
fn error_out(lab: &Lab) -> Result<()> {
    let client = lab.client().from_port(9003);
    let name = client.tcp_echo(lab.to(ECHO), b"first")?;
    let from = SocketAddr::new(lab.family.at("192.168.4.10", "fd00:4::10", 0).ip(), 9003);
    let reached = if lab.method == Method::Nat {
        let rips = [("192.168.2.100", "fd00:2::100"), ("192.168.2.200", "fd00:2::200")];
        let (v4, v6) = rips[usize::from(name != SERVERS[0])];
        lab.family.at(v4, v6, ECHO)
    } else {
        lab.to(ECHO)
    };
    let before = heard(lab, &["client"])?;
    complain(lab, &name, Protocol::Tcp, (from, reached), from.ip())?;
    eventually("the client hears the error", PATIENCE, || {
        heard(lab, &["client"]).ok().filter(|heard| *heard == before + 1)
    })
    .map(drop)
}

/// Sends "host unreachable", from the end that a packet has reached, to `to`.
fn complain(
    lab: &Lab,
    host: &str,
    protocol: Protocol,
    (from, reached): (SocketAddr, SocketAddr),
    to: IpAddr,
) -> Result<()> {
    let body = segment(protocol, Stage::Data, from, reached, b"quoted");
    let quoted = ip(from.ip(), reached.ip(), HEAD, protocol.number(), &body);
    let (domain, kind, what) = match lab.family {
        Family::V4 => (Domain::IPV4, SocketProtocol::ICMPV4, [3, 1]),
        Family::V6 => (Domain::IPV6, SocketProtocol::ICMPV6, [1, 3]),
    };
    let mut message = [&what[..], &[0; 6], &quoted].concat();
    if lab.family == Family::V4 {
        let icmp = etherparse::Icmpv4Type::Unknown {
            type_u8: what[0],
            code_u8: what[1],
            bytes5to8: [0; 4],
        };
        let sum = icmp.calc_checksum(&quoted);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    // In IPv6 the kernel fills the checksum in (RFC 3542 §3.1).
    lab.topology.host(host).netns().run(|| {
        let socket = Socket::new(domain, Type::RAW, Some(kind))?;
        socket.bind(&SocketAddr::new(reached.ip(), 0).into())?;
        socket.send_to(&message, &SocketAddr::new(to, 0).into())?;
        Ok(())
    })
}

/// Errors of unreachable destinations that these hosts have heard so far.
fn heard(lab: &Lab, hosts: &[&str]) -> Result<u64> {
    let mut sum = 0;
    for name in hosts {
        let netns = lab.topology.host(name).netns();
        sum += match lab.family {
            Family::V4 => {
                let text = netns.exec(&["cat", "/proc/net/snmp"])?;
                let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
                let names = lines.next().context("no names of counters")?.split_whitespace();
                let values = lines.next().context("no counters")?.split_whitespace();
                let mut pairs = names.zip(values);
                let found = pairs.find(|(name, _)| *name == "InDestUnreachs");
                found.context("no such counter")?.1.parse::<u64>()?
            }
            Family::V6 => {
                let text = netns.exec(&["cat", "/proc/net/snmp6"])?;
                let mut lines =
                    text.lines().filter_map(|line| line.split_once(char::is_whitespace));
                let found = lines.find(|(name, _)| *name == "Icmp6InDestUnreachs");
                found.context("no such counter")?.1.trim().parse::<u64>()?
            }
        };
    }
    Ok(sum)
}
