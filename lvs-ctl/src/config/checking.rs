//! `[health]`: how the director checks, whatever the service.

use serde::{Deserialize, Serialize};

use super::{mistake::Fault, place::Key};
use crate::model::{Prefix, StandIns};

/// How the director checks. Everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileChecking {
    /// Networks of the addresses that stand in for real servers in checks through services: one of IPv4
    /// (`/15`), one of IPv6 (`/64`), or both. `198.18.0.0/15` and `fd6c:7673:7072:6f62::/64` if left
    /// out. Nobody else may have addresses in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>", length(max = 2)))]
    pub stand_ins: Vec<Prefix>,
    /// A real server is checked at once, too, when its TCP connections are suddenly not answered, or reset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passive: bool,
}

impl FileChecking {
    /// The networks that it names.
    #[must_use]
    pub fn stand_ins(&self) -> Option<StandIns> {
        // A file with others is refused.
        let said = Some(&self.stand_ins).filter(|said| !said.is_empty());
        said.and_then(|said| StandIns::of(said).ok())
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it makes sense.
    pub(super) fn check(&self, key: &Key) -> Result<(), Fault> {
        let networks = StandIns::of(&self.stand_ins).map(drop);
        networks.map_err(|(index, why)| Fault::new(&key.name("stand_ins").index(index), why))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn a_wrong_network_is_refused_with_its_place() {
        let parse = |text: &str| Config::parse("lvs.toml", format!("[health]\nstand_ins = {text}"));
        let config = parse("[\"10.8.0.0/15\", \"fd00::/64\"]").unwrap();
        let networks = config.file.health.stand_ins().unwrap();
        assert_eq!(networks.to_string(), "10.8.0.0/15 fd00::/64");
        assert_eq!(parse("[]").unwrap().file.health.stand_ins(), None);
        for (text, expected) in [
            (
                "[\"fd00::/64\", \"10.0.0.0/8\"]",
                "2:27: health.stand_ins[1]: 10.0.0.0/8 is no network of length 15",
            ),
            ("[\"10.9.0.0/15\"]", "2:13: health.stand_ins: `10.9.0.0/15' has bits set beyond"),
        ] {
            let refused = parse(text).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("lvs.toml:{expected}")), "{refused}");
        }
    }
}
