//! Results: the table, and the same for programs to read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a run measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The commit that was built.
    pub commit: String,
    /// The kernel's release.
    pub kernel: String,
    /// The CPU's name.
    pub cpu: String,
    /// Every case at every number of flows, in the order of the table.
    pub cases: Vec<Case>,
    /// The programs that were measured.
    pub programs: Vec<Program>,
}

/// A case at one number of flows: medians over all loads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    #[serde(rename = "case")]
    pub name: String,
    /// How many flows.
    pub flows: u32,
    /// Nanoseconds of CPU a packet above an empty program's.
    pub net_ns: f64,
    /// The fastest load's.
    pub net_ns_low: f64,
    /// The slowest load's.
    pub net_ns_high: f64,
    /// With the feeder.
    pub raw_ns: f64,
    /// The feeder before an empty program.
    pub stub_ns: f64,
    /// How many times the yardstick's net.
    pub to_yardstick: f64,
}

/// How large a program is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Instructions that the verifier looked at.
    pub verified: u32,
    /// Instructions after that.
    pub instructions: u32,
    /// Bytes of machine code.
    pub jited_bytes: u32,
}

impl Results {
    /// The numbers of flows, ascending.
    pub fn flows(&self) -> Vec<u32> {
        let mut flows: Vec<_> = self.cases.iter().map(|case| case.flows).collect();
        flows.sort_unstable();
        flows.dedup();
        flows
    }

    /// The names of the cases, in their order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for Case { name, .. } in &self.cases {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// A case at this many flows.
    pub fn case(&self, name: &str, flows: u32) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name && case.flows == flows)
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, Linux {}, {}", self.cpu, self.kernel, self.commit)?;
        writeln!(f, "CPU time a packet above an empty program, ns (and of the yardstick's)\n")?;
        let cell = |name: &str, flows| match self.case(name, flows) {
            Some(case) => format!("{:.1} ({:5.2})", case.net_ns, case.to_yardstick),
            None => String::new(),
        };
        grid(f, self, cell)?;
        writeln!(f, "\n{:<24}{:>10}{:>14}{:>14}", "", "verified", "instructions", "JITed bytes")?;
        for Program { name, verified, instructions, jited_bytes } in &self.programs {
            writeln!(f, "{name:<24}{verified:>10}{instructions:>14}{jited_bytes:>14}")?;
        }
        Ok(())
    }
}

/// A line for each case, a column for each number of flows.
pub fn grid(
    f: &mut impl fmt::Write,
    results: &Results,
    cell: impl Fn(&str, u32) -> String,
) -> fmt::Result {
    let flows = results.flows();
    write!(f, "{:<30}", "")?;
    for flows in &flows {
        write!(f, "{:>22}", format!("{flows} flows"))?;
    }
    writeln!(f)?;
    for name in results.names() {
        write!(f, "{name:<30}")?;
        for flows in &flows {
            write!(f, "{:>22}", cell(name, *flows))?;
        }
        writeln!(f)?;
    }
    Ok(())
}
