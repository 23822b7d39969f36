//! What the choice of a real server costs: new connections under every scheduler.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
};

use anyhow::Result;
use lvs_ctl::model::Method;

use crate::{
    cases::Cases,
    director::{Director, Rules},
    setting::Setting,
    world::World,
};

/// Those that are measured: all there are.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];

/// Flows that the connection table has room for; half of it is full.
const FLOWS: u32 = 100_000;

/// One service for each scheduler with `only` in its name, over the same real servers, a power of two.
pub fn all(
    world: &World,
    object: &[u8],
    real_servers: u32,
    packets: u32,
    only: &str,
) -> Result<Cases> {
    let real_servers = u16::try_from(real_servers)?;
    let setting = Setting { world, object, flows: FLOWS, packets };
    let (minimal, yardstick) = setting.yardstick()?;
    let names = SCHEDULERS.into_iter().filter(|name| name.contains(only));
    let rules: Vec<_> = (1..).zip(names).map(|(at, name)| of(name, at, real_servers)).collect();
    let director = Director::new(world, "schedulers", [FLOWS, 1], &rules)?;
    let director = Rc::new(RefCell::new(director));
    let mut subjects = vec![minimal];
    for rules in &rules {
        subjects.push(setting.choosing(&director, rules)?);
    }
    Ok(Cases { subjects, directors: vec![director], yardstick })
}

fn of(scheduler: &'static str, at: u8, real_servers: u16) -> Rules {
    let service = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 114, at)), 80);
    Rules::new(Rules::SHARED, Method::DirectRoute, service).chosen_by(scheduler, real_servers)
}
