//! What a check found.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Cause;

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Good(Good),
    /// It is not.
    Failed(Failure),
    /// The director could not check: this says nothing of the real server.
    Unchecked(String),
}

/// What a success tells beside itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Good {
    /// The weight that the real server is to have (exec).
    pub weight: Option<u32>,
    /// What should be looked at before it becomes a failure.
    pub warning: Option<Warning>,
}

/// What should be looked at before it becomes a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// The certificate ends within so many hours; less than 0: it has ended.
    CertificateExpiry {
        /// Hours left.
        hours: i64,
    },
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nothing in time, and what was being waited for.
    Timeout(Stage),
    /// The connection, or the datagram, was refused.
    Refused,
    /// The network says that nobody is there: in words.
    Unreachable(String),
    /// The other side broke off.
    Closed(Stage),
    /// An answer with this status.
    Status(u16),
    /// The body does not match.
    Body,
    /// The body has another digest.
    Digest,
    /// This header does not match, or is not there.
    Header(String),
    /// What came does not match.
    Answer,
    /// More came than a check reads.
    TooLong,
    /// What came is not the protocol: in words.
    Protocol(String),
    /// A name server's answer with this code, such as `SERVFAIL`.
    Rcode(String),
    /// The certificate is not acceptable.
    Certificate(CertificateFault),
    /// TLS failed otherwise: in words.
    Tls(String),
    /// The program ended with this code.
    Exit(i32),
    /// The program was ended by this signal.
    Signal(i32),
    /// The program could not be run: in words.
    Program(String),
    /// There is no way to the real server.
    Way(Cause),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFault {
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// Nobody who is trusted signed it.
    UnknownIssuer,
    /// It was revoked.
    Revoked,
    /// It is one that signs others (`CA:TRUE`), as `openssl req -x509` makes them.
    Authority,
    /// Something else: in words.
    Other(String),
}

/// What a check is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Stage {
    /// Connecting.
    #[default]
    Connect,
    /// Agreeing on TLS.
    Tls,
    /// Waiting for an answer.
    Answer,
    /// Reading the body.
    Body,
    /// Running the program.
    Run,
}

impl Failure {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Refused => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Closed(_) => "closed",
            Self::Status(_) => "status",
            Self::Body => "body",
            Self::Digest => "digest",
            Self::Header(_) => "header",
            Self::Answer => "answer",
            Self::TooLong => "too-long",
            Self::Protocol(_) => "protocol",
            Self::Rcode(_) => "rcode",
            Self::Certificate(_) => "certificate",
            Self::Tls(_) => "tls",
            Self::Exit(_) => "exit",
            Self::Signal(_) => "signal",
            Self::Program(_) => "program",
            Self::Way(_) => "way",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(stage) => write!(f, "timeout while {stage}"),
            Self::Refused => f.write_str("refused"),
            Self::Unreachable(words) => write!(f, "unreachable: {words}"),
            Self::Closed(stage) => write!(f, "closed while {stage}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Body => f.write_str("the body does not match"),
            Self::Digest => f.write_str("the body has another digest"),
            Self::Header(name) => write!(f, "header {name} does not match"),
            Self::Answer => f.write_str("the answer does not match"),
            Self::TooLong => f.write_str("the answer does not end"),
            Self::Protocol(words) => write!(f, "not the protocol: {words}"),
            Self::Rcode(code) => write!(f, "answered {code}"),
            Self::Certificate(fault) => write!(f, "certificate: {fault}"),
            Self::Tls(words) => write!(f, "TLS: {words}"),
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::Program(words) => write!(f, "cannot run: {words}"),
            Self::Way(cause) => cause.fmt(f),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not valid yet",
            Self::WrongName => "for other names",
            Self::UnknownIssuer => "unknown issuer",
            Self::Revoked => "revoked",
            Self::Authority => "an authority's own, not a server's (CA:TRUE)",
            Self::Other(words) => words,
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "agreeing on TLS",
            Self::Answer => "waiting for an answer",
            Self::Body => "reading the body",
            Self::Run => "running the program",
        })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateExpiry { hours: ..0 } => f.write_str("the certificate has expired"),
            Self::CertificateExpiry { hours } => {
                write!(f, "the certificate expires in {} d {} h", hours / 24, hours % 24)
            }
        }
    }
}
