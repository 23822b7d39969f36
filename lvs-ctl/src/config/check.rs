//! `check`: a word, a table, or a list of both.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{mistake::Fault, place::Key};
use crate::model::{ServiceId, health::CheckSpec};

/// Checks as the file says them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    specs: Vec<CheckSpec>,
    /// Whether they stand in a list.
    is_list: bool,
}

/// One of them.
struct One(CheckSpec);

impl Checks {
    /// How the file says these.
    #[must_use]
    pub fn new(specs: &[CheckSpec]) -> Self {
        Self { specs: specs.to_vec(), is_list: specs.len() != 1 }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The checks of a service that stand at `key`, judged.
    pub(super) fn judged(&self, service: &ServiceId, key: &Key) -> Result<Vec<CheckSpec>, Fault> {
        for (index, spec) in self.specs.iter().enumerate() {
            let key = if self.is_list { key.index(index) } else { key.clone() };
            let read = spec.read_in(service);
            read.map_err(|wrong| Fault::new(&key.name(wrong.field), wrong.message))?;
        }
        Ok(self.specs.clone())
    }
}

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.specs[..] {
            [spec] if !self.is_list => One(spec.clone()).serialize(serializer),
            specs => serializer.collect_seq(specs.iter().cloned().map(One)),
        }
    }
}

impl Serialize for One {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.shorthand() {
            Some(word) => serializer.serialize_str(&word),
            None => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChecksVisitor)
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor)
    }
}

struct ChecksVisitor;

impl<'de> de::Visitor<'de> for ChecksVisitor {
    type Value = Checks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check, or a list of them")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Checks, E> {
        OneVisitor.visit_str(word).map(Checks::from)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Checks, A::Error> {
        OneVisitor.visit_map(map).map(Checks::from)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Checks, A::Error> {
        let mut specs = Vec::new();
        while let Some(One(spec)) = list.next_element()? {
            specs.push(spec);
        }
        Ok(Checks { specs, is_list: true })
    }
}

struct OneVisitor;

impl<'de> de::Visitor<'de> for OneVisitor {
    type Value = One;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check such as \"http:/healthz\", or a table with its type")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<One, E> {
        word.parse().map(One).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<One, A::Error> {
        CheckSpec::deserialize(de::value::MapAccessDeserializer::new(map)).map(One)
    }
}

impl From<One> for Checks {
    fn from(One(spec): One) -> Self {
        Self { specs: vec![spec], is_list: false }
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use crate::model::health::{CheckSpec, CheckType};

    impl JsonSchema for super::Checks {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Checks".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let names = CheckType::ALL.map(|(_, name)| name).join("|");
            let word = json_schema!({
                "description": "A check in one word, such as `http:/healthz`, `tcp:8080`, \
                    `dns:example.com/A` or `exec:/usr/lib/check`.",
                "type": "string",
                "pattern": format!("^({names}|ping)(:.*)?$"),
            });
            let table = generator.subschema_for::<CheckSpec>();
            let list = json_schema!({
                "type": "array", "maxItems": 16, "items": { "anyOf": [word, table] },
            });
            json_schema!({ "anyOf": [word, table, list] })
        }
    }
}
