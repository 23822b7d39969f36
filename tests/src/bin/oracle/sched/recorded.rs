//! A case as it lies in the file.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use serde::Deserialize;

use crate::{compare::Row, conns::Line};

#[derive(Deserialize)]
pub(crate) struct Recorded {
    pub(crate) mode: Mode,
    pub(crate) services: Vec<Service>,
    #[serde(default)]
    pub(crate) sysctl: BTreeMap<String, u64>,
    pub(crate) ipvsadm: Vec<String>,
    pub(crate) start: Vec<Row>,
    pub(crate) chosen: Vec<Option<SocketAddr>>,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Masq,
    Route,
    Tunnel,
}

#[derive(Deserialize)]
pub(crate) struct Service {
    pub(crate) addr: Option<IpAddr>,
    #[serde(default)]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) mark: u32,
    #[serde(default, rename = "match")]
    pub(crate) matches: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Event {
    #[serde(flatten)]
    pub(crate) op: Op,
    #[serde(default)]
    pub(crate) skipped: bool,
    pub(crate) chosen: Option<SocketAddr>,
    pub(crate) error: Option<String>,
    pub(crate) reply: Option<String>,
    pub(crate) ipvsadm_error: Option<String>,
    #[serde(default)]
    pub(crate) service: usize,
    pub(crate) after: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    Open {
        id: u32,
        #[serde(flatten)]
        call: Call,
    },
    Udp {
        #[serde(flatten)]
        call: Call,
    },
    Close {
        id: u32,
    },
    ServerClose {
        id: u32,
    },
    Abort {
        id: u32,
    },
    ServerAbort {
        id: u32,
    },
    HalfClose {
        id: u32,
    },
    Send {
        id: u32,
        result: String,
    },
    Weight(Server),
    Thresholds(Server),
    AddServer(Server),
    DelServer(Server),
    EditService(Settings),
    Sysctl {
        name: String,
        value: u64,
    },
    Wait {
        seconds: f64,
    },
    Conns {
        list: Vec<Line>,
    },
}

/// Who calls whom, where that is not the service's own address and port.
#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) client: IpAddr,
    pub(crate) cport: u16,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) dport: Option<u16>,
}

#[derive(Deserialize)]
pub(crate) struct Server {
    #[serde(rename = "server")]
    pub(crate) at: SocketAddr,
    pub(crate) weight: Option<u32>,
    pub(crate) u: Option<u32>,
    pub(crate) l: Option<u32>,
}

/// What `-E` sets anew.
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) scheduler: String,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    pub(crate) persist: Option<u64>,
    pub(crate) netmask: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) ops: bool,
}

impl Event {
    /// What happens, for reports.
    pub(crate) fn name(&self) -> String {
        match &self.op {
            Op::Open { id, call } => format!("open {id} from {}:{}", call.client, call.cport),
            Op::Udp { call } => format!("udp from {}:{}", call.client, call.cport),
            Op::Close { id } => format!("close {id}"),
            Op::ServerClose { id } => format!("server_close {id}"),
            Op::Abort { id } => format!("abort {id}"),
            Op::ServerAbort { id } => format!("server_abort {id}"),
            Op::HalfClose { id } => format!("half_close {id}"),
            Op::Send { id, .. } => format!("send {id}"),
            Op::Weight(of) => format!("weight of {}", of.at),
            Op::Thresholds(of) => format!("thresholds of {}", of.at),
            Op::AddServer(of) => format!("add {}", of.at),
            Op::DelServer(of) => format!("delete {}", of.at),
            Op::EditService(_) => "edit_service".to_owned(),
            Op::Sysctl { name, value } => format!("{name}={value}"),
            Op::Wait { seconds } => format!("wait {seconds}"),
            Op::Conns { .. } => "conns".to_owned(),
        }
    }
}
