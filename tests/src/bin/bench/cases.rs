//! The cases of the table, at one number of flows.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddrV4},
    rc::Rc,
};

use anyhow::{Context as _, Result};
use aya::programs::Xdp;
use lvs_common::{conntable, wire::Tcp};

use crate::{
    director::{DR, Director, NAT, REAL_SERVERS, Rules},
    feeder::{Action, Feed, Feeder, Order, PASS, REDIRECT, TX},
    frame::Segment,
    subject::{Kind, State, Subject},
    world::{CLIENT_SIDE, ROUTER, SERVER_SIDE, World},
    yardstick::Yardstick,
};

/// The case that others are compared to.
pub const YARDSTICK: &str = "yardstick: a minimal DR";

/// The first client of established connections.
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1024);
/// The first client of new ones.
const NEW_CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(172, 16, 0, 1), 1024);
/// Neither a virtual service nor a real server.
const STRANGER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 77), 80);
/// Cases that share a director.
const GROUPS: [(&[&str], Make); 4] = [
    (&[DR_ESTABLISHED, NOT_OURS], |bench| bench.dr()),
    (&[NAT_REQUEST, NAT_REPLY], |bench| bench.nat()),
    (&[NEW], |bench| bench.opening()),
    (&[FLOOD], |bench| bench.flood()),
];
const DR_ESTABLISHED: &str = "DR, established";
const NOT_OURS: &str = "not ours";
const NAT_REQUEST: &str = "NAT, request";
const NAT_REPLY: &str = "NAT, reply";
const NEW: &str = "new, half full";
const FLOOD: &str = "new, full of half-open";

/// More flows than are ever fed.
const ENDLESS: u32 = 1 << 31;

/// The cases, and what they work on.
pub struct Cases {
    /// The lines of the table.
    pub subjects: Vec<Subject>,
    directors: Vec<Rc<RefCell<Director>>>,
    yardstick: Yardstick,
}

/// Makes those with `only` in their name, with `packets` a round.
pub fn all(world: &World, object: &[u8], flows: u32, packets: u32, only: &str) -> Result<Cases> {
    let bench = Bench { world, object, flows, packets };
    let (minimal, yardstick) = bench.yardstick()?;
    let mut cases = Cases { subjects: vec![minimal], directors: Vec::new(), yardstick };
    for (names, make) in GROUPS {
        if names.iter().any(|name| name.contains(only)) {
            let (director, mut subjects) = make(&bench)?;
            subjects.retain(|subject| subject.name.contains(only));
            cases.directors.push(director);
            cases.subjects.extend(subjects);
        }
    }
    Ok(cases)
}

impl Cases {
    /// Fails unless every packet went where it should.
    pub fn check(&self) -> Result<()> {
        self.directors.iter().try_for_each(|director| director.borrow().check())
    }

    /// Shows the director's program and the yardstick.
    pub fn programs<R>(&self, see: impl FnOnce(&Xdp, &Xdp) -> Result<R>) -> Result<R> {
        let director = self.directors.first().context("there is a director")?.borrow();
        see(director.program()?, self.yardstick.program()?)
    }
}

type Make = fn(&Bench<'_>) -> Result<Made>;
type Made = (Rc<RefCell<Director>>, Vec<Subject>);

struct Bench<'a> {
    world: &'a World,
    object: &'a [u8],
    flows: u32,
    packets: u32,
}

