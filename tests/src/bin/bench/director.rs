//! The product, loaded by its own code: program, rules, connections.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    maps::{Array, Map, MapData},
    programs::{ProgramFd, Xdp},
};
use lvs_common::{
    ABI_VERSION,
    conntable::{ends, shared},
    map::name,
    verdict::Reason,
};
use lvs_ctl::{
    dataplane::{
        DataPlane as _,
        kernel::{Kernel, load::Options},
    },
    model::{
        Change, Checksum, Dest, DestAddr, Family, Hop, LoopbackOnly, MarkRule, Method, Netmask,
        Persistence, Ports, Prefix, Protocol, SchedulerFlags, Service, ServiceId, Table, Tunnel,
        Way,
    },
};

use crate::world::{BPFFS, CLIENT_SIDE, DIRECTOR, DIRECTOR6, SERVER_SIDE, World};

/// Real servers of a service, if nothing else is said.
pub const REAL_SERVERS: u16 = 16;

/// The virtual service of DR.
pub const DR: Rules = Rules::new(0, Method::DirectRoute, v4([203, 0, 113, 1], 80));
/// That of NAT.
pub const NAT: Rules = Rules::new(1, Method::Masq, v4([203, 0, 113, 2], 80));
/// Those of tunnels.
pub const IPIP: Rules = Rules::new(2, Method::Tunnel(Tunnel::Ipip), v4([203, 0, 113, 3], 80));
/// See [`IPIP`].
pub const GUE: Rules = Rules::new(3, Method::Tunnel(GUE_6080), v4([203, 0, 113, 4], 80));
/// See [`IPIP`].
pub const GRE: Rules = Rules::new(4, Method::Tunnel(GRE_PLAIN), v4([203, 0, 113, 5], 80));
/// One whose clients come back to their real servers.
pub const PERSISTENT: Rules = Rules {
    persistence_s: Some(300),
    ..Rules::new(5, Method::DirectRoute, v4([203, 0, 113, 6], 80))
};
/// One of a firewall mark, which the packets to its address get.
pub const MARKED: Rules =
    Rules { mark: Some(7), ..Rules::new(6, Method::DirectRoute, v4([203, 0, 113, 7], 80)) };
/// Those of IPv6.
pub const DR6: Rules = Rules::new(7, Method::DirectRoute, v6(1, 80));
/// See [`DR6`].
pub const NAT6: Rules = Rules::new(8, Method::Masq, v6(2, 80));
/// See [`DR6`].
pub const IPIP6: Rules = Rules::new(9, Method::Tunnel(Tunnel::Ipip), v6(3, 80));

/// All of them.
pub const ALL: [Rules; 10] = [DR, NAT, IPIP, GUE, GRE, PERSISTENT, MARKED, DR6, NAT6, IPIP6];

const GUE_6080: Tunnel = Tunnel::Gue { port: 6080, checksum: Checksum::None };
const GRE_PLAIN: Tunnel = Tunnel::Gre { checksum: Checksum::None };

/// A virtual service with real servers of consecutive addresses.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Its address and port.
    pub service: SocketAddr,
    /// How its real servers are chosen.
    pub scheduler: &'static str,
    /// How many there are, a power of two.
    pub real_servers: u16,
    /// How packets get there.
    pub method: Method,
    weight: u32,
    persistence_s: Option<u32>,
    mark: Option<u32>,
    /// Which real servers: no other service's, unless it has the same number.
    number: u8,
}

/// A data plane, and what it was fed.
pub struct Director {
    kernel: Kernel,
    pins: PathBuf,
    rules: Vec<Rules>,
    /// What it must have counted.
    pub fed: Fed,
}

/// How many packets of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Of clients, forwarded.
    pub requests: u64,
    /// Of real servers, forwarded.
    pub replies: u64,
    /// Passed, being none of the director's.
    pub not_ours: u64,
}

/// A connection table, as it stood.
pub struct Snapshot(Box<dyn FnMut() -> Result<()>>);

