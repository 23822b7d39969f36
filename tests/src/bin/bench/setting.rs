//! How the cases are made.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use anyhow::{Context as _, Result};
use lvs_common::{conntable, wire::Tcp};
use lvs_ctl::model::Method;

use crate::{
    cases::{Made, YARDSTICK},
    director::{ALL, DR, DR6, Director, Rules},
    feeder::{Feed, Feeder, Order, PASS, REDIRECT, Sent, TX},
    frame::Segment,
    subject::{Kind, State, Subject},
    ways::{CLIENT, NEW_CLIENT, NEW_CLIENT6, Way, client, request, to_dr, to_nat},
    world::{CLIENT_SIDE, ROUTER, SERVER_SIDE, World},
    yardstick::Yardstick,
};

/// More flows than are ever fed.
const ENDLESS: u32 = 1 << 31;

/// What all cases at one number of flows have in common.
pub struct Setting<'a> {
    /// The network.
    pub world: &'a World,
    /// The object with feeder and yardstick.
    pub object: &'a [u8],
    /// How many flows.
    pub flows: u32,
    /// Packets a round.
    pub packets: u32,
}

impl Setting<'_> {
    /// The yardstick over so many flows.
    pub fn yardstick(&self) -> Result<(Subject, Yardstick)> {
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
    pub fn dr(
        &self,
        names: [&'static str; 2],
        rules: &Rules,
        stranger: SocketAddr,
    ) -> Result<Made> {
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

    /// Requests of established connections alone.
    pub fn beside(&self, name: &'static str, rules: &Rules) -> Result<Made> {
        let director = self.established(name, rules)?;
        let segment = request(rules, client(rules), Tcp::ACK);
        let sent = Sent::Frame(to_dr(rules, segment));
        let way = Way { feed: self.feed(segment, Order::Random), action: TX, sent };
        let established = self.shared(name, &director, Kind::Request, way)?;
        Ok((director, vec![established]))
    }

    /// Requests of established connections that go into tunnels, behind so many bytes of headers.
    pub fn tun(&self, name: &'static str, rules: &Rules, outer: usize) -> Result<Made> {
        let director = self.established(name, rules)?;
        let segment = request(rules, client(rules), Tcp::ACK);
        let sent = Sent::Inside(outer, Segment { ttl: segment.ttl - 1, ..segment });
        let way = Way { feed: self.feed(segment, Order::Random), action: TX, sent };
        let established = self.shared(name, &director, Kind::Request, way)?;
        Ok((director, vec![established]))
    }

    /// A director with as many established connections of a service as there are flows.
    fn established(&self, name: &str, rules: &Rules) -> Result<Rc<RefCell<Director>>> {
        let mut director = self.director(name, rules)?;
        self.establish(&mut director, rules, self.flows)?;
        Ok(Rc::new(RefCell::new(director)))
    }

    /// Both directions of established connections of NAT.
    pub fn nat(&self, names: [&'static str; 2], rules: &Rules) -> Result<Made> {
        let director = self.established(names[0], rules)?;
        let newest = rules.newest();

        let segment = request(rules, client(rules), Tcp::ACK);
        let requests = self.shared(
            names[0],
            &director,
            Kind::Request,
            Way {
                feed: self.feed(segment, Order::Random),
                action: REDIRECT,
                sent: Sent::Frame(to_nat(rules, segment)),
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
            real_servers: u32::from(rules.real_servers),
            ingress: self.world.server_side,
            ..self.feed(segment, Order::Random)
        };
        let way = Way { feed, action: REDIRECT, sent };
        let replies = self.shared(names[1], &director, Kind::Reply, way)?;
        Ok((director, vec![requests, replies]))
    }

    /// Every packet opens a connection, in a table that is half full.
    pub fn opening(&self, name: &'static str, rules: &Rules) -> Result<Made> {
        let mut director = self.director(name, rules)?;
        let way = self.syns(rules);
        self.expect(&mut director, &way)?;
        // Half full on average of what counts of a round, which adds a quarter at most.
        let packets = self.packets.min(self.places() / 4);
        let others = if rules.service.is_ipv6() { &DR6 } else { &DR };
        self.establish(&mut director, others, (self.places() - packets) / 2)?;
        let snapshot = director.snapshot(rules)?;
        let director = Rc::new(RefCell::new(director));
        let state = State::Restored(director.clone(), snapshot);
        let new = self.subject(name, &director, way, packets, state)?;
        Ok((director, vec![new]))
    }

    /// Every packet opens a connection of a service that shares the director, in a table that is half full.
    pub fn choosing(&self, director: &Rc<RefCell<Director>>, rules: &Rules) -> Result<Subject> {
        let mut it = director.borrow_mut();
        let Way { feed, action, .. } = self.syns(rules);
        let way = Way { feed, action, sent: Sent::To(rules.macs()) };
        self.expect(&mut it, &way)?;
        let packets = self.packets.min(self.places() / 4);
        if it.fed.requests < u64::from(self.places() / 8) {
            self.establish(&mut it, rules, (self.places() - packets) / 2)?;
        }
        let snapshot = it.snapshot(rules)?;
        drop(it);
        let state = State::Restored(director.clone(), snapshot);
        self.subject(rules.scheduler, director, way, packets, state)
    }

    /// Every packet opens a connection, in a table that is full of half-open ones.
    pub fn flood(&self, name: &'static str) -> Result<Made> {
        let mut director = self.director(name, &DR)?;
        let way = self.syns(&DR);
        self.expect(&mut director, &way)?;
        let syn = request(&DR, CLIENT, Tcp::SYN);
        self.send(&mut director, syn, self.places() / 4 * 5)?;
        let director = Rc::new(RefCell::new(director));
        let state = State::Shared(director.clone(), Kind::Request);
        let flood = self.subject(name, &director, way, self.packets, state)?;
        Ok((director, vec![flood]))
    }

    /// A director with room for the flows in the table of the service's family.
    fn director(&self, name: &str, rules: &Rules) -> Result<Director> {
        let room = if rules.service.is_ipv6() { [1, self.flows] } else { [self.flows, 1] };
        Director::new(self.world, &name.replace([' ', ':', ','], ""), room, &ALL)
    }

    /// Connections that a table for this many flows has room for.
    fn places(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "eight")]
        const WAYS: u32 = conntable::WAYS as u32;
        (self.flows * 2).div_ceil(WAYS).max(64) * WAYS
    }

    fn feed(&self, segment: Segment, order: Order) -> Feed {
        Feed { segment, flows: self.flows, order, real_servers: 0, ingress: self.world.client_side }
    }

    /// Requests for new connections without end.
    fn syns(&self, rules: &Rules) -> Way {
        let client = if rules.service.is_ipv6() { NEW_CLIENT6 } else { NEW_CLIENT };
        let segment = request(rules, client, Tcp::SYN);
        let feed = Feed { flows: ENDLESS, ..self.feed(segment, Order::Turn) };
        let (action, sent) = match rules.method {
            Method::Masq => (REDIRECT, to_nat(rules, segment)),
            _ => (TX, to_dr(rules, segment)),
        };
        Way { feed, action, sent: Sent::Frame(sent) }
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
