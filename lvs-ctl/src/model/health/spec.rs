//! A check as operators write it: in the configuration file, and as the API carries it.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Span, Via};

/// A check of real servers. What is left out is as by default; what does not belong to the type is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// What is checked.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// From the beginning of one check to that of the next; `5s` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// A check that takes longer has failed; 3 s if left out, or the interval if that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Successes in a row that bring a real server back; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<u32>,
    /// Failures in a row that take it out; 2 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fall: Option<u32>,
    /// From a failure that does not decide yet to the next check; 1 s if left out, or the interval if
    /// that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Span>,
    /// Intervals are shortened at random by up to so many percent; 5 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u8>,
    /// Through what; `service` if left out, except for icmp, exec, and where an address or a port is
    /// said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// Another address than the real server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Another port than the real server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The director's address that the check comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source: Option<IpAddr>,

    /// http, https: what is asked for, with its query; `/` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// http, https: `GET` if left out, or `HEAD` or `OPTIONS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// http, https: the `Host` header, and the name in TLS; the address if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// http, https: more headers to send.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// http, https: `1.1` if left out, or `1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// http, https: good answers, such as `200-299,404`; `200-299` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// http, https: a regular expression that the body has to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// http, https: the body's digest, `md5:` or `sha256:` in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// http, https: headers of the answer, each with a regular expression that it has to match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_headers: BTreeMap<String, String>,
    /// https: the name in TLS, if it is not the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// https: a certificate that clients would not accept is a failure. It is not if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<bool>,
    /// https: the authorities that are trusted, PEM; those of the system if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ca: Option<PathBuf>,
    /// https: warns when the certificate ends within this time; `14d` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_warning: Option<Span>,

    /// udp, exchange: what is sent, with `\r`, `\n`, `\t`, `\\` and `\xHH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// udp, exchange, dns: a regular expression that the answer has to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// udp: no answer is a failure. It is if `expect` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_reply: Option<bool>,

    /// dns: the name that is asked for; the root if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// dns: the type of record; `SOA` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,

    /// smtp: what the director calls itself; `localhost` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,

    /// exec: the program, an absolute path, and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// What a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// A TCP connection is accepted.
    #[default]
    Tcp,
    /// An HTTP request is answered well.
    Http,
    /// The same over TLS.
    Https,
    /// A datagram is answered, or at least not refused.
    Udp,
    /// A name server answers.
    Dns,
    /// An echo is answered.
    Icmp,
    /// A mail server greets.
    Smtp,
    /// Something is sent over TCP and answered as expected.
    Exchange,
    /// A Redis server answers PING.
    Redis,
    /// A `MySQL` server greets.
    Mysql,
    /// A `PostgreSQL` server answers.
    Postgres,
    /// A program says so.
    Exec,
}

impl CheckType {
    /// All, with their names.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Tcp, "tcp"),
        (Self::Http, "http"),
        (Self::Https, "https"),
        (Self::Udp, "udp"),
        (Self::Dns, "dns"),
        (Self::Icmp, "icmp"),
        (Self::Smtp, "smtp"),
        (Self::Exchange, "exchange"),
        (Self::Redis, "redis"),
        (Self::Mysql, "mysql"),
        (Self::Postgres, "postgres"),
        (Self::Exec, "exec"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl CheckSpec {
    /// A check of this type, all else as by default.
    #[must_use]
    pub fn of(kind: CheckType) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The fields that are said and belong to some types only, with those types.
    pub(super) fn particular(&self) -> Vec<(&'static str, &'static [CheckType])> {
        use CheckType::{Dns, Exchange, Exec, Http, Https, Smtp, Udp};
        const WEB: &[CheckType] = &[Http, Https];
        const TLS: &[CheckType] = &[Https];
        let fields: [(&str, bool, &'static [CheckType]); 20] = [
            ("path", self.path.is_some(), WEB),
            ("method", self.method.is_some(), WEB),
            ("host", self.host.is_some(), WEB),
            ("headers", !self.headers.is_empty(), WEB),
            ("version", self.version.is_some(), WEB),
            ("status", self.status.is_some(), WEB),
            ("body", self.body.is_some(), WEB),
            ("digest", self.digest.is_some(), WEB),
            ("expect_headers", !self.expect_headers.is_empty(), WEB),
            ("sni", self.sni.is_some(), TLS),
            ("verify", self.verify.is_some(), TLS),
            ("ca", self.ca.is_some(), TLS),
            ("expiry_warning", self.expiry_warning.is_some(), TLS),
            ("send", self.send.is_some(), &[Udp, Exchange]),
            ("expect", self.expect.is_some(), &[Udp, Exchange, Dns]),
            ("require_reply", self.require_reply.is_some(), &[Udp]),
            ("name", self.name.is_some(), &[Dns]),
            ("record", self.record.is_some(), &[Dns]),
            ("helo", self.helo.is_some(), &[Smtp]),
            ("command", !self.command.is_empty(), &[Exec]),
        ];
        fields.into_iter().filter(|(_, said, _)| *said).map(|(name, _, of)| (name, of)).collect()
    }
}
