//! A check that makes sense: what a [`CheckSpec`] says, with what it leaves out, judged.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf};

use super::{CheckSpec, CheckType, Span, Transport, Via, valid};
use crate::model::ServiceId;

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it does.
    pub kind: Kind,
    /// When it does it, and what its results mean.
    pub timing: Timing,
    /// Through what it goes.
    pub via: Via,
    /// Another address than the real server's.
    pub address: Option<IpAddr>,
    /// Another port.
    pub port: Option<u16>,
    /// The director's address that it comes from.
    pub source: Option<IpAddr>,
}

/// When a check is made, and how many results decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the beginning of one check to that of the next.
    pub interval: Span,
    /// A longer check has failed; at most the interval.
    pub timeout: Span,
    /// Successes in a row that bring a real server back, at least 1.
    pub rise: u32,
    /// Failures in a row that take it out, at least 1.
    pub fall: u32,
    /// From a failure that does not decide yet to the next check.
    pub retry: Span,
    /// Intervals are shortened at random by up to so many percent.
    pub jitter_percent: u8,
}

/// What a check does, with what it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Connects.
    Tcp,
    /// Asks a web server.
    Http(Box<Http>),
    /// Sends a datagram.
    Udp(Exchange, Silence),
    /// Asks a name server.
    Dns(Dns),
    /// Sends an echo.
    Icmp,
    /// Greets a mail server by this name.
    Smtp(String),
    /// Sends and compares, over TCP.
    Exchange(Exchange),
    /// Runs a program with arguments.
    Exec(Vec<String>),
}

/// A request to a web server, and what is a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// TLS, if it is HTTPS.
    pub tls: Option<Tls>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The `Host` header; the address if there is none.
    pub host: Option<String>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// Whether it is HTTP/1.0.
    pub is_1_0: bool,
    /// Good answers.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body matches: a regular expression.
    pub body: Option<String>,
    /// The body's digest.
    pub digest: Option<Digest>,
    /// What headers of the answer match: regular expressions.
    pub expect_headers: Vec<(String, String)>,
}

/// How a web server's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The name asked for.
    pub sni: Option<String>,
    /// Whether the certificate has to be good.
    pub verify: bool,
    /// The authorities trusted; the system's if there are none.
    pub ca: Option<PathBuf>,
    /// A certificate that ends within this time gets a warning.
    pub expiry_warning: Span,
}

/// The digest of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// MD5, as keepalived's `genhash` gives it.
    Md5([u8; 16]),
    /// SHA-256.
    Sha256([u8; 32]),
}

/// What is sent, and what the answer has to match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The bytes.
    pub send: Vec<u8>,
    /// A regular expression over the bytes of the answer.
    pub expect: Option<String>,
}

/// What it means if a datagram is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing bad.
    Success,
    /// A failure.
    Failure,
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The name; the root is `.`.
    pub name: String,
    /// The type of record.
    pub record: String,
    /// What an answer matches: a regular expression.
    pub expect: Option<String>,
}

/// What is wrong with a check, and with which of its fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct WrongCheck {
    /// The field of [`CheckSpec`], or of what the checks stand in.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Kind {
    /// What it speaks.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self {
            Self::Udp(..) | Self::Dns(_) => Transport::Udp,
            Self::Icmp => Transport::Icmp,
            Self::Tcp | Self::Http(_) | Self::Smtp(_) | Self::Exchange(_) => Transport::Tcp,
            Self::Exec(_) => Transport::Any,
        }
    }
}

impl Timing {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        interval: Span::seconds(5),
        timeout: Span::seconds(3),
        rise: 1,
        fall: 2,
        retry: Span::seconds(1),
        jitter_percent: 5,
    };

    fn read(spec: &CheckSpec) -> Result<Self, WrongCheck> {
        const SHORTEST: Span = Span::ms(100);
        let interval = spec.interval.unwrap_or(Self::DEFAULT.interval);
        if interval < SHORTEST {
            return Err(WrongCheck::new("interval", format!("{interval} is less than {SHORTEST}")));
        }
        let timeout = spec.timeout.unwrap_or(Self::DEFAULT.timeout.min(interval));
        if timeout.is_zero() {
            return Err(WrongCheck::new("timeout", "no check is that fast"));
        }
        if timeout > interval {
            // Whoever says only one of them said that one wrong.
            let field = if spec.interval.is_some() { "interval" } else { "timeout" };
            let message =
                format!("the interval ({interval}) is shorter than the timeout ({timeout})");
            return Err(WrongCheck::new(field, message));
        }
        let retry = spec.retry.unwrap_or(Self::DEFAULT.retry.min(interval));
        if retry > interval {
            let message = format!("{retry} is longer than the interval ({interval})");
            return Err(WrongCheck::new("retry", message));
        }
        let times = |field, said: Option<u32>, default| match said.unwrap_or(default) {
            times @ 1..=1000 => Ok(times),
            times => Err(WrongCheck::new(field, format!("{times} is not between 1 and 1000"))),
        };
        let jitter_percent = spec.jitter.unwrap_or(Self::DEFAULT.jitter_percent);
        if jitter_percent > 50 {
            return Err(WrongCheck::new("jitter", format!("{jitter_percent} is more than 50")));
        }
        Ok(Self {
            interval,
            timeout,
            rise: times("rise", spec.rise, Self::DEFAULT.rise)?,
            fall: times("fall", spec.fall, Self::DEFAULT.fall)?,
            retry,
            jitter_percent,
        })
    }
}

