//! Checks through the service's own data path: every real server has a stand-in address, and what is
//! sent there arrives as a client's packet would.

#![forbid(unsafe_code)]

mod diagnosis;
mod doubts;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use futures_util::future::BoxFuture;
use lvs_common::net::protocol;
use tokio::sync::watch;

use self::{diagnosis::DISCARD, doubts::Doubts};
use crate::{
    dataplane::kernel::probing::{Found, Probing},
    director::{Handle, Wanted},
    health::ways::{Direct, NO_PORT, Ways},
    model::{
        Method, Network, ServiceId,
        health::{Cause, Errand, NoWay, Target, Transport, Via},
    },
};

/// Knows the stand-ins.
pub struct ThroughService {
    probing: Probing,
    wanted: watch::Receiver<Wanted>,
    network: watch::Receiver<Network>,
    doubts: Doubts,
}

/// Where an errand goes.
struct Way {
    found: Found,
    vip: IpAddr,
    /// 0 in ICMP.
    port: u16,
}

impl ThroughService {
    /// Over a data plane that probes.
    #[must_use]
    pub fn new(probing: Probing, director: &Handle, network: watch::Receiver<Network>) -> Self {
        Self { probing, wanted: director.wanted(), network, doubts: Doubts::default() }
    }

    fn find(&self, errand: &Errand) -> Result<Way, NoWay> {
        let ServiceId::Address { address: vip, port, .. } = errand.service else {
            let why = "a firewall mark has no address to check: check its real servers directly";
            return Err(NoWay::Unknown(why.into()));
        };
        let found = self.probing.find(&errand.service, &errand.dest.addr);
        let found = found.ok_or_else(|| NoWay::Unknown("no packet finds it yet".into()))?;
        // A service of every port is checked at the real server's.
        let own = if port == 0 { errand.dest.addr.port } else { port };
        let port = errand.port.unwrap_or(own);
        match errand.transport {
            Transport::Icmp | Transport::Any => Ok(Way { found, vip, port: 0 }),
            _ if port == 0 => Err(NoWay::Unknown(NO_PORT.into())),
            _ => Ok(Way { found, vip, port }),
        }
    }

    /// Whether answers can come back.
    fn admit(&self, errand: &Errand, way: &Way) -> Result<(), NoWay> {
        let rip = errand.dest.addr.address;
        let Some(interface) = way.found.interface else {
            let wanted = self.wanted.borrow();
            return Err(wanted.unreachable.get(&rip).map_or_else(
                || NoWay::Unknown("its next hop is being resolved".into()),
                |why| NoWay::Broken(Cause::NoRoute(why.clone())),
            ));
        };
        let network = self.network.borrow();
        if !network.carriers.contains_key(&interface) {
            let name = network.name(interface);
            let why = format!(
                "{name}, toward it, does not carry the program, which would see the answers: \
                    --interface {name}"
            );
            return Err(NoWay::Unknown(why));
        }
        let from = way.found.from;
        let is_own =
            !from.is_unspecified() && from != way.vip && from.is_ipv4() == way.vip.is_ipv4();
        if errand.dest.method != Method::Masq && !is_own {
            let why =
                "the director has no address, other than the VIP, of the VIP's family toward it";
            return Err(NoWay::Unknown(why.into()));
        }
        Ok(())
    }
}

impl Ways for ThroughService {
    fn way(&self, errand: &Errand) -> Result<Target, NoWay> {
        if errand.via == Via::Direct {
            return Direct.way(errand);
        }
        let way = self.find(errand)?;
        if way.found.is_local {
            return Direct.way(errand);
        }
        if let Err(why) = self.admit(errand, &way) {
            if matches!(why, NoWay::Broken(_)) {
                look_for(errand.dest.addr.address);
            }
            return Err(why);
        }
        Ok(Target::plain(SocketAddr::new(way.found.stand_in, way.port)))
    }

    fn diagnose<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Option<Cause>> {
        Box::pin(async move {
            if errand.via == Via::Direct {
                return None;
            }
            let way = self.find(errand).ok().filter(|way| !way.found.is_local)?;
            match self.admit(errand, &way) {
                Ok(()) => {}
                Err(NoWay::Broken(cause)) => return Some(cause),
                Err(NoWay::Unknown(_)) => return None,
            }
            let number = number(errand.transport, way.vip.is_ipv4());
            let outcome = self.probing.outcome(way.found.slot, way.port, number);
            let stand_in = SocketAddr::new(way.found.stand_in, way.port);
            let tcp = || {
                let outcome = self.probing.outcome(way.found.slot, way.port, protocol::TCP);
                outcome.unwrap_or_default()
            };
            let cause = diagnosis::cause(errand, outcome.unwrap_or_default(), stand_in, tcp).await;
            self.doubts.weigh(errand, cause)
        })
    }
}

/// Has the kernel ask for a host that it gave up, which it would do by itself every five seconds only: by
/// a datagram that nobody waits for.
fn look_for(host: IpAddr) {
    let any: IpAddr = match host {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let sent = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(&[], (host, DISCARD))
    });
    if let Err(error) = sent {
        tracing::debug!(%host, %error, "the kernel is not asked for it");
    }
}

const fn number(transport: Transport, is_v4: bool) -> u8 {
    match transport {
        Transport::Tcp => protocol::TCP,
        Transport::Udp => protocol::UDP,
        Transport::Icmp if is_v4 => protocol::ICMP,
        Transport::Icmp => protocol::ICMPV6,
        Transport::Any => 0,
    }
}
