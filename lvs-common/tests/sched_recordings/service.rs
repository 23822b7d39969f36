//! A virtual service of the model director: its real servers, and what its scheduler keeps.

use std::{
    cell::Cell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use lvs_common::{
    hash,
    sched::{
        Candidate, Flags, Hint, Kind, Locality, Pool, Remembered, Thresholds, Transparent, dh, mh,
        rr, sh, wrr,
    },
};

use crate::recording;

/// A real server, deleted ones included: connections may still hold them.
pub(crate) struct Dest {
    pub(crate) service: usize,
    pub(crate) at: SocketAddr,
    pub(crate) weight: u32,
    pub(crate) last_weight: u32,
    pub(crate) thresholds: Thresholds,
    pub(crate) overloaded: u32,
    pub(crate) active: u32,
    pub(crate) total: u32,
    pub(crate) is_present: bool,
}

/// How a service is found.
pub(crate) enum Key {
    Address { protocol: &'static str, at: SocketAddr },
    Mark { mark: u32, matches: Vec<(IpAddr, u32)> },
}

pub(crate) struct Service {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
    pub(crate) persist: Option<u64>,
    /// Bits of the client's address that persistence looks at.
    pub(crate) prefix: IpAddr,
    pub(crate) ops: bool,
    /// Indices of its real servers, newest first.
    pub(crate) list: Vec<u32>,
    cursor: Cell<u64>,
    table: Vec<u16>,
    memory: HashMap<IpAddr, (Cell<bool>, Remembered)>,
}

/// What edits of the list do to what the scheduler keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Add,
    Change,
    Delete,
}

/// How a scheduler is run; tests put mutants here.
pub(crate) type Choose = fn(Kind, Flags, Hint, wrr::Params, &ServicePool<'_>) -> Option<u32>;

impl Dest {
    pub(crate) fn candidate(&self) -> Candidate {
        Candidate {
            weight: self.weight,
            active: self.active,
            inactive: self.total - self.active,
            overloaded: self.overloaded,
        }
    }

    pub(crate) fn count(&mut self, total: i32, active: i32) {
        self.total = self.total.checked_add_signed(total).expect("as many as were counted");
        self.active = self.active.checked_add_signed(active).expect("as many as were counted");
        if total != 0 {
            self.check_threshold();
        }
    }

    pub(crate) fn check_threshold(&mut self) {
        self.overloaded = self.thresholds.overloaded(self.total, self.overloaded);
    }

    pub(crate) fn set_weight(&mut self, weight: u32) {
        self.weight = weight;
        if weight > 0 {
            self.last_weight = weight;
        }
    }
}

impl Service {
    pub(crate) fn new(of: &recording::Service) -> Self {
        let key = match of.kind.as_str() {
            "fwmark" => Key::Mark {
                mark: of.mark,
                matches: of.matches.iter().map(|text| prefix(text)).collect(),
            },
            kind => Key::Address {
                protocol: if kind == "tcp" { "TCP" } else { "UDP" },
                at: SocketAddr::new(of.addr.unwrap(), of.port),
            },
        };
        let mut service = Self {
            key,
            kind: Kind::Wlc,
            flags: Flags::default(),
            persist: None,
            prefix: IpAddr::from([0; 4]),
            ops: false,
            list: Vec::new(),
            cursor: Cell::new(rr::START),
            table: Vec::new(),
            memory: HashMap::new(),
        };
        service.set(&of.settings, &[]);
        service
    }

    /// `-E`.
    pub(crate) fn set(&mut self, settings: &recording::Settings, dests: &[Dest]) {
        let kind = Kind::try_from(settings.scheduler.as_str()).unwrap();
        self.flags = settings.flags.iter().fold(Flags::default(), |flags, flag| {
            flags
                | match flag.as_str() {
                    "sh-fallback" | "mh-fallback" => Flags::FALLBACK,
                    "sh-port" | "mh-port" => Flags::PORT,
                    other => panic!("flag {other}"),
                }
        });
        self.persist = settings.persist;
        self.prefix = netmask(settings.netmask.as_deref());
        self.ops = settings.ops;
        if kind != self.kind {
            self.kind = kind;
            self.cursor.set(match kind {
                Kind::Wrr => wrr::start(self.rounds(dests)),
                _ => rr::START,
            });
            self.memory.clear();
            self.build(dests);
        }
    }

    /// Changes the list and carries along what the scheduler keeps.
    pub(crate) fn edit(&mut self, edit: Edit, dests: &[Dest], change: impl FnOnce(&mut Vec<u32>)) {
        let before = self.list.clone();
        change(&mut self.list);
        match self.kind {
            Kind::Rr => self.cursor.set(rr::reseat(&before, &self.list, self.cursor.get())),
            Kind::Wrr => self.cursor.set(wrr::reseat(self.rounds(dests), self.cursor.get())),
            Kind::Dh if edit == Edit::Change => {}
            _ => self.build(dests),
        }
    }

    /// Chooses a real server for a client that calls `destination`.
    pub(crate) fn choose(
        &mut self,
        choose: Choose,
        dests: &[Dest],
        client: SocketAddr,
        destination: IpAddr,
        now_ns: u64,
        expiration_ns: u64,
    ) -> Option<usize> {
        self.memory.entry(destination).or_default();
        let pool = ServicePool { service: self, dests, destination, now_ns, expiration_ns };
        let hint = Hint {
            client: fold(client.ip()),
            client_port: client.port(),
            destination: fold(destination),
        };
        let position = choose(self.kind, self.flags, hint, self.rounds(dests), &pool)?;
        Some(self.list[position as usize] as usize)
    }

    fn rounds(&self, dests: &[Dest]) -> wrr::Params {
        wrr::params(self.list.iter().map(|&dest| dests[dest as usize].weight))
    }

    fn build(&mut self, dests: &[Dest]) {
        let list: Vec<&Dest> = self.list.iter().map(|&dest| &dests[dest as usize]).collect();
        let mut small = [0; sh::SIZE];
        let mut large = [0; mh::SIZE];
        self.table = match self.kind {
            Kind::Dh => {
                dh::build(list.len(), &mut small);
                small.to_vec()
            }
            Kind::Sh => {
                sh::build(&list.iter().map(|dest| dest.weight).collect::<Vec<_>>(), &mut small);
                small.to_vec()
            }
            Kind::Mh => {
                let server = |dest: &&Dest| mh::Server {
                    address: fold(dest.at.ip()),
                    port: dest.at.port(),
                    last_weight: dest.last_weight,
                };
                let servers: Vec<_> = list.iter().map(server).collect();
                mh::build(&servers, &mut vec![mh::Walk::default(); servers.len()], &mut large)
                    .unwrap();
                large.to_vec()
            }
            _ => Vec::new(),
        };
    }
}

/// A service's real servers for one packet.
pub(crate) struct ServicePool<'a> {
    service: &'a Service,
    dests: &'a [Dest],
    destination: IpAddr,
    now_ns: u64,
    expiration_ns: u64,
}

impl Pool for ServicePool<'_> {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        u32::try_from(self.service.list.len()).unwrap()
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        let dest = *self.service.list.get(position as usize)?;
        Some(self.dests[dest as usize].candidate())
    }

    fn bucket(&self, index: u32) -> Option<u32> {
        let position = *self.service.table.get(index as usize)?;
        (position != u16::MAX).then_some(u32::from(position))
    }

    fn cursor(&self) -> u64 {
        self.service.cursor.get()
    }

    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        assert_eq!(self.service.cursor.replace(new), seen);
        true
    }

    fn random(&self) -> u32 {
        unreachable!("no recording has a random scheduler")
    }
}

