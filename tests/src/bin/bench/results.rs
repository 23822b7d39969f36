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
    /// What a size counts: flows, real servers.
    pub sizes_are: String,
    /// Every case at every size, in the order of the table.
    pub cases: Vec<Case>,
    /// The programs that were measured.
    pub programs: Vec<Program>,
}

/// A case at one size: medians over all loads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    #[serde(rename = "case")]
    pub name: String,
    /// How many of what is counted.
    pub size: u32,
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
    /// The sizes, ascending.
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes: Vec<_> = self.cases.iter().map(|case| case.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
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

    /// A case at this size.
    pub fn case(&self, name: &str, size: u32) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name && case.size == size)
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, Linux {}, {}", self.cpu, self.kernel, self.commit)?;
        writeln!(f, "CPU time a packet above an empty program, ns (and of the yardstick's)\n")?;
        let cell = |name: &str, size| match self.case(name, size) {
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

/// A line for each case, a column for each size.
pub fn grid(
    f: &mut impl fmt::Write,
    results: &Results,
    cell: impl Fn(&str, u32) -> String,
) -> fmt::Result {
    let sizes = results.sizes();
    write!(f, "{:<30}", "")?;
    for size in &sizes {
        write!(f, "{:>22}", format!("{size} {}", results.sizes_are))?;
    }
    writeln!(f)?;
    for name in results.names() {
        write!(f, "{name:<30}")?;
        for size in &sizes {
            write!(f, "{:>22}", cell(name, *size))?;
        }
        writeln!(f)?;
    }
    Ok(())
}
