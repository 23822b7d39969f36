//! What was measured, put together.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use aya::programs::{ProgramInfo, Xdp};

use crate::{
    cases::{Cases, YARDSTICK},
    results::{Case, Program, Results},
};

/// All that was measured.
#[derive(Default)]
pub struct Report {
    /// The cases, in the order of the table.
    names: Vec<&'static str>,
    /// Medians of each load, by size and case.
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

impl Report {
    /// Takes over what was measured in one load.
    pub fn add(&mut self, size: u32, cases: &Cases) -> Result<()> {
        for subject in &cases.subjects {
            if !self.names.contains(&subject.name) {
                self.names.push(subject.name);
            }
            self.loads.entry((size, subject.name)).or_default().push(Load::of(&subject.rounds));
        }
        self.programs = cases.programs(|director, yardstick| {
            Ok(vec![program("lvs", director)?, program("yardstick", yardstick)?])
        })?;
        Ok(())
    }

    /// The results of the program of this commit, where sizes count these.
    pub fn results(&self, commit: &str, sizes_are: &str) -> Results {
        let mut sizes: Vec<_> = self.loads.keys().map(|(size, _)| *size).collect();
        sizes.dedup();
        let of = |size| self.names.iter().filter_map(move |name| self.case(size, name));
        Results {
            commit: commit.to_owned(),
            kernel: kernel(),
            cpu: cpu(),
            sizes_are: sizes_are.to_owned(),
            cases: sizes.into_iter().flat_map(of).collect(),
            programs: self.programs.clone(),
        }
    }

    fn case(&self, size: u32, name: &'static str) -> Option<Case> {
        let loads = self.loads.get(&(size, name))?;
        let of = |what: fn(&Load) -> f64| loads.iter().map(what).collect::<Vec<_>>();
        let net = of(|load| load.net);
        let yardstick = self.loads.get(&(size, YARDSTICK))?;
        let yardstick = median(yardstick.iter().map(|load| load.net).collect());
        Some(Case {
            name: name.to_owned(),
            size,
            raw_ns: tenths(median(of(|load| load.raw))),
            stub_ns: tenths(median(of(|load| load.stub))),
            net_ns_low: tenths(net.iter().copied().fold(f64::INFINITY, f64::min)),
            net_ns_high: tenths(net.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            to_yardstick: (median(net.clone()) / yardstick * 100.0).round() / 100.0,
            net_ns: tenths(median(net)),
        })
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

fn program(name: &str, program: &Xdp) -> Result<Program> {
    let info: ProgramInfo = program.info()?;
    Ok(Program {
        name: name.to_owned(),
        verified: info.verified_instruction_count().context("this kernel does not count")?,
        instructions: info.size_translated().context("this kernel hides the program")? / 8,
        jited_bytes: info.size_jitted(),
    })
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
