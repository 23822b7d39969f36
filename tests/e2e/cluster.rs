//! A cluster that runs: topology, director, services; and the two ways to forward.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use lvs_tests::{director, prelude::*};

/// How long something may take that takes no time on an idle machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// Dropped in this order.
pub(crate) struct Cluster {
    _web: Vec<Web>,
    pub(crate) director: Director,
    pub(crate) topology: Topology,
}

/// A forwarding method with its cluster's addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// As `ipvsadm -a` takes it.
    pub(crate) flag: &'static str,
    pub(crate) vip: Ipv4Addr,
    /// Name and address of the real servers.
    pub(crate) servers: [(&'static str, Ipv4Addr); 2],
}

pub(crate) const NAT: Way = Way { flag: "-m", vip: layout::NAT_VIP, servers: layout::NAT_SERVERS };
pub(crate) const DR: Way = Way { flag: "-g", vip: layout::DR_VIP, servers: layout::DR_SERVERS };
pub(crate) const BOTH: [Way; 2] = [NAT, DR];

impl Cluster {
    /// Both clusters of the manual behind one director whose links are prepared for native XDP.
    pub(crate) fn manual(mode: Mode) -> Self {
        Self::on(Topology::manual(Offload::Prepared).unwrap(), mode)
    }

    pub(crate) fn on(topology: Topology, mode: Mode) -> Self {
        let web = topology.serve(&Services::usual()).unwrap();
        Self::with(topology, web, mode)
    }

    /// The same with other services.
    pub(crate) fn with(topology: Topology, web: Vec<Web>, mode: Mode) -> Self {
        let director = Director::start(topology.host("director"), mode).unwrap();
        Self { _web: web, director, topology }
    }

    /// Both clusters of the manual, their controller run as `change` says.
    pub(crate) fn told(change: impl FnOnce(&Topology, &mut director::Settings)) -> Self {
        let topology = Topology::manual(Offload::Prepared).unwrap();
        let web = topology.serve(&Services::usual()).unwrap();
        let host = topology.host("director");
        let mut settings = director::Settings::new(host, Mode::Native);
        change(&topology, &mut settings);
        let director = Director::start_with(host, settings).unwrap();
        Self { _web: web, director, topology }
    }

    pub(crate) fn client(&self) -> Client<'_> {
        self.topology.host("client").client()
    }

    /// A service, `kind` being `-t` or `-u`, with both real servers, whose next hops are known when
    /// this returns. `scheduler` is as typed: `-s wrr`, or nothing.
    pub(crate) fn serve(&self, way: Way, kind: &str, port: u16, scheduler: &str) {
        let service = way.service(kind, port);
        let mut lines = vec![format!("-A {service} {scheduler}")];
        lines.extend(way.servers.iter().map(|(_, rip)| way.add(kind, port, *rip, 1)));
        for line in lines {
            self.director.ipvsadm(&line).unwrap();
        }
        self.director.wait_until_resolved().unwrap();
    }
}

impl Way {
    pub(crate) fn to(self, port: u16) -> SocketAddr {
        (self.vip, port).into()
    }

    /// As in `-t 192.168.4.5:80`.
    pub(crate) fn service(self, kind: &str, port: u16) -> String {
        format!("{kind} {}:{port}", self.vip)
    }

    pub(crate) fn add(self, kind: &str, port: u16, rip: Ipv4Addr, weight: u32) -> String {
        self.server("-a", kind, port, rip, weight)
    }

    pub(crate) fn edit(self, kind: &str, port: u16, rip: Ipv4Addr, weight: u32) -> String {
        self.server("-e", kind, port, rip, weight)
    }

    fn server(self, verb: &str, kind: &str, port: u16, rip: Ipv4Addr, weight: u32) -> String {
        format!("{verb} {} -r {rip}:{port} {} -w {weight}", self.service(kind, port), self.flag)
    }

    /// Expected answers of both servers.
    pub(crate) fn split(self, counts: [usize; 2]) -> [(&'static str, usize); 2] {
        [(self.servers[0].0, counts[0]), (self.servers[1].0, counts[1])]
    }
}
