//! Two results side by side.

use std::{fmt, path::Path};

use anyhow::Result;

use crate::{
    folder,
    results::{Results, grid},
};

/// A difference of the ratios to the yardstick from which on it is marked.
const NOTABLE: f64 = 0.15;

/// What has become of the costs from one run to another.
pub struct Comparison {
    before: Results,
    after: Results,
}

impl Comparison {
    /// Reads two folders of results.
    ///
    /// # Errors
    /// One of them has none.
    pub fn read(before: &Path, after: &Path) -> Result<Self> {
        Ok(Self { before: folder::read(before)?, after: folder::read(after)? })
    }

    /// Times its yardstick, before and after.
    fn ratios(&self, name: &str, size: u32) -> Option<(f64, f64)> {
        let before = self.before.case(name, size)?;
        Some((before.to_yardstick, self.after.case(name, size)?.to_yardstick))
    }

    fn cell(&self, name: &str, size: u32) -> String {
        let Some((before, after)) = self.ratios(name, size) else { return "-".to_owned() };
        let change = after / before - 1.0;
        let mark = if change.abs() < NOTABLE { ' ' } else { '!' };
        format!("{before:.2} {after:.2} {:+4.0}%{mark}", change * 100.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, it) in [("before", &self.before), ("after", &self.after)] {
            writeln!(f, "{name:<8}{}, Linux {}, {}", it.commit, it.kernel, it.cpu)?;
        }
        writeln!(
            f,
            "Times the yardstick of the same run, before and after; ! from {NOTABLE} on\n"
        )?;
        grid(f, &self.after, |name, size| self.cell(name, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Case;

    fn results(ratio: f64) -> Results {
        let case = |name: &str, size, to_yardstick| Case {
            name: name.to_owned(),
            size,
            net_ns: 1.0,
            net_ns_low: 1.0,
            net_ns_high: 1.0,
            raw_ns: 1.0,
            stub_ns: 1.0,
            to_yardstick,
        };
        Results {
            commit: "abc".into(),
            kernel: "6.1".into(),
            cpu: "one".into(),
            sizes_are: "flows".into(),
            cases: vec![case("DR", 1000, ratio), case("DR", 100_000, 2.0), case("NAT", 1000, 3.0)],
            programs: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_that_has_changed_much_is_marked() {
        let comparison = Comparison { before: results(1.5), after: results(1.8) };
        let lines: Vec<_> = comparison.to_string().lines().skip(5).map(str::to_owned).collect();
        assert_eq!(
            lines[0].split_whitespace().collect::<Vec<_>>(),
            ["DR", "1.50", "1.80", "+20%!", "2.00", "2.00", "+0%"]
        );
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["NAT", "3.00", "3.00", "+0%", "-"]
        );
    }
}
