//! The product, loaded by its own code: program, rules, connections.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    maps::{Array, Map, MapData},
    programs::{ProgramFd, Xdp},
};
use lvs_common::{ABI_VERSION, conntable::shared::BUCKET, map::name, verdict::Reason};
use lvs_ctl::{
    dataplane::{
        DataPlane as _,
        kernel::{Kernel, load::Options},
    },
    model::{
        Change, Dest, DestAddr, Hop, LoopbackOnly, Method, Protocol, SchedulerFlags, Service,
        ServiceId, Table, Tunnel, Way,
    },
};

use crate::world::{BPFFS, CLIENT_SIDE, DIRECTOR, DIRECTOR6, SERVER_SIDE, World};

/// Real servers of each service.
pub const REAL_SERVERS: u8 = 16;

/// The virtual service of DR.
pub const DR: Rules = Rules {
    service: v4([203, 0, 113, 1], 80),
    method: Method::DirectRoute,
    first: v4([198, 51, 100, 1], 80),
    number: 0,
};

/// The virtual service of NAT.
pub const NAT: Rules = Rules {
    service: v4([203, 0, 113, 2], 80),
    method: Method::Masq,
    first: v4([198, 51, 100, 101], 8080),
    number: 1,
};

/// That of tunnels: IP in IP.
pub const TUN: Rules = Rules {
    service: v4([203, 0, 113, 3], 80),
    method: Method::Tunnel(Tunnel::Ipip),
    first: v4([198, 51, 100, 201], 80),
    number: 2,
};

/// Those of IPv6.
pub const DR6: Rules = Rules {
    service: v6(0x2001_0db8_0003_0000_0000_0000_0000_0001, 80),
    method: Method::DirectRoute,
    first: v6(0x2001_0db8_0004_0000_0000_0000_0000_0001, 80),
    number: 3,
};
/// See [`DR6`].
pub const NAT6: Rules = Rules {
    service: v6(0x2001_0db8_0003_0000_0000_0000_0000_0002, 80),
    method: Method::Masq,
    first: v6(0x2001_0db8_0004_0000_0000_0000_0000_0101, 8080),
    number: 4,
};

const ALL: [Rules; 5] = [DR, NAT, TUN, DR6, NAT6];

/// A virtual service by rr, with real servers of consecutive addresses.
pub struct Rules {
    /// Its address and port.
    pub service: SocketAddr,
    method: Method,
    /// The first real server's.
    first: SocketAddr,
    number: u8,
}

/// A data plane, and what it was fed.
pub struct Director {
    kernel: Kernel,
    pins: PathBuf,
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
pub struct Snapshot {
    buckets: Array<MapData, [u64; BUCKET]>,
    values: Vec<[u64; BUCKET]>,
}

impl Rules {
    /// Address and port of a real server: 0 is the oldest, the last one the newest.
    pub fn real_server(&self, number: u8) -> SocketAddr {
        let address: IpAddr = match self.first.ip() {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + u32::from(number)).into(),
            IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() + u128::from(number)).into(),
        };
        SocketAddr::new(address, self.first.port())
    }

    /// Link-layer address of a real server.
    pub fn mac(&self, number: u8) -> [u8; 6] {
        [2, 0, 0, 1, self.number, number]
    }

    /// As the model names it.
    fn id(&self) -> ServiceId {
        let (address, port) = (self.service.ip(), self.service.port());
        ServiceId::Address { protocol: Protocol::Tcp, address, port }
    }

    fn dest(&self, number: u8) -> DestAddr {
        let real = self.real_server(number);
        DestAddr { address: real.ip(), port: real.port() }
    }

    fn changes(&self) -> Vec<Change> {
        let service = Service {
            id: self.id(),
            scheduler: "rr".into(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: None,
            engine: None,
            one_packet: false,
        };
        let dests = (0..REAL_SERVERS).map(|number| Change::AddDest {
            service: self.id(),
            dest: Dest {
                addr: self.dest(number),
                method: self.method,
                weight: 1,
                upper_threshold: 0,
                lower_threshold: 0,
            },
        });
        [Change::AddService(service)].into_iter().chain(dests).collect()
    }

    /// Real servers of NAT are behind the other interface, the others beside the clients.
    fn hop(&self, world: &World, number: u8) -> Hop {
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
    /// Loads the program over new maps, with room for so many connections of each family and all
    /// services.
    pub fn new(world: &World, name: &str, connections: [u32; 2]) -> Result<Self> {
        let [connections, connections6] = connections;
        let pins = PathBuf::from(BPFFS).join(name);
        let mut kernel =
            Kernel::new(&Options { pin_dir: pins.clone(), connections, connections6 })?;
        let mut table = Table::default();
        for change in ALL.iter().flat_map(Rules::changes) {
            table.apply(&change, &LoopbackOnly)?;
        }
        kernel.commit(&table, &ALL.map(|rules| rules.id()))?;
        for rules in ALL {
            for number in 0..REAL_SERVERS {
                let way = Way::Hop(rules.hop(world, number));
                kernel.resolve(rules.dest(number).address, &way)?;
            }
        }
        Ok(Self { kernel, pins, fed: Fed::default() })
    }

    /// The program, to be fed.
    pub fn target(&self) -> Result<&ProgramFd> {
        Ok(self.program()?.fd()?)
    }

    /// The program.
    pub fn program(&self) -> Result<&Xdp> {
        Ok(self.kernel.program()?)
    }

    /// The connection table as it is.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let pin = self.pins.join(format!("v{ABI_VERSION}")).join(name::CONNS);
        let buckets = Array::try_from(Map::Array(MapData::from_pin(pin)?))?;
        let values = buckets.iter().collect::<Result<_, _>>()?;
        Ok(Snapshot { buckets, values })
    }

    /// Fails unless everything that it was fed went where it should.
    pub fn check(&self) -> Result<()> {
        let mut counted = Fed::default();
        for rules in ALL {
            for number in 0..REAL_SERVERS {
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
    /// Makes the table as it was then.
    pub fn restore(&mut self) -> Result<()> {
        for (index, value) in (0..).zip(&self.values) {
            self.buckets.set(index, value, 0)?;
        }
        Ok(())
    }
}

const fn v4([a, b, c, d]: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

const fn v6(address: u128, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(address)), port)
}

impl Drop for Director {
    fn drop(&mut self) {
        if let Err(error) = Kernel::detach(&self.pins) {
            eprintln!("bench: {error}");
        }
    }
}
