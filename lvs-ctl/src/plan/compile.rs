//! Rules into map values, one by one.

use lvs_common::{
    map::{self, Below, Family, Method, NextHop, ServiceKey, Tunables},
    net::{Addr, Be16, Be32, Mac, protocol},
    sched::Kind,
    wire::{Tag, Tags},
};

use crate::model::{self, Change, Checksum, Leaving, Netmask, ServiceId, Tunnel, VlanTag, Way};

/// A rule that the program cannot carry out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A scheduler.
    #[error("there is no scheduler {0}")]
    Scheduler(String),
    /// An option of a service, or a forwarding method.
    #[error("{0} is not supported yet")]
    Option(&'static str),
}

impl Unsupported {
    /// What a kernel without it says to ipvsadm.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Scheduler(_) => "Scheduler or persistence engine not found",
            Self::Option(_) => "Protocol not available",
        }
    }
}

/// Whether the program can carry a change out, whatever the other rules are.
///
/// # Errors
/// It cannot.
pub fn supports(change: &Change) -> Result<(), Unsupported> {
    match change {
        Change::AddDest { dest, .. } | Change::EditDest { dest, .. } => {
            forwarding(dest).map(|_forwarding| ())
        }
        _ => Ok(()),
    }
}

/// What packets find the service by.
#[must_use]
pub fn key(id: &ServiceId) -> ServiceKey {
    let of = |family| match family {
        model::Family::Ipv4 => Family::V4,
        model::Family::Ipv6 => Family::V6,
    };
    match *id {
        ServiceId::Mark { mark, family } => ServiceKey::mark(mark, of(family)),
        ServiceId::Address { protocol, address, port } => ServiceKey {
            address: Addr::from(address),
            port: Be16::new(port),
            protocol: protocol.number(),
            family: of(model::Family::of(address)),
        },
    }
}

/// The scheduler's number.
///
/// # Errors
/// The program does not have the scheduler, or not the service's options for it.
pub fn scheduler(service: &model::Service) -> Result<Kind, Unsupported> {
    let name = &service.scheduler;
    Kind::try_from(name.as_str()).map_err(|_unknown| Unsupported::Scheduler(name.clone()))
}

/// The scheduler's flags, as the program wants them.
#[must_use]
pub fn scheduler_flags(service: &model::Service) -> u8 {
    let flags = service.scheduler_flags;
    u8::from(flags.flag_1) | u8::from(flags.flag_2) << 1 | u8::from(flags.flag_3) << 2
}

/// What the program is told of a service beside its scheduler and its real servers: flags,
/// persistence, firewall mark and port.
#[must_use]
pub fn terms(service: &model::Service, key: ServiceKey) -> map::Service {
    let mut value = map::Service { port: key.port, ..map::Service::default() };
    if let ServiceId::Mark { mark, .. } = service.id {
        value.mark = mark;
    }
    if service.one_packet {
        value.flags |= map::Service::ONE_PACKET;
    }
    if let Some(persistence) = &service.persistence {
        value.flags |= map::Service::PERSISTENT;
        value.persistence_s = persistence.timeout_s;
        value.netmask = match persistence.netmask {
            Netmask::Ipv4(mask) => Be32::from_bytes(mask.octets()).raw(),
            Netmask::Ipv6(length) => length.into(),
        };
    }
    value
}

/// The kind of [`Tunables::kinds`] that a service is of, or 0.
#[must_use]
pub fn kind(key: ServiceKey) -> u32 {
    match (key.protocol, key.port.get()) {
        (protocol::TCP, 21) => Tunables::FTP,
        (protocol::TCP | protocol::UDP | protocol::SCTP, 0) => Tunables::ANY_PORT,
        _ => 0,
    }
}

/// The real server's value, in its service's list, toward a next hop.
///
/// # Errors
/// The program does not forward so.
pub fn dest(
    service: ServiceKey,
    dest: &model::Dest,
    next_hop: u32,
) -> Result<map::Dest, Unsupported> {
    let Forwarding { method, tunnel, tunnel_port } = forwarding(dest)?;
    Ok(map::Dest {
        address: Addr::from(dest.addr.address),
        next_hop,
        flags: map::Dest::USED | map::Dest::AVAILABLE,
        upper: dest.upper_threshold,
        lower: dest.lower_threshold,
        service,
        port: Be16::new(dest.addr.port),
        method,
        tunnel,
        weight: dest.weight,
        tunnel_port,
        position: 0,
    })
}

/// What the program is told of the way to a real server; none if there is no way.
#[must_use]
pub fn next_hop(way: &Way) -> Option<NextHop> {
    let hop = match way {
        Way::Hop(hop) => hop,
        Way::Local => return Some(NextHop { flags: NextHop::LOCAL, ..NextHop::default() }),
        Way::None(_) => return None,
    };
    let reflects = if hop.reflects { NextHop::REFLECTS } else { 0 };
    let tagged = if hop.tags.is_empty() { 0 } else { NextHop::TAGGED };
    Some(NextHop {
        interface: hop.interface,
        mtu: hop.mtu,
        destination: Mac::new(hop.destination),
        source: Mac::new(hop.source),
        flags: reflects | tagged,
        from: hop.from.into(),
        tags: tags(&hop.tags),
    })
}

/// What the program is told of an interface that frames leave by another one.
#[must_use]
pub fn below(leaving: &Leaving) -> Below {
    Below { interface: leaving.interface, tags: tags(&leaving.tags) }
}

fn tags(vlans: &[VlanTag]) -> Tags {
    let tag = |at: usize| {
        vlans.get(at).map_or(Tag::NONE, |it| Tag {
            ethertype: Be16::new(it.ethertype),
            control: Be16::new(it.vlan),
        })
    };
    Tags([tag(0), tag(1)])
}

/// How packets reach a real server.
struct Forwarding {
    method: Method,
    tunnel: u8,
    tunnel_port: Be16,
}

fn forwarding(dest: &model::Dest) -> Result<Forwarding, Unsupported> {
    let plain = |method| Forwarding { method, tunnel: 0, tunnel_port: Be16::new(0) };
    match dest.method {
        model::Method::Masq => Ok(plain(Method::MASQ)),
        model::Method::DirectRoute => Ok(plain(Method::DIRECT_ROUTE)),
        model::Method::Tunnel(wrap) => {
            let (tunnel, port) = tunnel(wrap);
            Ok(Forwarding { method: Method::TUNNEL, tunnel, tunnel_port: Be16::new(port) })
        }
        model::Method::Local => Err(Unsupported::Option("a local node")),
    }
}

/// [`map::tunnel`]'s bits, and the port.
fn tunnel(tunnel: Tunnel) -> (u8, u16) {
    match tunnel {
        Tunnel::Ipip => (map::tunnel::IPIP, 0),
        Tunnel::Gue { port, checksum } => (map::tunnel::GUE | checksum_bits(checksum), port),
        Tunnel::Gre { checksum } => (map::tunnel::GRE | checksum_bits(checksum), 0),
    }
}

fn checksum_bits(checksum: Checksum) -> u8 {
    match checksum {
        Checksum::None => 0,
        Checksum::Full => map::tunnel::CHECKSUM,
        Checksum::Remote => map::tunnel::REMOTE_CHECKSUM,
    }
}
