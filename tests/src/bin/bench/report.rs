//! The table.

use std::{collections::BTreeMap, fmt, fs};

use anyhow::{Context as _, Result};
use aya::programs::{ProgramInfo, Xdp};
use serde_json::{Value, json};

use crate::cases::{Cases, YARDSTICK};

/// All that was measured.
#[derive(Default)]
pub struct Report {
    /// The cases, in the order of the table.
    names: Vec<&'static str>,
    /// Medians of each load, by flows and case.
    loads: BTreeMap<(u32, &'static str), Vec<Load>>,
    programs: Vec<Program>,
}

/// Medians over the rounds of one load, nanoseconds a packet.
#[derive(Clone, Copy)]
struct Load {
    /// With the feeder.
    raw: f64,
    /// The feeder alone.
    stub: f64,
    /// Their difference, round by round.
    net: f64,
}

/// How large a program is.
struct Program {
    name: &'static str,
    verified: u32,
    instructions: u32,
    jited_bytes: u32,
}

/// Medians over all loads, and the span of the net ones.
struct Row {
    raw: f64,
    stub: f64,
    net: f64,
    low: f64,
    high: f64,
}

impl Report {
    /// Takes over what was measured in one load.
    pub fn add(&mut self, flows: u32, cases: &Cases) -> Result<()> {
        for subject in &cases.subjects {
            if !self.names.contains(&subject.name) {
                self.names.push(subject.name);
            }
            self.loads.entry((flows, subject.name)).or_default().push(Load::of(&subject.rounds));
        }
        self.programs = cases.programs(|director, yardstick| {
            Ok(vec![Program::of("lvs", director)?, Program::of("yardstick", yardstick)?])
        })?;
        Ok(())
    }

    /// For programs to read.
    pub fn json(&self) -> Value {
        let row = |&(flows, name): &(u32, &'static str)| {
            let row = self.row(flows, name)?;
            Some(json!({
                "case": name,
                "flows": flows,
                "net_ns": tenths(row.net),
                "net_ns_low": tenths(row.low),
                "net_ns_high": tenths(row.high),
                "raw_ns": tenths(row.raw),
                "stub_ns": tenths(row.stub),
                "to_yardstick": self.ratio(flows, &row).map(|ratio| (ratio * 100.0).round() / 100.0),
            }))
        };
        let program = |program: &Program| {
            json!({
                "name": program.name,
                "verified": program.verified,
                "instructions": program.instructions,
                "jited_bytes": program.jited_bytes,
            })
        };
        json!({
            "kernel": kernel(),
            "cpu": cpu(),
            "cases": self.loads.keys().filter_map(row).collect::<Vec<_>>(),
            "programs": self.programs.iter().map(program).collect::<Vec<_>>(),
        })
    }

    fn flows(&self) -> Vec<u32> {
        let mut flows: Vec<_> = self.loads.keys().map(|(flows, _)| *flows).collect();
        flows.dedup();
        flows
    }

    fn row(&self, flows: u32, name: &'static str) -> Option<Row> {
        let loads = self.loads.get(&(flows, name))?;
        let of = |what: fn(&Load) -> f64| loads.iter().map(what).collect::<Vec<_>>();
        let net = of(|load| load.net);
        Some(Row {
            raw: median(of(|load| load.raw)),
            stub: median(of(|load| load.stub)),
            low: net.iter().copied().fold(f64::INFINITY, f64::min),
            high: net.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            net: median(net),
        })
    }

    fn ratio(&self, flows: u32, row: &Row) -> Option<f64> {
        self.row(flows, YARDSTICK).map(|yardstick| row.net / yardstick.net)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, Linux {}", cpu(), kernel())?;
        writeln!(f, "CPU time a packet above an empty program, ns (and of the yardstick's)\n")?;
        write!(f, "{:<24}", "")?;
        for flows in self.flows() {
            write!(f, "{:>18}", format!("{flows} flows"))?;
        }
        writeln!(f)?;
        for name in &self.names {
            write!(f, "{name:<24}")?;
            for flows in self.flows() {
                let Some(row) = self.row(flows, name) else { continue };
                let ratio = self.ratio(flows, &row).unwrap_or(f64::NAN);
                write!(f, "{:>10.1} ({ratio:5.2})", row.net)?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\n{:<24}{:>10}{:>14}{:>14}", "", "verified", "instructions", "JITed bytes")?;
        for Program { name, verified, instructions, jited_bytes } in &self.programs {
            writeln!(f, "{name:<24}{verified:>10}{instructions:>14}{jited_bytes:>14}")?;
        }
        Ok(())
    }
}

impl Load {
    fn of(rounds: &[(f64, f64)]) -> Self {
        let of = |what: fn(&(f64, f64)) -> f64| median(rounds.iter().map(what).collect());
        Self {
            raw: of(|(raw, _)| *raw),
            stub: of(|(_, stub)| *stub),
            net: of(|(raw, stub)| raw - stub),
        }
    }
}

impl Program {
    fn of(name: &'static str, program: &Xdp) -> Result<Self> {
        let info: ProgramInfo = program.info()?;
        Ok(Self {
            name,
            verified: info.verified_instruction_count().context("this kernel does not count")?,
            instructions: info.size_translated().context("this kernel hides the program")? / 8,
            jited_bytes: info.size_jitted(),
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": ")).map(|(_, name)| name);
    name.unwrap_or("unknown CPU").to_owned()
}