impl Locality for ServicePool<'_> {
    fn remembered(&self) -> Option<&Remembered> {
        let (is_known, remembered) = &self.service.memory[&self.destination];
        is_known.get().then_some(remembered)
    }

    fn begin(&self) -> Option<&Remembered> {
        let (is_known, remembered) = &self.service.memory[&self.destination];
        is_known.set(true);
        Some(remembered)
    }

    fn id(&self, position: u32) -> Option<u32> {
        self.service.list.get(position as usize).copied()
    }

    fn position(&self, id: u32) -> Option<u32> {
        let position = self.service.list.iter().position(|&dest| dest == id)?;
        Some(u32::try_from(position).unwrap())
    }

    fn server(&self, id: u32) -> Option<Candidate> {
        let dest = self.dests.get(id as usize)?;
        let candidate = dest.candidate();
        Some(if dest.is_present { candidate } else { Candidate { overloaded: 1, ..candidate } })
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn expiration_ns(&self) -> u64 {
        self.expiration_ns
    }
}

/// An address as the hashes take it.
fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let word =
                |at: usize| u32::from_be_bytes(*address.octets()[at..].first_chunk().unwrap());
            hash::fold_v6([0, 4, 8, 12].map(word))
        }
    }
}

/// Whether an address lies within a prefix.
pub(crate) fn is_within(address: IpAddr, (network, length): (IpAddr, u32)) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= length,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= length,
        _ => false,
    }
}

fn prefix(text: &str) -> (IpAddr, u32) {
    let (address, length) = text.split_once('/').unwrap();
    (address.parse().unwrap(), length.parse().unwrap())
}

/// A netmask (IPv4) or prefix length (IPv6); without one all bits.
fn netmask(text: Option<&str>) -> IpAddr {
    let Some(text) = text else { return IpAddr::from([0xff; 16]) };
    text.parse().unwrap_or_else(|_| {
        let length: u32 = text.parse().unwrap();
        IpAddr::from((u128::MAX << (128 - length)).to_be_bytes())
    })
}
