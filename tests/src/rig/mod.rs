//! The rig: the loaded program in a network of its own, frame by frame, with a clock that is moved by hand.
//!
//! What forwards is the product: `lvs-ctl`'s ipvsadm, director and kernel data plane, and the program as
//! the kernel runs it (`BPF_PROG_TEST_RUN`). What is made up is what stands around it: one router toward
//! all clients, real servers that are a MAC each, and time. Needs root.
//!
//! | module | what |
//! |---|---|
//! | [`packet`] | packets as tests speak of them, and as frames |
//! | [`icmp`] | errors, and the way of those about tunnels |
//! | `place` | the thread's own network, mounts and bpffs |
//! | `run` | one frame through the program |
//! | [`burst`] | one packet from ever other clients |
//! | [`feed`] | frames of any kind, one after the other |
//! | `clock` | time, let pass by hand |
//! | `lines` | command lines, to the director next door |
//! | `switches` | tunables and marks, and taking them back |
//! | `wire` | frames sent for real |
//! | [`way`] | which way a packet went, and whether it did so to the byte |

pub mod burst;
mod clock;
pub mod feed;
pub mod icmp;
mod lines;
pub mod packet;
mod place;
mod run;
mod switches;
pub mod way;
mod wire;

use std::{
    collections::BTreeSet, net::IpAddr, ops::ControlFlow, path::Path, sync::Arc, time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::Xdp;
use aya_obj::programs::XdpAttachType;
use lvs_ctl::{
    dataplane::{
        DataPlane as _,
        kernel::{Kernel, Sweeper, Time, attach::Hook, load},
    },
    director::{
        ChangeRequest, Changed, ConnectionQuery, Director, DirectorError, ListQuery, Listing,
        Options,
    },
    model::{Change, Connection, Hop, LoopbackOnly, Timeouts, Way},
};

pub use self::{
    lines::Said,
    place::{DIP, DIP6, Place},
    run::{Action, Fate, run},
};
use self::{
    packet::{Mac, Packet},
    place::Interface,
    switches::Switched,
};

/// Longer than anything lasts.
const LONG: Duration = Duration::from_hours(24);

/// A loaded program with a director and everything around them.
pub struct Rig<'p> {
    place: &'p Place,
    program: Xdp,
    director: Director<Kernel>,
    time: Time,
    sweeper: Arc<Sweeper>,
    /// Time that was let pass.
    elapsed: Duration,
    /// Packets for which there was no real server, so far.
    no_dest: u64,
    /// Addresses of real servers, those included that are gone.
    known: BTreeSet<IpAddr>,
    /// Places in tables that are in use without a rule.
    empty: Vec<(String, u64)>,
    switched: Switched,
    /// Of the links to real servers.
    mtu: u32,
}

/// Where a frame came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the router toward the clients.
    Clients,
    /// From the real servers' network.
    Servers,
}

impl<'p> Rig<'p> {
    /// Loads the program, over new maps, and starts a director without rules.
    ///
    /// # Errors
    /// The kernel refuses something.
    pub fn new(place: &'p Place) -> Result<Self> {
        Self::sized(place, 4096)
    }

    /// The same, with a connection table for so many.
    ///
    /// # Errors
    /// As there.
    pub fn sized(place: &'p Place, connections: u32) -> Result<Self> {
        place.clear()?;
        let pin_dir = place.bpffs().join("lvs");
        let options = load::Options { pin_dir, connections, connections6: connections };
        let mut kernel = Kernel::new(&options)?;
        kernel.attach(place.clients.name, Hook::Generic, "for frames of any length".to_owned())?;
        let (time, sweeper) = (kernel.time(), Arc::new(kernel.sweeper()));
        let pin = place.bpffs().join("program");
        kernel.program_mut()?.pin(&pin).context("cannot pin the program")?;
        let program = Self::another(&pin)?;
        let director = Director::new(kernel, Box::new(LoopbackOnly), Options::default());
        let empty = places(&director);
        Ok(Self {
            place,
            program,
            director,
            time,
            sweeper,
            elapsed: Duration::ZERO,
            no_dest: 0,
            known: BTreeSet::new(),
            empty,
            switched: Switched::default(),
            mtu: place::MTU,
        })
    }

    /// Another handle on the program, for another thread: see [`run`].
    ///
    /// # Errors
    /// The kernel has no descriptor to give.
    pub fn program(&self) -> Result<Xdp> {
        Self::another(&self.place.bpffs().join("program"))
    }

    /// Everything as after [`Self::new`], but sooner: the kernel does not have to look at the program again.
    ///
    /// # Errors
    /// Something is left over, which is a fault of the product's.
    pub fn reset(&mut self) -> Result<()> {
        let defaults = Timeouts::default();
        self.must("ipvsadm -C")?;
        self.switch_back()?;
        self.must(&format!(
            "ipvsadm --set {} {} {}",
            defaults.tcp_s, defaults.tcp_fin_s, defaults.udp_s
        ))?;
        // Templates outlive their connections; a real server's slot is kept until the last of them.
        for _ in 0..3 {
            self.time.advance(LONG);
            self.sweep();
            self.director.tick();
        }
        let left = self.must("ipvsadm -Lnc")?;
        ensure!(left.lines().count() == 2, "connections that do not end:\n{left}");
        let (left, empty) = (places(&self.director), &self.empty);
        ensure!(left == *empty, "places that are not given back: {left:?}, of {empty:?}");
        Ok(())
    }

    /// Runs a line of ipvsadm or lvs-ctl, the word itself included, as far as its words are separated by blanks.
    pub fn type_in(&mut self, line: &str) -> Said {
        let said = lines::run(&mut self.director, line);
        self.show_ways();
        said
    }