impl Rules {
    /// A number of services that share their real servers.
    pub const SHARED: u8 = 31;

    /// By rr.
    pub const fn new(number: u8, method: Method, service: SocketAddr) -> Self {
        let (scheduler, real_servers) = ("rr", REAL_SERVERS);
        let (persistence_s, mark) = (None, None);
        let weight = 1;
        Self { service, scheduler, real_servers, method, weight, persistence_s, mark, number }
    }

    /// By another scheduler, of so many real servers.
    pub fn chosen_by(self, scheduler: &'static str, real_servers: u16) -> Self {
        // Of ovf the weight is how many connections a real server takes: all that there will be.
        let weight = if scheduler == "ovf" { 1 << 20 } else { 1 };
        Self { scheduler, real_servers, weight, ..self }
    }

    /// Address and port of a real server: 0 is the oldest, the last one the newest.
    pub fn real_server(&self, number: u16) -> SocketAddr {
        let [high, low] = number.to_be_bytes();
        let address: IpAddr = match self.service.ip() {
            IpAddr::V4(_) => [198, 18, self.number * 8 + high, low].into(),
            IpAddr::V6(_) => [0x2001, 0xdb8, 4, 0, 0, 0, u16::from(self.number), number + 1].into(),
        };
        let port = if self.method == Method::Masq { 8080 } else { self.service.port() };
        SocketAddr::new(address, port)
    }

    /// The real server that comes first where all are idle.
    pub fn newest(&self) -> u16 {
        self.real_servers - 1
    }

    /// Link-layer address of a real server.
    pub fn mac(&self, number: u16) -> [u8; 6] {
        let [high, low] = number.to_be_bytes();
        let [a, b, c, d] = self.macs();
        [a, b, c, d, high, low]
    }

    /// What the link-layer addresses of all its real servers begin with.
    pub fn macs(&self) -> [u8; 4] {
        [2, 0, 1, self.number]
    }

    /// As the model names it.
    fn id(&self) -> ServiceId {
        let (address, port) = (self.service.ip(), self.service.port());
        match self.mark {
            Some(mark) => ServiceId::Mark { mark, family: Family::Ipv4 },
            None => ServiceId::Address { protocol: Protocol::Tcp, address, port },
        }
    }

    fn dest(&self, number: u16) -> DestAddr {
        let real = self.real_server(number);
        // A mark's has no port of its own: the packet's stays.
        let port = if self.mark.is_some() { 0 } else { real.port() };
        DestAddr { address: real.ip(), port }
    }

