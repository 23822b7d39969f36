//! Three hosts in a row, each pair with a link of its own.
//!
//! ```text
//!   clients ── eth0 │ eth0  director  eth1 │ eth0 ── servers
//!   172.16.0.2        172.16.0.1    192.168.2.1       192.168.2.11
//! ```
//!
//! The director has one real server, which takes everything and answers nothing.

use std::{fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use lvs_tests::{
    director::Settings,
    netns::Netns,
    offload::{self, Feature},
    prelude::*,
};
use nix::net::if_::if_nametoindex;

use crate::frame::Mac;

/// The virtual service's.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 5);
/// The real server's.
pub const RIP: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 11);

/// Toward the director, and the director's: toward clients, toward real servers, and the real server's.
pub const CLIENT: Mac = [2, 0, 0, 0, 0, 0x90];
/// See [`CLIENT`].
pub const CLIENT_SIDE: Mac = [2, 0, 0, 0, 0, 0xd0];
/// See [`CLIENT`].
pub const SERVER_SIDE: Mac = [2, 0, 0, 0, 0, 0xd1];
/// See [`CLIENT`].
pub const SERVER: Mac = [2, 0, 0, 0, 0, 0xb0];

/// The hosts.
pub struct Bed(Topology);

impl Bed {
    /// Builds them.
    pub fn new() -> Result<Self> {
        // What hosts say of themselves is not to be counted.
        let quiet = |name| {
            HostPlan::new(name)
                .sysctl("net.ipv6.conf.all.disable_ipv6", "1")
                .sysctl("net.ipv6.conf.default.disable_ipv6", "1")
        };
        let director = quiet("director")
            .sysctl("net.ipv4.ip_forward", "1")
            .sysctl("net.ipv4.conf.all.send_redirects", "0")
            .sysctl("net.ipv4.conf.default.send_redirects", "0");
        let plan = Plan::new().host(quiet("clients")).host(director).host(quiet("servers"));
        let bed = Self(plan.build()?);
        bed.link((bed.clients(), CLIENT), ("eth0", CLIENT_SIDE), 100)?;
        bed.link((bed.servers(), SERVER), ("eth1", SERVER_SIDE), 200)?;
        bed.clients().ip(&["addr add 172.16.0.2/24 dev eth0"])?;
        bed.servers().ip(&[format!("addr add {RIP}/24 dev eth0")])?;
        bed.director().ip(&[
            "addr add 172.16.0.1/24 dev eth0".to_owned(),
            "addr add 192.168.2.1/24 dev eth1".to_owned(),
            format!("neigh add {RIP} lladdr {} dev eth1 nud permanent", text(SERVER)),
            format!("neigh add 172.16.0.2 lladdr {} dev eth0 nud permanent", text(CLIENT)),
            "route add 10.0.0.0/8 via 172.16.0.2".to_owned(),
        ])?;
        drop_all(bed.servers())?;
        Ok(bed)
    }

    /// Where the frames come from.
    pub fn clients(&self) -> &Netns {
        self.0.host("clients").netns()
    }

    /// The host between.
    pub fn director(&self) -> &Netns {
        self.0.host("director").netns()
    }

    /// Where packets end: dropped before the stack, as packets of the kernel's.
    pub fn servers(&self) -> &Netns {
        self.0.host("servers").netns()
    }

    /// Starts our controller on both interfaces, with room for so many connections.
    pub fn controller(&self, connections: u32) -> Result<Director> {
        let host = self.0.host("director");
        let interfaces = ["eth0", "eth1"].map(String::from).to_vec();
        let arguments = vec!["--connections".to_owned(), connections.to_string()];
        let settings = Settings { interfaces, arguments, ..Settings::new(host, Mode::Native) };
        Director::start_with(host, settings)
    }

    /// Packets that have come to the real server.
    pub fn arrived(&self) -> Result<u64> {
        let table = self.servers().run(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
        let of = |line: &str| {
            let (_, numbers) = line.trim_start().split_once("eth0:")?;
            numbers.split_whitespace().nth(1)?.parse().ok()
        };
        table.lines().find_map(of).context("the real server has no eth0")
    }

    /// A link from the host's eth0 to an interface of the director.
    fn link(
        &self,
        (host, mac): (&Netns, Mac),
        (port, port_mac): (&str, Mac),
        index: u32,
    ) -> Result<()> {
        let (mac, port_mac, there) = (text(mac), text(port_mac), self.director().name());
        // Different numbers: see the lab's topology.
        host.ip(&[
            format!(
                "link add eth0 index {index} address {mac} type veth \
                 peer name {port} index {} address {port_mac} netns {there}",
                index + 1
            ),
            "link set eth0 up".to_owned(),
        ])?;
        self.director().ip(&[format!("link set {port} up")])?;
        // So both take frames: see `offload`.
        host.run(|| offload::set("eth0", Feature::Gro, true))?;
        self.director().run(|| offload::set(port, Feature::Gro, true))?;
        host.wait_until_up()
    }
}

/// Has the kernel drop packets before the stack: by a filter of tc's, or where it has none by nftables.
fn drop_all(netns: &Netns) -> Result<()> {
    netns.exec(&["tc", "qdisc", "add", "dev", "eth0", "ingress"])?;
    let filter = "filter add dev eth0 ingress matchall action drop";
    let words: Vec<_> = ["tc"].into_iter().chain(filter.split(' ')).collect();
    if netns.exec(&words).is_err() {
        let chain = "type filter hook ingress device eth0 priority filter; drop;";
        netns.exec(&["nft", &format!("table netdev drops {{ chain early {{ {chain} }}; }}")])?;
    }
    Ok(())
}

/// The number of an interface of a host.
pub fn number(netns: &Netns, interface: &str) -> Result<u32> {
    Ok(netns.run(|| if_nametoindex(interface))?)
}

fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
