//! `[tunables]` and `[[mark]]`: IPVS's tunables, and rules that mark packets.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{mistake::Fault, place::Key};
use crate::model::{MarkRule, Marks, Ports, Prefix, Protocol, Tunable, TunableValue, Tunables};

/// A tunable's value: a number, or two for `sync_threshold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTunable(pub TunableValue);

/// Packets to these addresses and ports carry this mark; of the rules that match a packet, the most
/// specific decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Their protocol; any if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::protocol"))]
    pub protocol: Option<Protocol>,
    /// Where they go: a prefix, or one address.
    pub destination: String,
    /// To which ports, such as `80,443,8000-8100`; any if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// The mark.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub mark: u32,
}

/// The tunables that `file` sets, if there are such and they take the values.
pub(super) fn tunables(
    file: &BTreeMap<String, FileTunable>,
) -> Result<Vec<(&'static Tunable, TunableValue)>, Fault> {
    let check = |(name, FileTunable(value)): (&String, &FileTunable)| {
        let set = Tunables::default().set(name, *value);
        set.map_err(|invalid| Fault::new(&tunable_key(name), invalid.to_string()))?;
        // It was just set.
        Ok(Tunable::named(name).map(|tunable| (tunable, *value)))
    };
    file.iter().filter_map(|entry| check(entry).transpose()).collect()
}

/// The rules that `file` declares, if they do not contradict each other.
pub(super) fn marks(file: &[FileMark]) -> Result<Vec<MarkRule>, Fault> {
    let mut all = Marks::default();
    let mut rules = Vec::new();
    for (index, entry) in file.iter().enumerate() {
        let key = mark_key(index);
        let rule = entry.rule(&key)?;
        all.add(&rule).map_err(|invalid| {
            let words = invalid.detail().unwrap_or_else(|| invalid.to_string());
            Fault::new(&key, words)
        })?;
        rules.push(rule);
    }
    Ok(rules)
}

/// Where a tunable stands.
pub(super) fn tunable_key(name: &str) -> Key {
    Key::default().name("tunables").name(name)
}

/// Where a rule that marks packets stands.
pub(super) fn mark_key(index: usize) -> Key {
    Key::default().name("mark").index(index)
}

impl FileMark {
    /// How the file declares `rule`.
    #[must_use]
    pub fn new(rule: &MarkRule) -> Self {
        Self {
            protocol: rule.protocol,
            destination: rule.destination.to_string(),
            ports: Some(rule.ports.to_string()).filter(|ports| !ports.is_empty()),
            mark: rule.mark,
        }
    }

    fn rule(&self, key: &Key) -> Result<MarkRule, Fault> {
        let destination: Prefix = self
            .destination
            .parse()
            .map_err(|error| Fault::new(&key.name("destination"), format!("{error}")))?;
        let ports: Option<Ports> = self
            .ports
            .as_ref()
            .map(|ports| ports.parse())
            .transpose()
            .map_err(|error| Fault::new(&key.name("ports"), format!("{error}")))?;
        Ok(MarkRule {
            protocol: self.protocol,
            destination,
            ports: ports.unwrap_or_default(),
            mark: self.mark,
        })
    }
}

impl Serialize for FileTunable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileTunable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TunableVisitor)
    }
}

struct TunableVisitor;

impl<'de> de::Visitor<'de> for TunableVisitor {
    type Value = FileTunable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or two in brackets")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<FileTunable, E> {
        Ok(FileTunable(TunableValue::One(number)))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, sequence: A) -> Result<FileTunable, A::Error> {
        let numbers = de::value::SeqAccessDeserializer::new(sequence);
        <[i64; 2]>::deserialize(numbers).map(|numbers| FileTunable(TunableValue::Two(numbers)))
    }
}