impl Bench<'_> {
    fn yardstick(&self) -> Result<(Subject, Yardstick)> {
        let segment = request(&DR, CLIENT, Tcp::ACK);
        let feed = self.feed(segment, Order::Random);
        let yardstick = Yardstick::new(self.object, &feed)?;
        let target = yardstick.program()?.fd()?;
        let sent = Segment { from: CLIENT_SIDE, to: ROUTER, ..segment };
        let in_turn = Feed { order: Order::Turn, ..feed };
        Feeder::new(self.object, &in_turn, Some(target))?.expect(TX, &sent.frame())?;
        let (object, packets) = (self.object, self.packets);
        let subject = Subject::new(YARDSTICK, object, &feed, target, TX, packets, State::Own)?;
        Ok((subject, yardstick))
    }

    /// Requests of established connections of DR, and packets of others.
    fn dr(&self) -> Result<Made> {
        let mut director = self.director("dr", self.flows)?;
        self.establish(&mut director, &DR, self.flows)?;
        let director = Rc::new(RefCell::new(director));
        let segment = request(&DR, CLIENT, Tcp::ACK);
        let established = self.shared(
            DR_ESTABLISHED,
            &director,
            Kind::Request,
            Way { feed: self.feed(segment, Order::Random), action: TX, sent: to_dr(segment) },
        )?;
        let segment = Segment { destination: STRANGER, ..segment };
        let not_ours = self.shared(
            NOT_OURS,
            &director,
            Kind::NotOurs,
            Way { feed: self.feed(segment, Order::Random), action: PASS, sent: segment },
        )?;
        Ok((director, vec![established, not_ours]))
    }

    /// Both directions of established connections of NAT.
    fn nat(&self) -> Result<Made> {
        let mut director = self.director("nat", self.flows)?;
        self.establish(&mut director, &NAT, self.flows)?;
        let director = Rc::new(RefCell::new(director));
        let newest = REAL_SERVERS - 1;

        let segment = request(&NAT, CLIENT, Tcp::ACK);
        let requests = self.shared(
            NAT_REQUEST,
            &director,
            Kind::Request,
            Way {
                feed: self.feed(segment, Order::Random),
                action: REDIRECT,
                sent: Segment {
                    from: SERVER_SIDE,
                    to: NAT.mac(newest),
                    destination: NAT.real_server(newest),
                    ttl: segment.ttl - 1,
                    ..segment
                },
            },
        )?;

        let segment = Segment {
            from: NAT.mac(newest),
            to: SERVER_SIDE,
            source: NAT.real_server(newest),
            destination: CLIENT,
            ..segment
        };
        let sent = Segment {
            from: CLIENT_SIDE,
            to: ROUTER,
            source: NAT.service,
            ttl: segment.ttl - 1,
            ..segment
        };
        let feed = Feed {
            real_servers: u32::from(REAL_SERVERS),
            ingress: self.world.server_side,
            ..self.feed(segment, Order::Random)
        };
        let way = Way { feed, action: REDIRECT, sent };
        let replies = self.shared(NAT_REPLY, &director, Kind::Reply, way)?;
        Ok((director, vec![requests, replies]))
    }

    /// Every packet opens a connection, in a table that is half full.
    fn opening(&self) -> Result<Made> {
        let mut director = self.director("new", self.flows)?;
        let way = self.syns();
        self.expect(&mut director, &way)?;
        // Half full on average of what counts of a round, which adds a quarter at most.
        let packets = self.packets.min(self.places() / 4);
        self.establish(&mut director, &DR, (self.places() - packets) / 2)?;
        let snapshot = director.snapshot()?;
        let director = Rc::new(RefCell::new(director));
        let state = State::Restored(director.clone(), snapshot);
        let new = self.subject(NEW, &director, way, packets, state)?;
        Ok((director, vec![new]))
    }

    /// Every packet opens a connection, in a table that is full of half-open ones.
    fn flood(&self) -> Result<Made> {
        let mut director = self.director("flood", self.flows)?;
        let way = self.syns();
        self.expect(&mut director, &way)?;
        let syn = request(&DR, CLIENT, Tcp::SYN);
        self.send(&mut director, syn, self.places() / 4 * 5)?;
        let director = Rc::new(RefCell::new(director));
        let state = State::Shared(director.clone(), Kind::Request);
        let flood = self.subject(FLOOD, &director, way, self.packets, state)?;
        Ok((director, vec![flood]))
    }

    fn director(&self, name: &str, connections: u32) -> Result<Director> {
        Director::new(self.world, name, connections)
    }

    /// Connections that a table for this many flows has room for.
    fn places(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "eight")]
        const WAYS: u32 = conntable::WAYS as u32;
        (self.flows * 2).div_ceil(WAYS).next_power_of_two().max(64) * WAYS
    }

    fn feed(&self, segment: Segment, order: Order) -> Feed {
        Feed { segment, flows: self.flows, order, real_servers: 0, ingress: self.world.client_side }
    }

    fn syns(&self) -> Way {
        let segment = request(&DR, NEW_CLIENT, Tcp::SYN);
        let feed = Feed { flows: ENDLESS, ..self.feed(segment, Order::Turn) };
        Way { feed, action: TX, sent: to_dr(segment) }
    }

    /// Opens connections: a SYN each, then an ACK.
    fn establish(&self, director: &mut Director, rules: &Rules, flows: u32) -> Result<()> {
        for flags in [Tcp::SYN, Tcp::ACK] {
            self.send(director, request(rules, CLIENT, flags), flows)?;
        }
        Ok(())
    }

    /// One packet of each flow.
    fn send(&self, director: &mut Director, segment: Segment, flows: u32) -> Result<()> {
        let feed = Feed { flows, ..self.feed(segment, Order::Turn) };
        Feeder::new(self.object, &feed, Some(director.target()?))?.run(flows)?;
        Kind::Request.note(&mut director.fed, flows);
        Ok(())
    }

    fn shared(
        &self,
        name: &'static str,
        director: &Rc<RefCell<Director>>,
        kind: Kind,
        way: Way,
    ) -> Result<Subject> {
        self.first(&director.borrow(), &way).context(name)?;
        kind.note(&mut director.borrow_mut().fed, 1);
        let state = State::Shared(director.clone(), kind);
        self.subject(name, director, way, self.packets, state)
    }

    fn subject(
        &self,
        name: &'static str,
        director: &Rc<RefCell<Director>>,
        way: Way,
        packets: u32,
        state: State,
    ) -> Result<Subject> {
        let target = director.borrow();
        let target = target.target()?;
        Subject::new(name, self.object, &way.feed, target, way.action, packets, state)
    }

    fn expect(&self, director: &mut Director, way: &Way) -> Result<()> {
        self.first(director, way)?;
        Kind::Request.note(&mut director.fed, 1);
        Ok(())
    }

    /// Looks at what becomes of the first flow's packet, to the byte: a drop is fast.
    fn first(&self, director: &Director, way: &Way) -> Result<()> {
        let feed = Feed { order: Order::Turn, ..way.feed };
        let feeder = Feeder::new(self.object, &feed, Some(director.target()?))?;
        feeder.expect(way.action, &way.sent.frame())
    }
}

/// Packets, and what has to become of the first flow's.
#[derive(Clone, Copy)]
struct Way {
    feed: Feed,
    action: Action,
    sent: Segment,
}

fn request(rules: &Rules, client: SocketAddrV4, flags: u8) -> Segment {
    Segment {
        from: ROUTER,
        to: CLIENT_SIDE,
        source: client,
        destination: rules.service,
        ttl: 64,
        flags,
    }
}

/// As it leaves to the real server that comes first: the newest.
fn to_dr(segment: Segment) -> Segment {
    let to = DR.mac(REAL_SERVERS - 1);
    Segment { from: CLIENT_SIDE, to, ttl: segment.ttl - 1, ..segment }
}
