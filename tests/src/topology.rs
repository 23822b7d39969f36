//! Hosts, switches and the links between them: planned as data, then built.
#![forbid(unsafe_code)]

use std::{collections::BTreeMap, sync::Arc, thread};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{client::Client, lab::Lab, netns::Netns, offload::Offload, report};

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    switches: Vec<String>,
    hosts: Vec<HostPlan>,
}

/// A host: its links, addresses, routes and sysctls.
#[derive(Debug, Clone)]
pub struct HostPlan {
    name: String,
    links: Vec<LinkPlan>,
    loopback: Vec<String>,
    routes: Vec<String>,
    sysctls: Vec<(String, String)>,
}

/// A link of a host to a switch.
#[derive(Debug, Clone)]
pub struct LinkPlan {
    interface: String,
    switch: String,
    addresses: Vec<String>,
    offload: Offload,
}

impl Plan {
    /// An empty plan.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A switch: a bridge in a namespace of its own.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.switches.push(name.into());
        self
    }

    /// A host.
    #[must_use]
    pub fn host(mut self, host: HostPlan) -> Self {
        self.hosts.push(host);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// When the process is not root, a name is too long for an interface, or `ip` refuses a line.
    pub fn build(self) -> Result<Topology> {
        let lab = Lab::new()?;
        let mut topology =
            Topology { hosts: BTreeMap::new(), switches: BTreeMap::new(), lab: Arc::clone(&lab) };
        for name in self.switches {
            let netns = Netns::new(&lab, &name)?;
            // Without multicast snooping neighbour discovery reaches everyone at once.
            netns.ip(&["link add br0 type bridge mcast_snooping 0", "link set br0 up"])?;
            topology.switches.insert(name, netns);
        }
        for plan in self.hosts {
            let host = topology.build_host(&plan)?;
            topology.hosts.insert(plan.name, host);
        }
        Ok(topology)
    }
}

impl HostPlan {
    /// A host with nothing but a loopback interface. The name is at most nine bytes long.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            links: Vec::new(),
            loopback: Vec::new(),
            routes: Vec::new(),
            sysctls: Vec::new(),
        }
    }

    /// A link to a switch.
    #[must_use]
    pub fn link(mut self, link: LinkPlan) -> Self {
        self.links.push(link);
        self
    }

    /// An address (`192.168.4.15/32`) on `lo`.
    #[must_use]
    pub fn loopback(mut self, address: &str) -> Self {
        self.loopback.push(address.into());
        self
    }

    /// A route, in the words of `ip route add`.
    #[must_use]
    pub fn route(mut self, route: &str) -> Self {
        self.routes.push(route.into());
        self
    }

    /// A sysctl, set before the interfaces come up.
    #[must_use]
    pub fn sysctl(mut self, key: &str, value: &str) -> Self {
        self.sysctls.push((key.into(), value.into()));
        self
    }
}

impl LinkPlan {
    /// A link called `interface` (as `eth0`) on the host's side.
    #[must_use]
    pub fn new(interface: &str, switch: &str) -> Self {
        Self {
            interface: interface.into(),
            switch: switch.into(),
            addresses: Vec::new(),
            offload: Offload::Untouched,
        }
    }

    /// An address with its prefix length.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Settings of the switch's end.
    #[must_use]
    pub fn offload(mut self, offload: Offload) -> Self {
        self.offload = offload;
        self
    }
}

/// A built plan. Dropped, it is gone; dropped while a test panics, it first prints what it looks like.
#[derive(Debug)]
pub struct Topology {
    hosts: BTreeMap<String, Host>,
    switches: BTreeMap<String, Netns>,
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
        report::of(&self.lab, self.hosts.values().map(Host::netns), self.switches.values())
    }

    fn build_host(&self, plan: &HostPlan) -> Result<Host> {
        let netns = Netns::new(&self.lab, &plan.name)?;
        for (key, value) in BASELINE {
            netns.sysctl(key, value)?;
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
        Ok(Host { name: plan.name.clone(), netns })
    }

    /// Makes the veth pair: one end is the switch's port, the other the host's interface.
    fn plug(&self, host: &HostPlan, link: &LinkPlan, netns: &Netns) -> Result<()> {
        let Some(switch) = self.switches.get(&link.switch) else {
            bail!("host {}: no switch {}", host.name, link.switch);
        };
        let port = format!("{}.{}", host.name, link.interface);
        ensure!(port.len() < libc::IFNAMSIZ, "{port} is too long for an interface's name");
        switch.ip(&[
            format!(
                "link add {port} type veth peer name {} netns {}",
                link.interface,
                netns.name()
            ),
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
    netns: Netns,
}

impl Host {
    /// Its name in the plan.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace, to run things in.
    #[must_use]
    pub fn netns(&self) -> &Netns {
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
