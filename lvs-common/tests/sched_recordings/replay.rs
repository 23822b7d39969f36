//! Plays a recorded case to a director and tells where the two part.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    net::SocketAddr,
};

use lvs_common::sched::Thresholds;

use crate::{
    director::{Director, Fate},
    recording::{Case, Event, Listed, Op, Row, Target},
    service::Choose,
    tcp::Segment::{Ack, Fin, Rst, Syn},
};

/// `Err`: what differs, one line for each, the first few events that do.
pub(crate) fn replay(case: &Case, choose: Choose) -> Result<(), String> {
    let mut player = Player::new(case, choose)?;
    let mut differences = String::new();
    let mut differing = 0;
    for (number, event) in case.events.iter().enumerate() {
        let found = player.play(event);
        if found.is_empty() {
            continue;
        }
        differing += 1;
        if differing <= 3 {
            for line in found {
                writeln!(differences, "  event {number}: {line}").unwrap();
            }
        }
    }
    match differing {
        0 => player.check_chosen(),
        _ => Err(format!(
            "{}: {differing} of {} events differ\n{differences}",
            case.name,
            case.events.len()
        )),
    }
}

struct Player<'a> {
    case: &'a Case,
    director: Director,
    /// The orders in which the recording may list the services; each event leaves fewer.
    orders: Vec<Vec<usize>>,
    /// Client and called address of the connections that were opened.
    open: HashMap<u32, (SocketAddr, SocketAddr)>,
    /// Those whose client was reset.
    reset: HashSet<u32>,
    chosen: Vec<Option<SocketAddr>>,
}

impl<'a> Player<'a> {
    fn new(case: &'a Case, choose: Choose) -> Result<Self, String> {
        let director = Director::new(case, choose);
        let orders = permutations(case.services.len());
        let mut player = Self {
            case,
            director,
            orders,
            open: HashMap::new(),
            reset: HashSet::new(),
            chosen: Vec::new(),
        };
        player.compare_rows(&case.start).map_or(Ok(player), |difference| {
            Err(format!("{}: at the start {difference}", case.name))
        })
    }

    /// What differs at this event.
    fn play(&mut self, event: &Event) -> Vec<String> {
        let mut differences = Vec::new();
        if !event.skipped {
            self.act(event, &mut differences);
        }
        if let Some(difference) = self.compare_rows(&event.after) {
            differences.push(format!("after it {difference}"));
        }
        differences
    }

    fn compare_rows(&mut self, recorded: &[Row]) -> Option<String> {
        let rows = self.director.rows();
        let in_order = |order: &Vec<usize>| -> Vec<Row> {
            order.iter().flat_map(|&service| rows[service].clone()).collect()
        };
        let first = in_order(&self.orders[0]);
        let left: Vec<_> =
            self.orders.iter().filter(|order| in_order(order) == recorded).cloned().collect();
        if left.is_empty() {
            return Some(side_by_side(&first, recorded));
        }
        self.orders = left;
        None
    }

    fn act(&mut self, event: &Event, differences: &mut Vec<String>) {
        match &event.op {
            Op::Open { id, client, cport, to } => {
                let (client, to) = (SocketAddr::new(*client, *cport), self.called(to));
                let chosen = self.connect(client, to);
                if chosen.is_some() {
                    self.open.insert(*id, (client, to));
                }
                self.check_choice(chosen, event.chosen, differences);
            }
            Op::Udp { client, cport, to } => {
                let (client, to) = (SocketAddr::new(*client, *cport), self.called(to));
                let chosen = match self.director.request(None, client, to) {
                    Fate::Forwarded(server) => {
                        self.director.reply(None, client, to);
                        Some(server)
                    }
                    _ => None,
                };
                self.check_choice(chosen, event.chosen, differences);
            }
            Op::Send { id, result } => {
                let (client, to) = self.open[id];
                let fate = self.director.request(Some(Ack), client, to);
                if fate == Fate::NotOurs {
                    self.reset.insert(*id);
                }
                let arrives = matches!(fate, Fate::Forwarded(_)) && !self.reset.contains(id);
                if arrives {
                    self.director.reply(Some(Ack), client, to);
                }
                if arrives != (result == "ok") {
                    differences.push(format!("sent: {fate:?}, recorded {result}"));
                }
            }
            Op::Close { id } => self.exchange(*id, "c FIN, s ACK, s FIN, c ACK"),
            Op::ServerClose { id } => self.exchange(*id, "s FIN, c ACK, c FIN, s ACK"),
            Op::HalfClose { id } => self.exchange(*id, "c FIN, s ACK"),
            Op::Abort { id } => self.exchange(*id, "c RST"),
            Op::ServerAbort { id } => self.exchange(*id, "s RST"),
            Op::Conns { list } => compare_lists(&self.director.listed(), list, differences),
            control => self.control(control),
        }
    }