impl WrongCheck {
    /// This field, and what is wrong with it.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl CheckSpec {
    /// The check that it says.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn read(&self) -> Result<Check, WrongCheck> {
        for (field, types) in self.particular() {
            if !types.contains(&self.kind) {
                let types: Vec<_> = types.iter().map(|kind| kind.name()).collect();
                let message = format!("this is for type {}", types.join(", "));
                return Err(WrongCheck::new(field, message));
            }
        }
        let timing = Timing::read(self)?;
        let kind = self.read_kind()?;
        Ok(Check {
            kind,
            timing,
            via: self.read_via()?,
            address: self.address,
            port: valid::port(self.port)?,
            source: self.source,
        })
    }

    /// The check that it says, in this service.
    ///
    /// # Errors
    /// As [`Self::read`]; or the service has no VIP to check through.
    pub fn read_in(&self, service: &ServiceId) -> Result<Check, WrongCheck> {
        let check = self.read()?;
        match (service, self.via) {
            (ServiceId::Mark { .. }, Some(Via::Service)) => {
                let message = "a service of a firewall mark has no VIP to check through: its checks \
                    go direct";
                Err(WrongCheck::new("via", message))
            }
            (ServiceId::Mark { .. }, _) => Ok(Check { via: Via::Direct, ..check }),
            (ServiceId::Address { .. }, _) => Ok(check),
        }
    }

    fn read_via(&self) -> Result<Via, WrongCheck> {
        let is_elsewhere = self.address.is_some() || self.port.is_some();
        let is_direct = is_elsewhere || matches!(self.kind, CheckType::Icmp | CheckType::Exec);
        match self.via {
            None if is_direct => Ok(Via::Direct),
            None => Ok(Via::Service),
            Some(Via::Service) if is_direct => {
                let message = if is_elsewhere {
                    "a check of another address or port goes direct"
                } else {
                    "this type goes direct"
                };
                Err(WrongCheck::new("via", message))
            }
            Some(via) => Ok(via),
        }
    }

    fn read_kind(&self) -> Result<Kind, WrongCheck> {
        Ok(match self.kind {
            CheckType::Tcp => Kind::Tcp,
            CheckType::Http => Kind::Http(Box::new(valid::http(self, None)?)),
            CheckType::Https => {
                let tls = Tls {
                    sni: valid::name("sni", self.sni.clone().or_else(|| self.host_name()))?,
                    verify: self.verify.unwrap_or(false),
                    ca: valid::ca(self)?,
                    expiry_warning: self.expiry_warning.unwrap_or(Span::seconds(14 * 24 * 3600)),
                };
                Kind::Http(Box::new(valid::http(self, Some(tls))?))
            }
            CheckType::Udp => {
                let exchange = valid::exchange(self)?;
                let is_required = self.require_reply.unwrap_or(exchange.expect.is_some());
                if !is_required && exchange.expect.is_some() {
                    let message = "what is expected has to come";
                    return Err(WrongCheck::new("require_reply", message));
                }
                Kind::Udp(exchange, if is_required { Silence::Failure } else { Silence::Success })
            }
            CheckType::Dns => Kind::Dns(valid::dns(self)?),
            CheckType::Icmp => Kind::Icmp,
            CheckType::Smtp => Kind::Smtp(valid::helo(self)?),
            CheckType::Exchange => {
                let exchange = valid::exchange(self)?;
                if exchange == Exchange::default() {
                    return Err(WrongCheck::new("expect", "nothing is sent and nothing expected"));
                }
                Kind::Exchange(exchange)
            }
            CheckType::Redis => preset(b"PING\r\n", r"^\+PONG\r\n"),
            // A greeting packet: three bytes of length, number 0, protocol version 10.
            CheckType::Mysql => preset(b"", r"(?s-u)^...\x00\x0a"),
            // SSLRequest: length 8, code 80877103; any server answers S or N.
            CheckType::Postgres => preset(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], "^[SN]"),
            CheckType::Exec => Kind::Exec(valid::command(self)?),
        })
    }

    /// The host without its port, unless it is an address: those are not asked for in TLS.
    fn host_name(&self) -> Option<String> {
        let host = self.host.as_deref()?;
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
        });
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        (!is_address).then(|| name.to_owned())
    }
}

fn preset(send: &[u8], expect: &str) -> Kind {
    Kind::Exchange(Exchange { send: send.into(), expect: Some(expect.to_owned()) })
}
