//! The cases of the table, at one number of flows.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
};

use anyhow::{Context as _, Result};
use aya::programs::Xdp;
use lvs_common::{conntable, wire::Tcp};

use crate::{
    director::{DR, DR6, Director, NAT, NAT6, REAL_SERVERS, Rules, TUN},
    feeder::{Action, Feed, Feeder, Order, PASS, REDIRECT, Sent, TX},
    frame::Segment,
    subject::{Kind, State, Subject},
    world::{CLIENT_SIDE, ROUTER, SERVER_SIDE, World},
    yardstick::Yardstick,
};

/// The case that others are compared to.
pub const YARDSTICK: &str = "yardstick: a minimal DR";

/// The first client of established connections.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1024);
const CLIENT6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)), 1024);
/// The first client of new ones.
const NEW_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(172, 16, 0, 1)), 1024);
/// Neither a virtual service nor a real server.
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)), 80);
const STRANGER6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x77)), 80);
/// Cases that share a director.
const GROUPS: [(&[&str], Make); 7] = [
    (&[DR_ESTABLISHED, NOT_OURS], |bench| bench.dr([DR_ESTABLISHED, NOT_OURS], &DR, STRANGER)),
    (&[NAT_REQUEST, NAT_REPLY], |bench| bench.nat([NAT_REQUEST, NAT_REPLY], &NAT)),
    (&[TUN_ESTABLISHED], |bench| bench.tun()),
    (&[DR6_ESTABLISHED, NOT_OURS6], |bench| {
        bench.dr([DR6_ESTABLISHED, NOT_OURS6], &DR6, STRANGER6)
    }),
    (&[NAT6_REQUEST, NAT6_REPLY], |bench| bench.nat([NAT6_REQUEST, NAT6_REPLY], &NAT6)),
    (&[NEW], |bench| bench.opening()),
    (&[FLOOD], |bench| bench.flood()),
];
const DR_ESTABLISHED: &str = "DR, established";
const NOT_OURS: &str = "not ours";
const NAT_REQUEST: &str = "NAT, request";
const NAT_REPLY: &str = "NAT, reply";
const TUN_ESTABLISHED: &str = "TUN, established";
const DR6_ESTABLISHED: &str = "IPv6: DR, established";
const NOT_OURS6: &str = "IPv6: not ours";
const NAT6_REQUEST: &str = "IPv6: NAT, request";
const NAT6_REPLY: &str = "IPv6: NAT, reply";
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
        Feeder::new(self.object, &in_turn, Some(target))?.expect(TX, &Sent::Frame(sent))?;
        let (object, packets) = (self.object, self.packets);
        let subject = Subject::new(YARDSTICK, object, &feed, target, TX, packets, State::Own)?;
        Ok((subject, yardstick))
    }

    /// Requests of established connections of DR, and packets of others.
    fn dr(&self, names: [&'static str; 2], rules: &Rules, stranger: SocketAddr) -> Result<Made> {
        let director = self.established(names[0], rules)?;
        let segment = request(rules, client(rules), Tcp::ACK);
        let sent = Sent::Frame(to_dr(rules, segment));
        let way = Way { feed: self.feed(segment, Order::Random), action: TX, sent };
        let established = self.shared(names[0], &director, Kind::Request, way)?;
        let segment = Segment { destination: stranger, ..segment };
        let sent = Sent::Frame(segment);
        let way = Way { feed: self.feed(segment, Order::Random), action: PASS, sent };
        let not_ours = self.shared(names[1], &director, Kind::NotOurs, way)?;
        Ok((director, vec![established, not_ours]))
    }

    /// Requests of established connections that go into tunnels.
    fn tun(&self) -> Result<Made> {
        const OUTER: usize = 20;
        let director = self.established("tun", &TUN)?;
        let segment = request(&TUN, CLIENT, Tcp::ACK);
        let sent = Sent::Inside(OUTER, Segment { ttl: segment.ttl - 1, ..segment });
        let way = Way { feed: self.feed(segment, Order::Random), action: TX, sent };
        let established = self.shared(TUN_ESTABLISHED, &director, Kind::Request, way)?;
        Ok((director, vec![established]))
    }

    /// A director with as many established connections of a service as there are flows.
    fn established(&self, name: &str, rules: &Rules) -> Result<Rc<RefCell<Director>>> {
        let room = if rules.service.is_ipv6() { [1, self.flows] } else { [self.flows, 1] };
        let name = name.replace([' ', ':', ','], "");
        let mut director = Director::new(self.world, &name, room)?;
        self.establish(&mut director, rules, self.flows)?;
        Ok(Rc::new(RefCell::new(director)))
    }

    /// Both directions of established connections of NAT.
    fn nat(&self, names: [&'static str; 2], rules: &Rules) -> Result<Made> {
        let director = self.established(names[0], rules)?;
        let newest = REAL_SERVERS - 1;

        let segment = request(rules, client(rules), Tcp::ACK);
        let requests = self.shared(
            names[0],
            &director,
            Kind::Request,
            Way {
                feed: self.feed(segment, Order::Random),
                action: REDIRECT,
                sent: Sent::Frame(Segment {
                    from: SERVER_SIDE,
                    to: rules.mac(newest),
                    destination: rules.real_server(newest),
                    ttl: segment.ttl - 1,
                    ..segment
                }),
            },
        )?;

        let segment = Segment {
            from: rules.mac(newest),
            to: SERVER_SIDE,
            source: rules.real_server(newest),
            destination: client(rules),
            ..segment
        };
        let sent = Sent::Frame(Segment {
            from: CLIENT_SIDE,
            to: ROUTER,
            source: rules.service,
            ttl: segment.ttl - 1,
            ..segment
        });
        let feed = Feed {
            real_servers: u32::from(REAL_SERVERS),
            ingress: self.world.server_side,
            ..self.feed(segment, Order::Random)
        };
        let way = Way { feed, action: REDIRECT, sent };
        let replies = self.shared(names[1], &director, Kind::Reply, way)?;
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
        Director::new(self.world, name, [connections, 1])
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
        Way { feed, action: TX, sent: Sent::Frame(to_dr(&DR, segment)) }
    }

    /// Opens connections: a SYN each, then an ACK.
    fn establish(&self, director: &mut Director, rules: &Rules, flows: u32) -> Result<()> {
        for flags in [Tcp::SYN, Tcp::ACK] {
            self.send(director, request(rules, client(rules), flags), flows)?;
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
        feeder.expect(way.action, &way.sent)
    }
}

/// Packets, and what has to become of the first flow's.
#[derive(Clone, Copy)]
struct Way {
    feed: Feed,
    action: Action,
    sent: Sent,
}

/// The first client of a service's established connections.
fn client(rules: &Rules) -> SocketAddr {
    if rules.service.is_ipv6() { CLIENT6 } else { CLIENT }
}

fn request(rules: &Rules, client: SocketAddr, flags: u8) -> Segment {
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
fn to_dr(rules: &Rules, segment: Segment) -> Segment {
    let to = rules.mac(REAL_SERVERS - 1);
    Segment { from: CLIENT_SIDE, to, ttl: segment.ttl - 1, ..segment }
}
