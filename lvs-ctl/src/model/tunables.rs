//! IPVS's tunables, `net/ipv4/vs/*`: those of kernel 6.1 with its defaults and ranges (`vs_vars` in
//! `ip_vs_ctl.c`, and those of lblc and lblcr).

mod known;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::known::*;
use super::Invalid;

/// One of IPVS's tunables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunable {
    /// Its name below `net/ipv4/vs`.
    pub name: &'static str,
    /// What the kernel begins with.
    pub default: TunableValue,
    /// What the kernel takes.
    pub range: TunableRange,
    /// What it counts, if it counts.
    pub unit: &'static str,
    /// Whether the director heeds it.
    pub effect: TunableEffect,
    /// What it does in IPVS.
    pub meaning: &'static str,
}

/// What a tunable is set to: a number, or two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TunableValue {
    /// A number.
    One(i64),
    /// `sync_threshold`.
    Two([i64; 2]),
}

/// What values a tunable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunableRange {
    /// From, to.
    Within(i64, i64),
    /// `proc_do_sync_ports`.
    PowerOfTwo,
    /// `proc_do_sync_threshold`.
    Threshold,
}

/// Whether the director heeds a tunable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunableEffect {
    /// As IPVS does.
    Full,
    /// This value only, 0 apart.
    Only(i64),
    /// It is kept, but nothing asks for it.
    None,
}

/// The tunables that are not as by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tunables(BTreeMap<String, TunableValue>);

impl Tunable {
    /// The tunable of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TUNABLES.iter().find(|tunable| tunable.name == name)
    }

    /// Whether the director does with `value` what IPVS does.
    #[must_use]
    pub fn is_heeded_at(&self, value: TunableValue) -> bool {
        match self.effect {
            TunableEffect::Full => true,
            TunableEffect::Only(heeded) => {
                [TunableValue::One(heeded), self.default].contains(&value)
            }
            TunableEffect::None => false,
        }
    }

    const fn counts(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    const fn heeded(self) -> Self {
        Self { effect: TunableEffect::Full, ..self }
    }

    const fn heeded_at(self, value: i64) -> Self {
        Self { effect: TunableEffect::Only(value), ..self }
    }
}

impl TunableRange {
    fn holds(self, value: TunableValue) -> bool {
        let int = 0..=i64::from(i32::MAX);
        match (self, value) {
            (Self::Within(least, most), TunableValue::One(value)) => {
                (least..=most).contains(&value)
            }
            (Self::PowerOfTwo, TunableValue::One(value)) => {
                value > 0 && int.contains(&value) && value.count_ones() == 1
            }
            (Self::Threshold, TunableValue::Two([threshold, period])) => {
                int.contains(&threshold)
                    && int.contains(&period)
                    && (threshold < period || period == 0)
            }
            _ => false,
        }
    }
}

impl Tunables {
    /// What the tunable is set to.
    #[must_use]
    pub fn value(&self, tunable: &Tunable) -> TunableValue {
        self.0.get(tunable.name).copied().unwrap_or(tunable.default)
    }

    /// What the tunable of that name is set to; 0 if there is none, or if it is two numbers.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        match Tunable::named(name).map(|tunable| self.value(tunable)) {
            Some(TunableValue::One(number)) => number,
            _ => 0,
        }
    }

    /// Whether all are as by default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one.
    ///
    /// # Errors
    /// There is no tunable of that name, or it does not take the value.
    pub fn set(&mut self, name: &str, value: TunableValue) -> Result<(), Invalid> {
        let tunable = Tunable::named(name).ok_or_else(|| Invalid::NoTunable(name.into()))?;
        if !tunable.range.holds(value) {
            return Err(Invalid::TunableRange(tunable.name, tunable.range));
        }
        if value == tunable.default {
            self.0.remove(name);
        } else {
            self.0.insert(name.into(), value);
        }
        Ok(())
    }

    /// Those that are not as by default.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&str, TunableValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// As `sysctl` prints it.