    fn control(&mut self, op: &Op) {
        let director = &mut self.director;
        match op {
            Op::Weight { server, weight } => {
                director.edit_server(*server, Some(*weight), Thresholds::default());
            }
            Op::Thresholds { server, weight, u, l } => {
                director.edit_server(*server, *weight, Thresholds { upper: *u, lower: *l });
            }
            Op::AddServer { server, weight, u, l } => {
                let thresholds = Thresholds { upper: *u, lower: *l };
                director.add_server(0, *server, weight.unwrap_or(1), thresholds);
            }
            Op::DelServer { server } => director.delete_server(*server),
            Op::EditService(settings) => director.edit_service(0, settings),
            Op::Sysctl { name, value } => director.set_sysctl(name, *value),
            Op::Wait { seconds } => director.wait(*seconds),
            _ => unreachable!("not an act of control"),
        }
    }

    fn called(&self, to: &Target) -> SocketAddr {
        let service = &self.case.services[to.service];
        let address = to.dst.or(service.addr).expect("an address to call");
        SocketAddr::new(address, to.dport.unwrap_or(service.port))
    }

    /// Three segments, or as many as get through.
    fn connect(&mut self, client: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let Fate::Forwarded(server) = self.director.request(Some(Syn), client, to) else {
            return None;
        };
        self.director.reply(Some(Syn), client, to);
        self.director.request(Some(Ack), client, to);
        Some(server)
    }

    fn exchange(&mut self, id: u32, segments: &str) {
        let (client, to) = self.open[&id];
        for segment in segments.split(", ") {
            let (sender, flag) = segment.split_once(' ').unwrap();
            let flag = match flag {
                "FIN" => Fin,
                "RST" => Rst,
                _ => Ack,
            };
            if sender == "c" {
                self.director.request(Some(flag), client, to);
            } else {
                self.director.reply(Some(flag), client, to);
            }
        }
    }

    fn check_choice(
        &mut self,
        ours: Option<SocketAddr>,
        recorded: Option<SocketAddr>,
        differences: &mut Vec<String>,
    ) {
        self.chosen.push(ours);
        if ours != recorded {
            differences.push(format!("chose {}, recorded {}", name(ours), name(recorded)));
        }
    }

    /// The list at the end of the recording says the same as its events.
    fn check_chosen(&self) -> Result<(), String> {
        if self.chosen == self.case.chosen {
            return Ok(());
        }
        Err(format!("{}: the list of what was chosen differs from its events", self.case.name))
    }
}

/// Lists agree but for noise that the recordings' README names.
fn compare_lists(ours: &[Listed], recorded: &[Listed], differences: &mut Vec<String>) {
    let mut recorded = recorded.to_vec();
    recorded.sort();
    let agree = |ours: &Listed, theirs: &Listed| {
        let state =
            ours.state == theirs.state || ours.state == "TIME_WAIT" && theirs.state == "CLOSE";
        let same = (&ours.pro, &ours.from, &ours.to, &ours.dest)
            == (&theirs.pro, &theirs.from, &theirs.to, &theirs.dest);
        same && state && (theirs.state != ours.state || ours.expires.abs_diff(theirs.expires) <= 2)
    };
    if ours.len() != recorded.len() || ours.iter().zip(&recorded).any(|(a, b)| !agree(a, b)) {
        differences.push(format!("lists {ours:#?}, recorded {recorded:#?}"));
    }
}

fn side_by_side(ours: &[Row], recorded: &[Row]) -> String {
    let text = |rows: &[Row]| {
        let rows = rows.iter().map(|(server, weight, active, inactive)| {
            format!("{server} w{weight} {active}+{inactive}")
        });
        rows.collect::<Vec<_>>().join(", ")
    };
    format!("[{}], recorded [{}]", text(ours), text(recorded))
}

fn name(server: Option<SocketAddr>) -> String {
    server.map_or_else(|| "nobody".to_owned(), |server| server.to_string())
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    let Some(last) = of.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = permutations(last);
    let insert = |order: &Vec<usize>, place: usize| {
        let mut order = order.clone();
        order.insert(place, last);
        order
    };
    shorter.iter().flat_map(|order| (0..of).map(move |place| insert(order, place))).collect()
}
