//! A case as it lies in the file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{compare::Row, conns::Line};

#[derive(Deserialize)]
pub(crate) struct Recorded {
    pub(crate) mode: Mode,
    pub(crate) proto: Proto,
    pub(crate) commands: Vec<String>,
    pub(crate) timeouts: Option<[u32; 3]>,
    #[serde(default)]
    pub(crate) sysctl: BTreeMap<String, u64>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Masq,
    Route,
    Tunnel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proto {
    Tcp,
    Udp,
}

#[derive(Deserialize)]
pub(crate) struct Step {
    #[serde(rename = "step")]
    pub(crate) act: String,
    pub(crate) arrived: Vec<Arrived>,
    pub(crate) conns: Vec<Listed>,
    pub(crate) servers: Vec<Row>,
    #[serde(default)]
    pub(crate) stderr: String,
}

/// A packet that showed up at the client (`cl`) or a real server (`s1`, `s2`, …).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) at: String,
    pub(crate) packet: String,
}

/// A line of `ipvsadm -Lnc`, and what it says.
#[derive(Deserialize)]
pub(crate) struct Listed {
    pub(crate) line: String,
    #[serde(flatten)]
    pub(crate) says: Line,
}
