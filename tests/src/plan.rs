//! A topology as data: which hosts, which switches, which links.
#![forbid(unsafe_code)]

use crate::offload::Offload;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub(crate) switches: Vec<String>,
    pub(crate) hosts: Vec<HostPlan>,
}

/// A host: its links, addresses, routes and sysctls.
#[derive(Debug, Clone)]
pub struct HostPlan {
    pub(crate) name: String,
    pub(crate) links: Vec<LinkPlan>,
    pub(crate) loopback: Vec<String>,
    pub(crate) routes: Vec<String>,
    pub(crate) sysctls: Vec<(String, String)>,
}

/// A link of a host to a switch.
#[derive(Debug, Clone)]
pub struct LinkPlan {
    pub(crate) interface: String,
    pub(crate) switch: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) offload: Offload,
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
