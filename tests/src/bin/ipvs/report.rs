//! The table.

use std::{fmt, fs};

use serde_json::{Value, json};

use crate::{
    cases::{By, Method, Rival, Sink},
    programs::Flows,
};

/// A case, measured.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who forwarded.
    pub by: By,
    /// By which method; a router and the floor have none.
    pub method: Option<Method>,
    /// Packets of which flows.
    pub flows: Flows,
    /// What ended them.
    pub sink: Sink,
    /// A packet from the source to the sink, by the clock: nanoseconds, or instructions of a guest's.
    pub cost: f64,
}

/// All that was measured.
pub struct Report {
    beside: Rival,
    packets: u32,
    rows: Vec<Row>,
}

/// What the director is to need for a packet of an established connection, at most.
const TARGETS: [(Method, Sink, f64); 4] = [
    (Method::Dr, Sink::Packets, 8_500.0),
    (Method::Dr, Sink::Frames, 2_400.0),
    (Method::Nat, Sink::Packets, 8_700.0),
    (Method::Nat, Sink::Frames, 2_600.0),
];

/// Nanoseconds in a second: instructions of the guest's processor, too.
const RATE: f64 = 1e9;

impl Row {
    fn per_second(&self) -> f64 {
        RATE / self.cost
    }

    /// Its line: what is compared.
    fn line(&self) -> (Option<Method>, Flows) {
        (self.method, self.flows)
    }
}

impl Report {
    /// Of so many packets a case.
    pub fn new(beside: Rival, packets: u32, rows: Vec<Row>) -> Self {
        Self { beside, packets, rows }
    }

    /// Who is beside the director.
    fn rival(&self) -> By {
        match self.beside {
            Rival::Ipvs => By::Ipvs,
            Rival::Dnat => By::Dnat,
        }
    }

    /// What the clock counts.
    fn unit(&self) -> &'static str {
        match self.beside {
            Rival::Ipvs => "instructions",
            Rival::Dnat => "ns",
        }
    }

    /// For programs to read.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "by": by(row.by),
                "method": row.method.map(Method::name),
                "flows": match row.flows { Flows::Some(flows) => Some(flows), Flows::Ever => None },
                "new_connections": row.flows == Flows::Ever,
                "sink": match row.sink { Sink::Packets => "packets", Sink::Frames => "frames" },
                self.unit(): row.cost.round(),
                "packets_per_second": row.per_second().round(),
                "other_to_this": self.ratio(row).map(|ratio| (ratio * 100.0).round() / 100.0),
                "target": self.target(row),
            })
        };
        json!({
            "kernel": kernel(),
            "packets": self.packets,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }

    fn find(&self, by: By, line: (Option<Method>, Flows), sink: Sink) -> Option<&Row> {
        self.rows.iter().find(|row| (row.by, row.line(), row.sink) == (by, line, sink))
    }

    /// What a packet of the director's is to need at most.
    fn target(&self, row: &Row) -> Option<f64> {
        let counts = self.beside == Rival::Ipvs && row.by == By::Director;
        let has_one = counts && row.flows != Flows::Ever;
        let of = |(method, sink, _): &(Method, Sink, f64)| {
            Some(*method) == row.method && *sink == row.sink
        };
        TARGETS.iter().find(|target| has_one && of(target)).map(|(.., most)| *most)
    }

    /// How many times as much the rival needs to the same sink; to one of frames, or to the other if that is less: its
    /// packets are the kernel's already, and some are copied to become frames.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let sinks = [Sink::Packets, row.sink];
        let theirs = sinks.iter().filter_map(|sink| self.find(self.rival(), row.line(), *sink));
        let least = theirs.map(|theirs| theirs.cost).reduce(f64::min)?;
        (row.by == By::Director).then_some(least / row.cost)
    }

    /// The lines of a table, each once, in the order of measuring: the rival's are the director's too.
    fn lines(&self) -> Vec<(By, (Option<Method>, Flows))> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let by = if row.by == self.rival() { By::Director } else { row.by };
            if !lines.contains(&(by, row.line())) {
                lines.push((by, row.line()));
            }
        }
        lines
    }

    fn table(&self, f: &mut fmt::Formatter<'_>, sink: Sink) -> fmt::Result {
        let rival = match self.beside {
            Rival::Ipvs => "IPVS",
            Rival::Dnat => "kernel",
        };
        let ratio = format!("{rival}/director");
        let head = ["", rival, "packets/s", "director", "packets/s", &ratio, "target"];
        let [what, numbers @ ..] = head;
        writeln!(f, "{what:<30}{}", numbers.map(|number| format!("{number:>16}")).concat())?;
        for (by, line) in self.lines() {
            let is_shared = by == By::Director;
            let theirs = self.find(if is_shared { self.rival() } else { by }, line, sink);
            let ours = self.find(By::Director, line, sink).filter(|_| is_shared);
            let rate = |row: Option<&Row>| row.map(|row| format!("{:.0}", row.per_second()));
            let count = |row: Option<&Row>| row.map(|row| format!("{:.0}", row.cost));
            let numbers = [
                count(theirs),
                rate(theirs),
                count(ours),
                rate(ours),
                ours.and_then(|ours| self.ratio(ours)).map(|ratio| format!("{ratio:.2}")),
                ours.and_then(|ours| self.target(ours).map(|most| verdict(ours.cost, most))),
            ];
            let numbers = numbers.map(|number| format!("{:>16}", number.unwrap_or_default()));
            writeln!(f, "{:<30}{}", name(by, line), numbers.concat().trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = match self.beside {
            Rival::Ipvs => "emulated: one processor, 10⁹ instructions a second",
            Rival::Dnat => "one processor of this machine's",
        };
        writeln!(f, "Linux {}, {machine}", kernel())?;
        let (unit, packets) = (self.unit(), self.packets);
        writeln!(f, "{unit} a packet, {packets} packets a case: source, director and sink")?;
        writeln!(f, "\nto a sink that makes packets of the kernel's of frames, and drops them")?;
        self.table(f, Sink::Packets)?;
        writeln!(
            f,
            "\nto a sink that drops frames; the ratio is to what the kernel needs at the better of both"
        )?;
        self.table(f, Sink::Frames)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sink = match self.sink {
            Sink::Packets => "packets",
            Sink::Frames => "frames",
        };
        let (by, name) = (by(self.by), name(self.by, self.line()));
        write!(f, "{by}, {name}, {sink}: {:.0}", self.cost)
    }
}

fn name(by: By, (method, flows): (Option<Method>, Flows)) -> String {
    let what = match by {
        By::Router => "plain forwarding",
        By::Floor => "a program that redirects",
        By::Ipvs | By::Dnat | By::Director => method.map_or("", Method::name),
    };
    match flows {
        Flows::Some(1) => what.to_owned(),
        Flows::Some(flows) => format!("{what}, {flows} flows"),
        Flows::Ever => format!("{what}, new connections"),
    }
}

const fn by(by: By) -> &'static str {
    match by {
        By::Router => "router",
        By::Ipvs => "ipvs",
        By::Dnat => "dnat",
        By::Director => "director",
        By::Floor => "floor",
    }
}

fn verdict(found: f64, most: f64) -> String {
    format!("{} {most:.0}", if found <= most { "≤" } else { "not ≤" })
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}