    fn changes(&self) -> Vec<Change> {
        let netmask = Netmask::Ipv4(Ipv4Addr::BROADCAST);
        let service = Service {
            id: self.id(),
            scheduler: self.scheduler.into(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: self.persistence_s.map(|timeout_s| Persistence { timeout_s, netmask }),
            engine: None,
            one_packet: false,
        };
        let dests = (0..self.real_servers).map(|number| Change::AddDest {
            service: self.id(),
            dest: Dest {
                addr: self.dest(number),
                method: self.method,
                weight: self.weight,
                upper_threshold: 0,
                lower_threshold: 0,
            },
        });
        [Change::AddService(service)].into_iter().chain(dests).collect()
    }

    /// What gives packets the service's mark.
    fn marks(&self) -> Option<MarkRule> {
        let destination = Prefix::around(self.service.ip(), 32);
        let mark = self.mark?;
        Some(MarkRule { protocol: None, destination, ports: Ports::default(), mark })
    }

    /// Real servers of NAT are behind the other interface, the others beside the clients.
    fn hop(&self, world: &World, number: u16) -> Hop {
        let (interface, source) = match self.method {
            Method::Masq => (world.server_side, SERVER_SIDE),
            _ => (world.client_side, CLIENT_SIDE),
        };
        let is_v6 = self.service.is_ipv6();
        Hop {
            interface,
            interface_name: String::new(),
            mtu: 1500,
            destination: self.mac(number),
            source,
            from: if is_v6 { IpAddr::V6(DIRECTOR6) } else { IpAddr::V4(DIRECTOR) },
            reflects: true,
            tags: Vec::new(),
        }
    }
}

impl Director {
    /// Loads the program over new maps, with room for so many connections of each family and these
    /// services.
    pub fn new(world: &World, name: &str, connections: [u32; 2], rules: &[Rules]) -> Result<Self> {
        let [connections, connections6] = connections;
        let pins = PathBuf::from(BPFFS).join(name);
        let mut kernel =
            Kernel::new(&Options { pin_dir: pins.clone(), connections, connections6 })?;
        let mut table = Table::default();
        for change in rules.iter().flat_map(Rules::changes) {
            table.apply(&change, &LoopbackOnly)?;
        }
        let services: Vec<_> = rules.iter().map(Rules::id).collect();
        kernel.commit(&table, &services)?;
        let marks: Vec<_> = rules.iter().filter_map(Rules::marks).collect();
        kernel.set_marks(&marks)?;
        for rules in rules {
            for number in 0..rules.real_servers {
                let way = Way::Hop(rules.hop(world, number));
                kernel.resolve(rules.dest(number).address, &way)?;
            }
        }
        Ok(Self { kernel, pins, rules: rules.to_vec(), fed: Fed::default() })
    }

    /// The program, to be fed.
    pub fn target(&self) -> Result<&ProgramFd> {
        Ok(self.program()?.fd()?)
    }

    /// The program.
    pub fn program(&self) -> Result<&Xdp> {
        Ok(self.kernel.program()?)
    }

    /// The connection table of a service's family as it is.
    pub fn snapshot(&self, rules: &Rules) -> Result<Snapshot> {
        let version = self.pins.join(format!("v{ABI_VERSION}"));
        if rules.service.is_ipv6() {
            Snapshot::of::<{ ends::BUCKET }>(&version.join(name::CONNS6))
        } else {
            Snapshot::of::<{ shared::BUCKET }>(&version.join(name::CONNS))
        }
    }

    /// Fails unless everything that it was fed went where it should.
    pub fn check(&self) -> Result<()> {
        let mut counted = Fed::default();
        for rules in &self.rules {
            for number in 0..rules.real_servers {
                let counters = self.kernel.counters(&rules.id(), &rules.dest(number));
                counted.requests += counters.in_packets;
                counted.replies += counters.out_packets;
            }
        }
        let not_ours = Reason::NotOurs.name();
        let reasons = self.kernel.status().reasons;
        let stopped: Vec<_> =
            reasons.iter().filter(|it| it.packets > 0 && it.reason != not_ours).collect();
        ensure!(stopped.is_empty(), "packets were not forwarded: {stopped:?}");
        let passed = reasons.iter().find(|it| it.reason == not_ours);
        counted.not_ours = passed.context("NotOurs is not counted")?.packets;
        ensure!(counted == self.fed, "fed were {:?}, counted {counted:?}", self.fed);
        Ok(())
    }
}

impl Snapshot {
    fn of<const WORDS: usize>(pin: &Path) -> Result<Self> {
        let map = Map::Array(MapData::from_pin(pin)?);
        let mut buckets: Array<_, [u64; WORDS]> = Array::try_from(map)?;
        let values = buckets.iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Box::new(move || {
            let mut put = (0..).zip(&values);
            put.try_for_each(|(index, value)| Ok(buckets.set(index, value, 0)?))
        })))
    }

    /// Makes the table as it was then.
    pub fn restore(&mut self) -> Result<()> {
        (self.0)()
    }
}

const fn v4([a, b, c, d]: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

const fn v6(last: u16, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, last)), port)
}

impl Drop for Director {
    fn drop(&mut self) {
        if let Err(error) = Kernel::detach(&self.pins) {
            eprintln!("bench: {error}");
        }
    }
}
