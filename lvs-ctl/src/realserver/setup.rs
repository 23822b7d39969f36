//! What a forwarding method asks of a real server's host.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    RealServerError,
    setting::{Family, Need, Setting},
};

/// The device that DR and TUN have the VIP on: nobody asks it for its addresses.
pub const VIP_DEVICE: &str = "lo";

/// A forwarding method, as the director has it for this real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The packet comes as the client sent it, and is answered past the director.
    Dr,
    /// The packet comes for this host, and its answer goes back through the director.
    Nat {
        /// The director's address on this host's network.
        gateway: Option<IpAddr>,
    },
    /// The packet comes inside another one, and is answered past the director.
    Tun {
        /// What it comes in.
        kind: TunType,
        /// The family of the outer packet: that of the real server's address.
        outer: Family,
        /// The UDP port of gue.
        port: u16,
    },
}

/// A type of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TunType {
    /// The packet in a packet (RFC 2003, RFC 2473).
    Ipip,
    /// In UDP, with a header of four bytes.
    Gue,
    /// With a header of four or eight bytes (RFC 2784).
    Gre,
}

/// A real server of one VIP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// How packets come.
    pub method: Method,
    /// The virtual service's address.
    pub vip: IpAddr,
    /// Where they come in.
    pub interface: Option<String>,
}

impl Setup {
    /// What the host has to have, in the order in which it is to be set.
    ///
    /// # Errors
    /// The address cannot be a VIP, or the gateway is of another family.
    pub fn needs(&self) -> Result<Vec<(Setting, Need)>, RealServerError> {
        let vip = self.vip;
        if vip.is_unspecified() || vip.is_multicast() || vip.is_loopback() {
            return Err(RealServerError::NoVip(vip));
        }
        Ok(match self.method {
            Method::Dr => self.silent_vip(),
            Method::Nat { gateway: None } => Vec::new(),
            Method::Nat { gateway: Some(gateway) } => {
                if gateway.is_ipv4() != vip.is_ipv4() {
                    return Err(RealServerError::Makes(
                        "the gateway and the VIP are of different families",
                    ));
                }
                let way = match &self.interface {
                    Some(interface) => format!("via {gateway} dev {interface}"),
                    None => format!("via {gateway}"),
                };
                vec![(Setting::DefaultRoute(Family::of(vip)), Need::Has(way))]
            }
            Method::Tun { kind, outer, port } => {
                [self.tunnel(kind, outer, port), self.silent_vip()].concat()
            }
        })
    }

    /// The VIP, which this host has but does not tell of: in ARP, as everybody knows; in neighbour
    /// discovery nobody answers for the addresses of another device anyway.
    fn silent_vip(&self) -> Vec<(Setting, Need)> {
        let mut needs = Vec::new();
        if self.vip.is_ipv4() {
            let interfaces = ["all"].into_iter().chain(self.interface.as_deref());
            for interface in interfaces {
                needs.push((Setting::conf(interface, "arp_ignore"), Need::AtLeast(1)));
                needs.push((Setting::conf(interface, "arp_announce"), Need::AtLeast(2)));
            }
        }
        let address = Setting::Address { address: self.vip, device: VIP_DEVICE.to_owned() };
        needs.push((address, Need::Is(with_prefix(self.vip))));
        needs
    }

    fn tunnel(&self, kind: TunType, outer: Family, port: u16) -> Vec<(Setting, Need)> {
        let (name, module) = device(kind, outer, Family::of(self.vip));
        let mut needs = Vec::new();
        if kind == TunType::Gue {
            needs.push((Setting::Port { port, family: outer }, Need::Is("gue".to_owned())));
        }
        let device = Setting::Device { name: name.to_owned(), module: module.to_owned() };
        needs.push((device, Need::Is("up".to_owned())));
        if name == MIXED {
            needs.push((Setting::TunnelMode(name.to_owned()), Need::Is("any".to_owned())));
        }
        if self.vip.is_ipv4() {
            // Clients are not reached by the tunnel that their packets come out of.
            needs.push((Setting::conf(name, "rp_filter"), Need::Is("2".to_owned())));
        }
        needs
    }
}

/// The device for packets of both families in IPv6.
const MIXED: &str = "ip6tnl0";

/// The device that takes every such packet out, and its module.
const fn device(kind: TunType, outer: Family, inner: Family) -> (&'static str, &'static str) {
    match (kind, outer, inner) {
        (TunType::Gre, Family::Ipv4, _) => ("gre0", "ip_gre"),
        (TunType::Gre, Family::Ipv6, _) => ("ip6gre0", "ip6_gre"),
        (_, Family::Ipv4, Family::Ipv4) => ("tunl0", "ipip"),
        (_, Family::Ipv4, Family::Ipv6) => ("sit0", "sit"),
        (_, Family::Ipv6, _) => (MIXED, "ip6_tunnel"),
    }
}

/// The address as that of one host.
fn with_prefix(address: IpAddr) -> String {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    format!("{address}/{bits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(method: Method, vip: &str) -> Vec<String> {
        let vip = vip.parse().unwrap();
        let setup = Setup { method, vip, interface: Some("eth0".to_owned()) };
        let needs = setup.needs().unwrap();
        needs.iter().map(|(setting, need)| format!("{setting} = {}", need.value())).collect()
    }

    #[test]
    fn dr_wants_the_vip_silent_on_lo() {
        assert_eq!(
            words(Method::Dr, "192.168.4.15"),
            [
                "net/ipv4/conf/all/arp_ignore = 1",
                "net/ipv4/conf/all/arp_announce = 2",
                "net/ipv4/conf/eth0/arp_ignore = 1",
                "net/ipv4/conf/eth0/arp_announce = 2",
                "address 192.168.4.15 on lo = 192.168.4.15/32",
            ]
        );
        assert_eq!(words(Method::Dr, "fd00::15"), ["address fd00::15 on lo = fd00::15/128"]);
    }

    #[test]
    fn tun_wants_a_device_of_its_own_before_the_vip() {
        let gue = |outer| Method::Tun { kind: TunType::Gue, outer, port: 5555 };
        let needs = words(gue(Family::Ipv4), "192.168.4.15");
        assert_eq!(
            needs[..3],
            ["UDP port 5555 = gue", "device tunl0 = up", "net/ipv4/conf/tunl0/rp_filter = 2"]
        );
        assert_eq!(needs.len(), 8);
        assert_eq!(
            words(gue(Family::Ipv6), "fd00::15"),
            [
                "UDP port 5555 of IPv6 = gue",
                "device ip6tnl0 = up",
                "what ip6tnl0 takes = any",
                "address fd00::15 on lo = fd00::15/128",
            ]
        );
    }

    #[test]
    fn nat_wants_the_director_for_a_gateway_and_no_vip() {
        let nat = |gateway: &str| Method::Nat { gateway: Some(gateway.parse().unwrap()) };
        let route = ["default route = via 192.168.2.1 dev eth0"];
        assert_eq!(words(nat("192.168.2.1"), "192.168.4.5"), route);
        let vip = "fd00::1".parse().unwrap();
        let setup = Setup { method: nat("192.168.2.1"), vip, interface: None };
        assert!(matches!(setup.needs(), Err(RealServerError::Makes(_))));
    }

    #[test]
    fn an_address_that_nobody_can_connect_to_is_no_vip() {
        for vip in ["0.0.0.0", "224.0.0.1", "::1"] {
            let setup = Setup { method: Method::Dr, vip: vip.parse().unwrap(), interface: None };
            assert!(matches!(setup.needs(), Err(RealServerError::NoVip(_))), "{vip}");
        }
    }
}
