//! Where the controller answers over TCP.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{mistake::Fault, place::Key};

/// Series of services and real servers in the metrics: room for a thousand services with ten real
/// servers each, and some more.
pub const METRICS_MAX_SERIES: usize = 200_000;

/// The API over TCP: TLS always, a token always.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Answer on this `ADDRESS:PORT` too; the other three are needed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub listen: Option<SocketAddr>,
    /// Certificate chain, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Tokens, one a line: a name, `change` or `read`, the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

/// Metrics for Prometheus. The API shows them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricsDoor {
    /// Show them, and nothing else, to everybody who reaches this `ADDRESS:PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub listen: Option<SocketAddr>,
    /// Services and real servers are shown one by one up to so many series; 200000 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_series: Option<usize>,
}

impl Api {
    /// Whether all is there that an open door needs, and nothing for a closed one.
    pub(super) fn check(&self, key: &Key) -> Result<(), Fault> {
        let Self { listen, certificate, key: private, token_file } = self;
        let needed = [("certificate", certificate), ("key", private), ("token_file", token_file)];
        for (name, path) in needed {
            let fault = |message| Err(Fault::new(&key.name(name), message));
            match (listen, path) {
                (Some(_), None) => {
                    return fault("listen needs this too: no TCP without TLS and tokens");
                }
                (None, Some(_)) => return fault("this is for listen, which is not there"),
                (_, Some(path)) if !path.is_absolute() => return fault("this is no absolute path"),
                _ => (),
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What was said goes whole before what `other` says.
    pub(super) fn or(self, other: &Self) -> Self {
        if self.is_empty() { other.clone() } else { self }
    }
}

impl MetricsDoor {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            max_series: self.max_series.or(other.max_series),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const WHOLE: &str = "[api]\nlisten = \"[::1]:8443\"\ncertificate = \"/c\"\nkey = \"/k\"\n\
        token_file = \"/t\"\n[metrics]\nlisten = \"192.0.2.9:9100\"\nmax_series = 7\n";

    fn mistake(text: String) -> String {
        Config::parse("lvs.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_door_is_opened_whole_or_not_at_all() {
        let file = Config::parse("lvs.toml", WHOLE.to_owned()).unwrap().file;
        assert_eq!(file.api.listen, Some("[::1]:8443".parse().unwrap()));
        assert_eq!(file.metrics.max_series, Some(7));
        for (line, words) in [
            ("certificate = \"/c\"\n", "lvs.toml:1:1: api.certificate: listen needs this too"),
            ("key = \"/k\"\n", "lvs.toml:1:1: api.key: listen needs this too"),
            ("token_file = \"/t\"\n", "lvs.toml:1:1: api.token_file: listen needs this too"),
            ("listen = \"[::1]:8443\"\n", "lvs.toml:2:15: api.certificate: this is for listen"),
        ] {
            let said = mistake(WHOLE.replace(line, ""));
            assert!(said.starts_with(words), "{said}");
        }
        let relative = mistake(WHOLE.replace("/k", "k"));
        assert_eq!(relative, "lvs.toml:4:7: api.key: this is no absolute path");
        let nowhere = mistake(WHOLE.replace("[::1]:8443", "localhost"));
        assert!(nowhere.starts_with("lvs.toml:2:10: api.listen: "), "{nowhere}");
    }
}
