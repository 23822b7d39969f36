//! A recorded case as it lies in `testdata/oracle/sched`.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use serde::Deserialize;

/// Server, weight, active, inactive.
pub(crate) type Row = (String, u32, u32, u32);

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) services: Vec<Service>,
    pub(crate) servers: Vec<Server>,
    #[serde(default)]
    pub(crate) sysctl: HashMap<String, u64>,
    pub(crate) timeouts: Option<[u64; 3]>,
    pub(crate) start: Vec<Row>,
    pub(crate) chosen: Vec<Option<SocketAddr>>,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Masq,
    Route,
}

#[derive(Deserialize)]
pub(crate) struct Service {
    pub(crate) kind: String,
    pub(crate) addr: Option<IpAddr>,
    #[serde(default)]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) mark: u32,
    #[serde(default, rename = "match")]
    pub(crate) matches: Vec<String>,
    #[serde(flatten)]
    pub(crate) settings: Settings,
}

/// What `-E` sets anew.
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) scheduler: String,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    pub(crate) persist: Option<u64>,
    pub(crate) netmask: Option<String>,
    #[serde(default)]
    pub(crate) ops: bool,
}

#[derive(Deserialize)]
pub(crate) struct Server {
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
    pub(crate) weight: u32,
    #[serde(default)]
    pub(crate) u: u32,
    #[serde(default)]
    pub(crate) l: u32,
    #[serde(default)]
    pub(crate) service: usize,
}

#[derive(Deserialize)]
pub(crate) struct Event {
    #[serde(flatten)]
    pub(crate) op: Op,
    #[serde(default)]
    pub(crate) skipped: bool,
    pub(crate) chosen: Option<SocketAddr>,
    pub(crate) after: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    Open {
        id: u32,
        client: IpAddr,
        cport: u16,
        #[serde(flatten)]
        to: Target,
    },
    Udp {
        client: IpAddr,
        cport: u16,
        #[serde(flatten)]
        to: Target,
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
    Weight {
        server: SocketAddr,
        weight: u32,
    },
    Thresholds {
        server: SocketAddr,
        weight: Option<u32>,
        #[serde(default)]
        u: u32,
        #[serde(default)]
        l: u32,
    },
    AddServer {
        server: SocketAddr,
        weight: Option<u32>,
        #[serde(default)]
        u: u32,
        #[serde(default)]
        l: u32,
    },
    DelServer {
        server: SocketAddr,
    },
    EditService(Settings),
    Sysctl {
        name: String,
        value: u64,
    },
    Wait {
        seconds: u64,
    },
    Conns {
        list: Vec<Listed>,
    },
}

/// What the client calls, where it differs from the service's own address and port.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) dst: Option<IpAddr>,
    pub(crate) dport: Option<u16>,
    #[serde(default)]
    pub(crate) service: usize,
}

/// A line of `/proc/net/ip_vs_conn`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Listed {
    pub(crate) pro: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) dest: String,
    pub(crate) state: String,
    pub(crate) expires: u64,
}

/// Every recorded case, file by file.
pub(crate) fn all() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/oracle/sched");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