    /// As [`Self::type_in`], for a line that must do.
    ///
    /// # Errors
    /// What it said instead.
    pub fn must(&mut self, line: &str) -> Result<String> {
        let said = self.type_in(line);
        ensure!(said.exit == 0, "`{line}`: exit {}, {}", said.exit, said.error.trim());
        Ok(said.output)
    }

    /// Makes changes that would be too many lines.
    ///
    /// # Errors
    /// None was made.
    pub fn change(&mut self, changes: Vec<Change>) -> Result<Changed, DirectorError> {
        let request = ChangeRequest { changes, ..ChangeRequest::default() };
        let answer = self.director.change(&request);
        self.show_ways();
        answer
    }

    /// The services and their real servers, newest first.
    ///
    /// # Panics
    /// If the director has nothing to say.
    #[must_use]
    pub fn listing(&self) -> Listing {
        self.director.listing(&ListQuery::default()).expect("a listing of everything")
    }

    /// The same with counters.
    ///
    /// # Panics
    /// If the director has nothing to say.
    #[must_use]
    pub fn counted(&self) -> Listing {
        let query = ListQuery { stats: true, ..ListQuery::default() };
        self.director.listing(&query).expect("a listing of everything")
    }

    /// The connections in the table.
    ///
    /// # Panics
    /// If the table cannot be read.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        let mut all = Vec::new();
        self.each_connection(&ConnectionQuery::default(), &mut |connection| all.push(connection));
        all
    }

    /// Shows those connections that a query wants.
    ///
    /// # Panics
    /// If the table cannot be read.
    pub fn each_connection(&self, query: &ConnectionQuery, visit: &mut dyn FnMut(Connection)) {
        let found = self.director.connections(query.clone());
        let shown = found.visit(&mut |connection| {
            visit(connection);
            ControlFlow::Continue(())
        });
        shown.expect("the connections of the table");
    }

    /// Packets that were not forwarded, by the name of the reason.
    #[must_use]
    pub fn reason(&self, name: &str) -> u64 {
        let reasons = self.director.status().plane.reasons;
        reasons.iter().find(|count| count.reason == name).map_or(0, |count| count.packets)
    }

    /// Every reason that packets have been counted under.
    #[must_use]
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let reasons = self.director.status().plane.reasons.into_iter();
        reasons
            .filter(|count| count.packets > 0)
            .map(|count| (count.reason, count.packets))
            .collect()
    }

    /// Places in use in one of the data plane's tables.
    #[must_use]
    pub fn used(&self, table: &str) -> Option<u64> {
        places(&self.director).into_iter().find(|(name, _)| name == table).map(|(_, used)| used)
    }

    /// Gives the links to real servers this MTU; all of them take anything before.
    pub fn set_mtu(&mut self, mtu: u32) {
        self.mtu = mtu;
        self.show_ways();
    }

    /// The MAC of the interface on a side.
    #[must_use]
    pub fn mac(&self, side: Side) -> Mac {
        self.interface(side).mac
    }

    /// Runs the program on a frame that came in on a side.
    ///
    /// # Errors
    /// The kernel does not run it.
    pub fn send_bytes(&self, side: Side, frame: &[u8]) -> Result<Fate> {
        run(&self.program, self.index(side), frame)
    }

    /// Sends a frame through the program.
    ///
    /// # Errors
    /// The kernel does not run it.
    pub fn send(&self, side: Side, packet: &Packet) -> Result<Fate> {
        run(&self.program, self.index(side), &self.arriving(side, packet))
    }

    /// The frame that brings a packet to the director.
    #[must_use]
    pub fn arriving(&self, side: Side, packet: &Packet) -> Vec<u8> {
        packet.frame(self.interface(side).mac, neighbour(side, packet))
    }

    /// The number of the interface on a side.
    #[must_use]
    pub fn index(&self, side: Side) -> u32 {
        self.interface(side).index
    }

    /// The frame that takes a packet out of the director: to a neighbour, by the interface on that side.
    #[must_use]
    pub fn outward(&self, side: Side, to: Mac, packet: &Packet) -> Vec<u8> {
        packet.frame(to, self.interface(side).mac)
    }

    fn another(pin: &Path) -> Result<Xdp> {
        Xdp::from_pin(pin, XdpAttachType::Interface).context("cannot take hold of the program")
    }

    /// Tells the director the way to every real server that it has come to know.
    fn show_ways(&mut self) {
        let addresses = self.director.ways().borrow().addresses.clone();
        self.known.extend(&addresses);
        let server_side = &self.place.servers;
        let way = |address: IpAddr| {
            Way::Hop(Hop {
                interface: server_side.index,
                interface_name: server_side.name.to_owned(),
                mtu: self.mtu,
                destination: packet::mac_of(address),
                source: server_side.mac,
                from: if address.is_ipv4() { DIP } else { DIP6 },
                reflects: false,
                tags: Vec::new(),
            })
        };
        self.director
            .resolve(addresses.into_iter().map(|address| (address, way(address))).collect());
    }

    fn interface(&self, side: Side) -> &Interface {
        match side {
            Side::Clients => &self.place.clients,
            Side::Servers => &self.place.servers,
        }
    }
}

/// Whoever hands the director a packet on that side.
fn neighbour(side: Side, packet: &Packet) -> Mac {
    match side {
        Side::Clients => place::ROUTER,
        Side::Servers => packet::mac_of(packet.from.ip()),
    }
}

/// Places in use, by what they hold.
fn places(director: &Director<Kernel>) -> Vec<(String, u64)> {
    let tables = director.status().plane.tables.into_iter();
    tables.map(|table| (table.name, table.used)).collect()
}

/// The router toward all clients.
#[must_use]
pub fn router() -> Mac {
    place::ROUTER
}
