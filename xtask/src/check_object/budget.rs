//! How many instructions the verifier may go through, program by program, as the repository
//! records it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use anyhow::{Context, Result};

use super::verify::Accepted;

/// The head of the file.
const HEAD: &str = "\
# Upper bounds of the instructions that the verifier goes through, program by program.
# `cargo xtask check-object` fails above them; with --bless it records what is needed now and a
# quarter more, because the verifiers of other kernels count differently.
";

/// Program → verified instructions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Budget(BTreeMap<String, u32>);

impl Budget {
    /// The budget that these programs just keep, on this kernel and others.
    pub(crate) fn bless(programs: &[Accepted]) -> Self {
        let limit = |verified: u32| (verified + verified / 4).next_multiple_of(100);
        let bless = |program: &Accepted| (program.name.clone(), limit(program.verified));
        Self(programs.iter().map(bless).collect())
    }

    /// The bound of this program.
    pub(crate) fn of(&self, program: &str) -> Option<u32> {
        self.0.get(program).copied()
    }

    /// What is wrong with this program, if anything is.
    pub(crate) fn complaint(&self, program: &Accepted) -> Option<String> {
        let Accepted { name, verified, .. } = program;
        match self.of(name) {
            None => Some(format!("{name} has no budget: record one with check-object --bless")),
            Some(limit) if *verified > limit => Some(format!(
                "{name} takes {verified} verified instructions, over its budget of {limit}: find \
                 out which change did it, or accept it with check-object --bless"
            )),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.0.iter().try_for_each(|(program, limit)| writeln!(f, "{program} = {limit}"))
    }
}

impl FromStr for Budget {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(parse_line).collect::<Result<_>>().map(Self)
    }
}

fn parse_line(line: &str) -> Result<(String, u32)> {
    let (program, limit) = line.split_once('=').with_context(|| not_a_budget(line))?;
    let limit = limit.trim().parse().with_context(|| not_a_budget(line))?;
    Ok((program.trim().to_owned(), limit))
}

fn not_a_budget(line: &str) -> String {
    format!("verified-budget.toml: not `program = number`: {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blessed_is_read_back() {
        let budget = Budget::bless(&[program(1_234)]);
        assert_eq!(budget.of("lvs"), Some(1_600));
        assert_eq!(budget.to_string().parse::<Budget>().unwrap(), budget);
    }

    #[test]
    fn a_program_may_use_up_its_budget_but_no_more() {
        let budget: Budget = "lvs = 1000\n".parse().unwrap();
        assert_eq!(budget.complaint(&program(1_000)), None);
        assert!(budget.complaint(&program(1_001)).unwrap().contains("over its budget of 1000"));
    }

    #[test]
    fn a_program_without_a_budget_is_a_complaint() {
        let budget: Budget = "# none yet\n".parse().unwrap();
        assert!(budget.complaint(&program(1)).is_some());
    }

    #[test]
    fn a_line_that_is_no_budget_is_refused() {
        for line in ["lvs", "lvs = many", "lvs = -1"] {
            line.parse::<Budget>().unwrap_err();
        }
    }

    fn program(verified: u32) -> Accepted {
        Accepted { name: "lvs".into(), verified, instructions: 0, jited_bytes: 0 }
    }
}
