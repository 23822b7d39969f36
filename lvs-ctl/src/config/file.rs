//! The configuration file as it is written: `lvs.toml`.

use std::{collections::BTreeMap, path::PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{
    checking::FileChecking,
    doors::{Api, MetricsDoor},
    mistake::Fault,
    place::Key,
    service::{FileService, SECONDS_MAX},
    switches::{FileMark, FileTunable},
};
use crate::model::health::ChangeHook;

/// The most connections that may be expected.
pub const CONNECTIONS_MAX: u32 = 134_217_728;

/// The same of IPv6, whose entries are larger.
pub const CONNECTIONS6_MAX: u32 = 67_108_864;

/// The configuration of a director: all that its controller is told when it starts, and the rules
/// that it declares. Everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Interfaces that clients, and in NAT real servers, are reached by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// Where in the interfaces the program stands; `auto` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Connections expected at a time; the table has room for twice as many. 131072 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 134_217_728)))]
    pub connections: Option<u32>,
    /// The same of IPv6; as many if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 67_108_864)))]
    pub connections6: Option<u32>,
    /// What becomes of rules made by commands when the machine starts again; `volatile` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Where the rules are kept instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// The socket that the controller listens on.
    #[serde(default, skip_serializing_if = "Socket::is_empty")]
    pub socket: Socket,
    /// The API over TCP.
    #[serde(default, skip_serializing_if = "Api::is_empty")]
    pub api: Api,
    /// Metrics for Prometheus.
    #[serde(default, skip_serializing_if = "MetricsDoor::is_empty")]
    pub metrics: MetricsDoor,
    /// How the director checks, whatever the service.
    #[serde(default, skip_serializing_if = "FileChecking::is_empty")]
    pub health: FileChecking,
    /// Timeouts of connections; those left out stay as they are.
    #[serde(default, skip_serializing_if = "FileTimeouts::is_empty")]
    pub timeouts: FileTimeouts,
    /// Tunables by their IPVS names; those left out stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::tunables"))]
    pub tunables: BTreeMap<String, FileTunable>,
    /// Programs that are run when health changes something.
    #[serde(default, rename = "hook", skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<ChangeHook>,
    /// Rules that mark packets, which the file owns.
    #[serde(default, rename = "mark", skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<FileMark>,
    /// The virtual services that the file owns.
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<FileService>,
}

/// The XDP mode asked for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Native where frames will arrive, else generic; `lvs-ctl status` says why
    #[default]
    Auto,
    /// In the driver, or not at all
    Native,
    /// At the stack's entry
    Generic,
}

/// What becomes of rules when the machine starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They are forgotten, as in IPVS; a controller that starts again has them.
    #[default]
    Volatile,
    /// They are there again.
    Persistent,
}

/// The controller's socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Its path; `/run/lvs/lvs.sock` if left out. Commands are told another one by `--socket` or
    /// `LVS_SOCKET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The group that it belongs to, by name or number; the controller's own if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its permissions, octal; `0660` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(regex(pattern = r"^0?[0-7]{3}$")))]
    pub mode: Option<String>,
}

/// Timeouts of connections, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileTimeouts {
    /// Established TCP connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 2_678_400)))]
    pub tcp: Option<u32>,
    /// TCP connections after a FIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 2_678_400)))]
    pub tcp_fin: Option<u32>,
    /// UDP connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 2_678_400)))]
    pub udp: Option<u32>,
}

impl Mode {
    /// As the file says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

impl State {
    /// As the file says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::Persistent => "persistent",
        }
    }
}

impl Socket {
    /// Its permissions.
    ///
    /// # Errors
    /// They are not three octal digits.
    pub fn permissions(&self) -> Result<u32, String> {
        let text = self.mode.as_deref().unwrap_or("0660");
        match u32::from_str_radix(text, 8) {
            Ok(mode @ 0..=0o777) if matches!(text.len(), 3 | 4) => Ok(mode),
            _ => Err(format!("`{text}' are no permissions such as 0660")),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FileTimeouts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl File {
    /// Whether what the controller is told when it starts makes sense.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let root = Key::default();
        for (index, name) in self.interfaces.iter().enumerate() {
            // As `dev_valid_name` has it.
            let valid = !matches!(name.as_str(), "" | "." | "..")
                && name.len() < 16
                && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
            let key = root.name("interfaces").index(index);
            if !valid {
                return Err(Fault::new(&key, format!("`{name}' is no name of an interface")));
            }
            if self.interfaces[..index].contains(name) {
                return Err(Fault::new(&key, format!("{name} is there twice")));
            }
        }
        within(self.connections, CONNECTIONS_MAX, "", &root.name("connections"))?;
        within(self.connections6, CONNECTIONS6_MAX, "", &root.name("connections6"))?;
        let socket = root.name("socket");
        for (key, path) in
            [(root.name("state_dir"), &self.state_dir), (socket.name("path"), &self.socket.path)]
        {
            if path.as_ref().is_some_and(|path| !path.is_absolute()) {
                return Err(Fault::new(&key, "this is no absolute path"));
            }
        }
        let permissions = self.socket.permissions();
        permissions.map_err(|message| Fault::new(&socket.name("mode"), message))?;
        self.api.check(&root.name("api"))?;
        for (index, hook) in self.hooks.iter().enumerate() {
            let key = root.name("hook").index(index);
            hook.judge().map_err(|wrong| Fault::new(&key.name(wrong.field), wrong.message))?;
        }
        self.health.check(&root.name("health"))?;
        let FileTimeouts { tcp, tcp_fin, udp } = self.timeouts;
        for (name, timeout) in [("tcp", tcp), ("tcp_fin", tcp_fin), ("udp", udp)] {
            within(timeout, SECONDS_MAX, " seconds", &root.name("timeouts").name(name))?;
        }
        Ok(())
    }
}

fn within(number: Option<u32>, max: u32, unit: &str, key: &Key) -> Result<(), Fault> {
    match number.filter(|number| !(1..=max).contains(number)) {
        Some(number) => Err(Fault::new(key, format!("{number} is not between 1 and {max}{unit}"))),
        None => Ok(()),
    }
}