impl fmt::Display for TunableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(number) => write!(f, "{number}"),
            Self::Two([first, second]) => write!(f, "{first} {second}"),
        }
    }
}

/// A number, or two with blanks or a comma between.
impl FromStr for TunableValue {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.split_once([',', ' ', '\t']) {
            Some((first, second)) => {
                Ok(Self::Two([first.trim_end().parse()?, second.trim_start().parse()?]))
            }
            None => Ok(Self::One(text.parse()?)),
        }
    }
}

impl fmt::Display for TunableRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(least, most) => write!(f, "{least} to {most}"),
            Self::PowerOfTwo => f.write_str("a power of two"),
            Self::Threshold => f.write_str("T,N with 0 <= T < N, or N = 0"),
        }
    }
}

/// A word for a column.
impl fmt::Display for TunableEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("yes"),
            Self::Only(value) => write!(f, "at {value} only"),
            Self::None => f.write_str("no effect"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(number: i64) -> TunableValue {
        TunableValue::One(number)
    }

    #[test]
    fn defaults_are_in_range_and_names_in_order() {
        for tunable in TUNABLES {
            assert!(tunable.range.holds(tunable.default), "{}", tunable.name);
        }
        assert!(TUNABLES.is_sorted_by_key(|tunable| tunable.name));
        let heeded = [
            CONN_REUSE_MODE,
            EXPIRE_NODEST_CONN,
            EXPIRE_QUIESCENT_TEMPLATE,
            LBLC_EXPIRATION,
            LBLCR_EXPIRATION,
            SECURE_TCP,
            SLOPPY_SCTP,
            SLOPPY_TCP,
        ];
        for tunable in TUNABLES {
            let known = heeded.contains(&tunable.name);
            assert_eq!(tunable.effect != TunableEffect::None, known, "{}", tunable.name);
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let mut tunables = Tunables::default();
        for (name, value) in [
            ("nosuch", one(0)),
            ("secure_tcp", one(4)),
            ("drop_entry", one(-1)),
            ("sync_version", one(2)),
            ("sync_retries", one(4)),
            ("sync_ports", one(0)),
            ("sync_ports", one(3)),
            ("sync_ports", one(1 << 32)),
            ("sync_threshold", one(3)),
            ("sync_threshold", TunableValue::Two([50, 3])),
            ("sync_threshold", TunableValue::Two([-1, 3])),
            ("conn_reuse_mode", one(1 << 31)),
            ("conn_reuse_mode", TunableValue::Two([0, 1])),
            ("lblc_expiration", one(8_589_935)),
        ] {
            assert!(tunables.set(name, value).is_err(), "{name}={value}");
        }
        assert!(tunables.is_default());
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept() {
        let mut tunables = Tunables::default();
        tunables.set("conn_reuse_mode", one(0)).unwrap();
        tunables.set("sync_threshold", TunableValue::Two([0, 0])).unwrap();
        assert_eq!(tunables.number(CONN_REUSE_MODE), 0);
        assert_eq!(
            serde_json::to_string(&tunables).unwrap(),
            r#"{"conn_reuse_mode":0,"sync_threshold":[0,0]}"#
        );
        tunables.set("conn_reuse_mode", one(1)).unwrap();
        tunables.set("sync_threshold", "3 50".parse().unwrap()).unwrap();
        assert!(tunables.is_default());
    }

    #[test]
    fn values_are_read_as_sysctl_prints_them() {
        for (text, value) in [
            ("7", one(7)),
            ("-1", one(-1)),
            ("3,50", TunableValue::Two([3, 50])),
            ("3 50", TunableValue::Two([3, 50])),
            ("3\t50", TunableValue::Two([3, 50])),
        ] {
            assert_eq!(text.parse(), Ok(value));
            assert_eq!(value.to_string().parse(), Ok(value));
        }
        for nonsense in ["", "x", "1 2 3", ",", "1,", "0x7"] {
            assert!(nonsense.parse::<TunableValue>().is_err(), "{nonsense}");
        }
    }
}
