//! The cases of the table, at one number of flows.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
};

use anyhow::{Context as _, Result};
use aya::programs::Xdp;

use crate::{
    director::{DR, DR6, Director, GRE, GUE, IPIP, IPIP6, MARKED, NAT, NAT6, PERSISTENT},
    setting::Setting,
    subject::Subject,
    world::World,
    yardstick::Yardstick,
};

/// The case that others are compared to.
pub const YARDSTICK: &str = "yardstick: a minimal DR";

/// Neither a virtual service nor a real server.
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)), 80);
const STRANGER6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x77)), 80);
/// Cases that share a director.
const GROUPS: [(&[&str], Make); 16] = [
    (&[DR_ESTABLISHED, NOT_OURS], |bench| bench.dr([DR_ESTABLISHED, NOT_OURS], &DR, STRANGER)),
    (&[PERSISTENT_ESTABLISHED], |bench| bench.beside(PERSISTENT_ESTABLISHED, &PERSISTENT)),
    (&[MARKED_ESTABLISHED], |bench| bench.beside(MARKED_ESTABLISHED, &MARKED)),
    (&[NAT_REQUEST, NAT_REPLY], |bench| bench.nat([NAT_REQUEST, NAT_REPLY], &NAT)),
    (&[IPIP_ESTABLISHED], |bench| bench.tun(IPIP_ESTABLISHED, &IPIP, IPV4)),
    (&[GUE_ESTABLISHED], |bench| bench.tun(GUE_ESTABLISHED, &GUE, IPV4 + UDP + GUE_HEADER)),
    (&[GRE_ESTABLISHED], |bench| bench.tun(GRE_ESTABLISHED, &GRE, IPV4 + GRE_HEADER)),
    (&[DR6_ESTABLISHED, NOT_OURS6], |bench| {
        bench.dr([DR6_ESTABLISHED, NOT_OURS6], &DR6, STRANGER6)
    }),
    (&[NAT6_REQUEST, NAT6_REPLY], |bench| bench.nat([NAT6_REQUEST, NAT6_REPLY], &NAT6)),
    (&[IPIP6_ESTABLISHED], |bench| bench.tun(IPIP6_ESTABLISHED, &IPIP6, IPV6)),
    (&[NEW], |bench| bench.opening(NEW, &DR)),
    (&[NEW_NAT], |bench| bench.opening(NEW_NAT, &NAT)),
    (&[NEW_PERSISTENT], |bench| bench.opening(NEW_PERSISTENT, &PERSISTENT)),
    (&[NEW_MARKED], |bench| bench.opening(NEW_MARKED, &MARKED)),
    (&[NEW6], |bench| bench.opening(NEW6, &DR6)),
    (&[FLOOD], |bench| bench.flood(FLOOD)),
];
const DR_ESTABLISHED: &str = "DR, established";
const NOT_OURS: &str = "not ours";
const PERSISTENT_ESTABLISHED: &str = "DR, persistent";
const MARKED_ESTABLISHED: &str = "DR, by mark";
const NAT_REQUEST: &str = "NAT, request";
const NAT_REPLY: &str = "NAT, reply";
const IPIP_ESTABLISHED: &str = "TUN, ipip";
const GUE_ESTABLISHED: &str = "TUN, gue";
const GRE_ESTABLISHED: &str = "TUN, gre";
const DR6_ESTABLISHED: &str = "IPv6: DR, established";
const NOT_OURS6: &str = "IPv6: not ours";
const NAT6_REQUEST: &str = "IPv6: NAT, request";
const NAT6_REPLY: &str = "IPv6: NAT, reply";
const IPIP6_ESTABLISHED: &str = "IPv6: TUN, ipip";
const NEW: &str = "new, DR";
const NEW_NAT: &str = "new, NAT";
const NEW_PERSISTENT: &str = "new, persistent";
const NEW_MARKED: &str = "new, by mark";
const NEW6: &str = "new, IPv6 DR";
const FLOOD: &str = "new, full of half-open";

/// Bytes of outer headers.
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;
const GUE_HEADER: usize = 4;
const GRE_HEADER: usize = 4;

/// The cases, and what they work on.
pub struct Cases {
    /// The lines of the table.
    pub subjects: Vec<Subject>,
    /// Those that must have counted every packet.
    pub directors: Vec<Rc<RefCell<Director>>>,
    /// The minimal program.
    pub yardstick: Yardstick,
}

/// Makes those with `only` in their name, with `packets` a round.
pub fn all(world: &World, object: &[u8], flows: u32, packets: u32, only: &str) -> Result<Cases> {
    let bench = Setting { world, object, flows, packets };
    let (minimal, yardstick) = bench.yardstick()?;
    let mut cases = Cases { subjects: vec![minimal], directors: Vec::new(), yardstick };
    for (names, make) in GROUPS {
        if names.iter().any(|name| name.contains(only)) {
            let (director, mut subjects) = make(&bench)?;
            subjects.retain(|subject| subject.name.contains(only));
            cases.directors.push(director);
            cases.subjects.extend(subjects);
        }
    }
    Ok(cases)
}

impl Cases {
    /// Fails unless every packet went where it should.
    pub fn check(&self) -> Result<()> {
        self.directors.iter().try_for_each(|director| director.borrow().check())
    }

    /// Shows the director's program and the yardstick.
    pub fn programs<R>(&self, see: impl FnOnce(&Xdp, &Xdp) -> Result<R>) -> Result<R> {
        let director = self.directors.first().context("there is a director")?.borrow();
        see(director.program()?, self.yardstick.program()?)
    }
}

type Make = fn(&Setting<'_>) -> Result<Made>;
/// A director, and the cases that share it.
pub type Made = (Rc<RefCell<Director>>, Vec<Subject>);
