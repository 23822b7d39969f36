//! The clusters of the operator's manual, with its addresses.
//!
//! ```text
//!            client .10                 director .5                    192.168.4.0/24: switch "lan4"
//! NAT            │                       │ eth0   VIP 192.168.4.5
//!                └────────── lan4 ───────┤
//!                                        │ eth1   192.168.2.1
//!                ┌────────── lan2 ───────┴───────────┐                 192.168.2.0/24: switch "lan2"
//!            nat-100                              nat-200              default route via 192.168.2.1
//!
//!            client .10                 director .5, VIP 192.168.4.15
//! DR             │                       │ eth0
//!                └────────── lan4 ───────┴───┬───────────────┐
//!                                         dr-100           dr-200      VIP on lo, silent in ARP
//! ```
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::{
    offload::Offload,
    topology::{Host, HostPlan, LinkPlan, Plan, Topology},
    web::{Services, Web},
};

/// The client (CIP).
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 10);
/// The director's own address (DIP), and the VIP of the NAT cluster.
pub const NAT_VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 5);
/// The VIP of the DR cluster.
pub const DR_VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 15);
/// The director's address on the real servers' side of NAT.
pub const NAT_GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 1);
/// The real servers (RIP) of the NAT cluster, with their hosts' names.
pub const NAT_SERVERS: [(&str, Ipv4Addr); 2] =
    [("nat-100", Ipv4Addr::new(192, 168, 2, 100)), ("nat-200", Ipv4Addr::new(192, 168, 2, 200))];
/// The real servers (RIP) of the DR cluster, with their hosts' names.
pub const DR_SERVERS: [(&str, Ipv4Addr); 2] =
    [("dr-100", Ipv4Addr::new(192, 168, 4, 100)), ("dr-200", Ipv4Addr::new(192, 168, 4, 200))];

impl Topology {
    /// The NAT cluster: a director with an interface on either side (`eth0`, `eth1`).
    pub fn nat(director: Offload) -> Result<Self> {
        let plan =
            Plan::new().switch("lan4").switch("lan2").host(client()).host(forwarding(
                HostPlan::new("director").link(front(director)).link(back(director)),
            ));
        nat_servers(plan, "lan2").build()
    }

    /// The DR cluster: everybody on one switch, a director with one interface (`eth0`).
    pub fn dr(director: Offload) -> Result<Self> {
        let link = front(director).address(&format!("{DR_VIP}/32"));
        let plan =
            Plan::new().switch("lan4").host(client()).host(HostPlan::new("director").link(link));
        dr_servers(plan).build()
    }

    /// The NAT cluster behind a director with one interface (`eth0`): clients and real servers are
    /// two networks on one switch, "lan4".
    pub fn nat_one_arm(director: Offload) -> Result<Self> {
        let link = front(director).address(&format!("{NAT_GATEWAY}/24"));
        let plan = Plan::new()
            .switch("lan4")
            .host(client())
            .host(forwarding(HostPlan::new("director").link(link)));
        nat_servers(plan, "lan4").build()
    }

    /// The DR cluster behind a director with two interfaces: requests reach the real servers over the
    /// switch "lan2", where they have the addresses of [`NAT_SERVERS`]; they answer over "lan4".
    pub fn dr_two_arm(director: Offload) -> Result<Self> {
        let link = front(director).address(&format!("{DR_VIP}/32"));
        let plan = Plan::new()
            .switch("lan4")
            .switch("lan2")
            .host(client())
            .host(HostPlan::new("director").link(link).link(back(director)));
        let servers = DR_SERVERS.iter().zip(NAT_SERVERS);
        servers
            .fold(plan, |plan, ((name, outer), (_, inner))| {
                let inside = LinkPlan::new("eth0", "lan2").address(&format!("{inner}/24"));
                let outside = LinkPlan::new("eth1", "lan4").address(&format!("{outer}/24"));
                plan.host(with_vip(HostPlan::new(name).link(inside).link(outside)))
            })
            .build()
    }

    /// Both clusters behind one director.
    pub fn manual(director: Offload) -> Result<Self> {
        let link = front(director).address(&format!("{DR_VIP}/32"));
        let plan = Plan::new()
            .switch("lan4")
            .switch("lan2")
            .host(client())
            .host(forwarding(HostPlan::new("director").link(link).link(back(director))));
        dr_servers(nat_servers(plan, "lan2")).build()
    }

    /// Starts the services on every real server of the manual's that this topology has.
    pub fn serve(&self, services: &Services) -> Result<Vec<Web>> {
        let servers = NAT_SERVERS.iter().chain(&DR_SERVERS);
        let is_server = |host: &&Host| servers.clone().any(|(name, _)| *name == host.name());
        self.hosts().filter(is_server).map(|host| Web::start(host, services)).collect()
    }
}

fn client() -> HostPlan {
    HostPlan::new("client").link(LinkPlan::new("eth0", "lan4").address(&format!("{CLIENT}/24")))
}

fn front(offload: Offload) -> LinkPlan {
    LinkPlan::new("eth0", "lan4").offload(offload).address(&format!("{NAT_VIP}/24"))
}

fn back(offload: Offload) -> LinkPlan {
    LinkPlan::new("eth1", "lan2").offload(offload).address(&format!("{NAT_GATEWAY}/24"))
}

/// A NAT director is its real servers' router.
fn forwarding(director: HostPlan) -> HostPlan {
    director.sysctl("net.ipv4.ip_forward", "1")
}

fn nat_servers(plan: Plan, switch: &str) -> Plan {
    NAT_SERVERS.iter().fold(plan, |plan, (name, rip)| {
        let link = LinkPlan::new("eth0", switch).address(&format!("{rip}/24"));
        plan.host(HostPlan::new(name).link(link).route(&format!("default via {NAT_GATEWAY}")))
    })
}

fn dr_servers(plan: Plan) -> Plan {
    DR_SERVERS.iter().fold(plan, |plan, (name, rip)| {
        let link = LinkPlan::new("eth0", "lan4").address(&format!("{rip}/24"));
        plan.host(with_vip(HostPlan::new(name).link(link)))
    })
}

/// A DR real server accepts packets for the VIP but never speaks of it in ARP.
fn with_vip(server: HostPlan) -> HostPlan {
    server
        .loopback(&format!("{DR_VIP}/32"))
        .sysctl("net.ipv4.conf.all.arp_ignore", "1")
        .sysctl("net.ipv4.conf.all.arp_announce", "2")
}
