//! Hosts, switches and the links between them, built as planned.
#![forbid(unsafe_code)]

use std::{collections::BTreeMap, sync::Arc, thread};

use anyhow::{Context as _, Result, bail, ensure};

pub use crate::plan::{HostPlan, LinkPlan, Plan};
use crate::{client::Client, lab::Lab, netns::Netns, report};

impl Plan {
    /// Builds it.
    ///
    /// # Errors
    ///
    /// When the process is not root, a name is too long for an interface, or `ip` refuses a line.
    pub fn build(self) -> Result<Topology> {
        let lab = Lab::new()?;
        let (hosts, switches) = (BTreeMap::new(), BTreeMap::new());
        let mut topology = Topology { hosts, switches, ports: 0, lab: Arc::clone(&lab) };
        for name in self.switches {
            let netns = Netns::new(&lab, &name)?;
            // A switch has no addresses; without snooping every multicast reaches everyone at once.
            netns.sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
            netns.ip(&["link add br0 type bridge mcast_snooping 0", "link set br0 up"])?;
            topology.switches.insert(name, netns);
        }
        for plan in self.hosts {
            let host = topology.build_host(&plan)?;
            topology.hosts.insert(plan.name, host);
        }
        for netns in topology.namespaces() {
            netns.wait_until_up()?;
        }
        Ok(topology)
    }
}

/// A built plan. Dropped, it is gone; dropped while a test panics, it first prints what it looks like.
#[derive(Debug)]
pub struct Topology {
    hosts: BTreeMap<String, Host>,
    switches: BTreeMap<String, Netns>,
    ports: u32,
    lab: Arc<Lab>,
}

impl Topology {
    /// The host of that name.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn host(&self, name: &str) -> &Host {
        let known: Vec<_> = self.hosts.keys().collect();
        self.hosts.get(name).unwrap_or_else(|| panic!("no host {name} among {known:?}"))
    }

    /// All hosts, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// The switch of that name; its port to a host's interface is called `<host>.<interface>`.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn switch(&self, name: &str) -> &Netns {
        let known: Vec<_> = self.switches.keys().collect();
        self.switches.get(name).unwrap_or_else(|| panic!("no switch {name} among {known:?}"))
    }

    /// Number, directory, command log.
    #[must_use]
    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }

    /// Everything there is to know when something does not work: commands, addresses, routes,
    /// neighbours, counters, logs.
    #[must_use]
    pub fn report(&self) -> String {
        report::of(&self.lab, self.namespaces())
    }

    fn namespaces(&self) -> impl Iterator<Item = &Netns> {
        self.hosts.values().map(|host| &**host.netns()).chain(self.switches.values())
    }

    fn build_host(&mut self, plan: &HostPlan) -> Result<Host> {
        let netns = Netns::new(&self.lab, &plan.name)?;
        for (key, value) in BASELINE {
            netns.write_sysctl(key, value)?;
        }
        for (key, value) in &plan.sysctls {
            netns.sysctl(key, value)?;
        }
        let mut lines = vec!["link set lo up".to_owned()];
        lines.extend(plan.loopback.iter().map(|address| format!("addr add {address} dev lo")));
        for link in &plan.links {
            self.plug(plan, link, &netns)?;
            let interface = &link.interface;
            for address in &link.addresses {
                lines.push(format!("addr add {address} dev {interface}"));
            }
            lines.push(format!("link set {interface} up"));
        }
        lines.extend(plan.routes.iter().map(|route| format!("route add {route}")));
        netns.ip(&lines).with_context(|| format!("setting up host {}", plan.name))?;
        let interfaces = plan.links.iter().map(|link| link.interface.clone()).collect();
        Ok(Host { name: plan.name.clone(), interfaces, netns: Arc::new(netns) })
    }

    /// Makes the veth pair: one end is the switch's port, the other the host's interface.
    fn plug(&mut self, host: &HostPlan, link: &LinkPlan, netns: &Netns) -> Result<()> {
        let Some(switch) = self.switches.get(&link.switch) else {
            bail!("host {}: no switch {}", host.name, link.switch);
        };
        let port = format!("{}.{}", host.name, link.interface);
        ensure!(port.len() < libc::IFNAMSIZ, "{port} is too long for an interface's name");
        // The kernel defers a change of carrier by up to a second unless an interface and its peer
        // have different numbers, which in two namespaces they easily have not.
        self.ports += 1;
        let index = FIRST_PORT + self.ports;
        let (interface, host) = (&link.interface, netns.name());
        switch.ip(&[
            format!("link add {port} index {index} type veth peer name {interface} netns {host}"),
            format!("link set {port} master br0 up"),
        ])?;
        switch.run(|| link.offload.apply(&port))
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
    }
}

/// One host of a topology.
#[derive(Debug)]
pub struct Host {
    name: String,
    interfaces: Vec<String>,
    netns: Arc<Netns>,
}

impl Host {
    /// Its name in the plan.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its interfaces, `lo` excepted, in the plan's order.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        &self.interfaces
    }

    /// Its network namespace, to run things in.
    #[must_use]
    pub fn netns(&self) -> &Arc<Netns> {
        &self.netns
    }

    /// A client on this host.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        Client::new(&self.netns)
    }

    /// The MAC address of an interface, as `ip` prints it.
    pub fn mac(&self, interface: &str) -> Result<String> {
        let shown = self.netns.exec(&["ip", "-oneline", "link", "show", "dev", interface])?;
        shown
            .split_whitespace()
            .skip_while(|&word| word != "link/ether")
            .nth(1)
            .map(str::to_owned)
            .with_context(|| format!("{interface} has no MAC address: {shown}"))
    }
}

/// Interface number below those of a switch's ports.
const FIRST_PORT: u32 = 1000;

/// IPv4 settings of a new namespace are copied from the machine's own; so each that matters is set.
const BASELINE: [(&str, &str); 11] = [
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.arp_ignore", "0"),
    ("net.ipv4.conf.all.arp_announce", "0"),
    ("net.ipv4.conf.all.accept_local", "0"),
    ("net.ipv4.conf.all.send_redirects", "1"),
    ("net.ipv4.conf.default.send_redirects", "1"),
    // IPv6 addresses are usable at once.
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    // Root may ping without a raw socket.
    ("net.ipv4.ping_group_range", "0\t0"),
];
