//! What a controller is told when it starts: by its command line, else by the file.

use std::{net::SocketAddr, path::PathBuf};

use super::{
    doors::{Api, METRICS_MAX_SERIES, MetricsDoor},
    file::{File, Mode, State},
};
use crate::model::StandIns;

/// Where rules are kept that a new start of the machine forgets.
pub const VOLATILE_DIR: &str = "/run/lvs/state";
/// Where rules are kept that it does not.
pub const PERSISTENT_DIR: &str = "/var/lib/lvs";

/// What a command line says; it goes before the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Interfaces; none means that nothing was said.
    pub interfaces: Vec<String>,
    /// The XDP mode.
    pub mode: Option<Mode>,
    /// Connections expected.
    pub connections: Option<u32>,
    /// Connections of IPv6 expected.
    pub connections6: Option<u32>,
    /// Where the rules are kept.
    pub state_dir: Option<PathBuf>,
    /// Where the controller listens.
    pub socket: Option<PathBuf>,
    /// The group of the socket.
    pub group: Option<String>,
    /// The permissions of the socket.
    pub permissions: Option<u32>,
    /// The API over TCP.
    pub api: Api,
    /// Metrics for Prometheus.
    pub metrics: MetricsDoor,
}

/// What holds, once command line and file are read. None of it changes while the controller runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Interfaces that the program stands in.
    pub interfaces: Vec<String>,
    /// The XDP mode.
    pub mode: Mode,
    /// Connections expected.
    pub connections: u32,
    /// Connections of IPv6 expected.
    pub connections6: u32,
    /// Whether rules survive a new start of the machine.
    pub state: State,
    /// Where they are kept, if somebody said so; see [`Self::state_dir`].
    pub own_state_dir: Option<PathBuf>,
    /// Where the controller listens, if somebody said so.
    pub socket: Option<PathBuf>,
    /// The group of the socket, if somebody said so.
    pub group: Option<String>,
    /// The permissions of the socket.
    pub permissions: u32,
    /// The API over TCP.
    pub api: Api,
    /// Metrics for Prometheus.
    pub metrics: MetricsDoor,
    /// The networks of real servers' stand-ins, if somebody said so.
    pub stand_ins: Option<StandIns>,
    /// Whether connections ask for early checks.
    pub passive: bool,
}

impl Setup {
    /// The setup that `overrides` and `file` make.
    #[must_use]
    pub fn new(overrides: &Overrides, file: &File) -> Self {
        let Overrides {
            interfaces,
            mode,
            connections,
            connections6,
            state_dir,
            socket,
            group,
            permissions,
            api,
            metrics,
        } = overrides.clone();
        let named = Some(interfaces).filter(|interfaces| !interfaces.is_empty());
        let connections = connections.or(file.connections).unwrap_or(131_072);
        Self {
            interfaces: named.unwrap_or_else(|| file.interfaces.clone()),
            mode: mode.or(file.mode).unwrap_or_default(),
            connections,
            connections6: connections6.or(file.connections6).unwrap_or(connections),
            state: file.state.unwrap_or_default(),
            own_state_dir: state_dir.or_else(|| file.state_dir.clone()),
            socket: socket.or_else(|| file.socket.path.clone()),
            group: group.or_else(|| file.socket.group.clone()),
            // A file with others is refused.
            permissions: permissions.or(file.socket.permissions().ok()).unwrap_or(0o660),
            api: api.or(&file.api),
            metrics: metrics.or(file.metrics),
            stand_ins: file.health.stand_ins(),
            passive: file.health.passive,
        }
    }

    /// How many series the metrics show at most.
    #[must_use]
    pub fn metrics_max_series(&self) -> usize {
        self.metrics.max_series.unwrap_or(METRICS_MAX_SERIES)
    }

    /// Where the rules are kept.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.own_state_dir.clone().unwrap_or_else(|| {
            PathBuf::from(match self.state {
                State::Volatile => VOLATILE_DIR,
                State::Persistent => PERSISTENT_DIR,
            })
        })
    }

    /// What of `new` does not hold before the controller starts again; a remark each.
    #[must_use]
    pub fn waiting(&self, new: &Self) -> Vec<String> {
        const START: &str = "at the next start";
        const DETACH: &str = "after `lvs-ctl detach' and a new start";
        let show = |path: &Option<PathBuf>| {
            path.as_ref().map_or_else(|| "default".into(), |path| path.display().to_string())
        };
        let group = |group: &Option<String>| group.clone().unwrap_or_else(|| "default".into());
        let door = |door: Option<SocketAddr>| door.map_or("none".into(), |door| door.to_string());
        let networks = |said: Option<StandIns>| said.unwrap_or_default().to_string();
        let pairs = [
            ("interfaces", self.interfaces.join(" "), new.interfaces.join(" "), START),
            ("mode", self.mode.word().into(), new.mode.word().into(), START),
            ("connections", self.connections.to_string(), new.connections.to_string(), DETACH),
            ("connections6", self.connections6.to_string(), new.connections6.to_string(), DETACH),
            ("state", self.state.word().into(), new.state.word().into(), START),
            ("state_dir", show(&self.own_state_dir), show(&new.own_state_dir), START),
            ("socket.path", show(&self.socket), show(&new.socket), START),
            ("socket.group", group(&self.group), group(&new.group), START),
            (
                "socket.mode",
                format!("{:04o}", self.permissions),
                format!("{:04o}", new.permissions),
                START,
            ),
            ("api.listen", door(self.api.listen), door(new.api.listen), START),
            ("api.certificate", show(&self.api.certificate), show(&new.api.certificate), START),
            ("api.key", show(&self.api.key), show(&new.api.key), START),
            ("api.token_file", show(&self.api.token_file), show(&new.api.token_file), START),
            ("metrics.listen", door(self.metrics.listen), door(new.metrics.listen), START),
            (
                "metrics.max_series",
                self.metrics_max_series().to_string(),
                new.metrics_max_series().to_string(),
                START,
            ),
            ("health.stand_ins", networks(self.stand_ins), networks(new.stand_ins), START),
            ("health.passive", self.passive.to_string(), new.passive.to_string(), START),
        ];
        let differing = pairs.into_iter().filter(|(_, old, new, _)| old != new);
        differing.map(|(key, old, new, when)| format!("{key}: {old} -> {new} {when}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn file(text: &str) -> File {
        Config::parse("lvs.toml", text.to_owned()).unwrap().file
    }

    const FILE: &str = "interfaces = [\"eth0\"]\nconnections = 7\nmode = \"native\"\n\
        state = \"persistent\"\n[socket]\npath = \"/run/a.sock\"\nmode = \"600\"\n\
        [api]\nlisten = \"[::1]:1\"\ncertificate = \"/c\"\nkey = \"/k\"\ntoken_file = \"/t\"\n\
        [metrics]\nlisten = \"[::1]:3\"\nmax_series = 5\n\
        [health]\nstand_ins = [\"10.8.0.0/15\"]\npassive = true\n";

    #[test]
    fn the_command_line_goes_before_the_file_and_the_file_before_the_defaults() {
        let setup = Setup::new(&Overrides::default(), &file(FILE));
        assert_eq!((setup.connections, setup.connections6, setup.mode), (7, 7, Mode::Native));
        assert_eq!((setup.permissions, setup.state_dir()), (0o600, PERSISTENT_DIR.into()));
        let overrides = Overrides {
            interfaces: vec!["eth1".into()],
            mode: Some(Mode::Generic),
            connections: Some(8),
            connections6: Some(9),
            state_dir: Some("/a".into()),
            socket: Some("/b".into()),
            group: Some("lvs".into()),
            permissions: Some(0o666),
            api: Api { listen: "[::1]:2".parse().ok(), ..Api::default() },
            metrics: MetricsDoor { listen: "[::1]:4".parse().ok(), max_series: None },
        };
        let setup = Setup::new(&overrides, &file(FILE));
        assert_eq!(setup.interfaces, ["eth1"]);
        assert_eq!((setup.connections, setup.connections6), (8, 9));
        assert_eq!((setup.mode, setup.socket), (Mode::Generic, Some("/b".into())));
        assert_eq!(setup.own_state_dir, Some("/a".into()));
        assert_eq!((setup.group.as_deref(), setup.permissions), (Some("lvs"), 0o666));
        assert_eq!((setup.api.listen, setup.api.key), ("[::1]:2".parse().ok(), None));
        assert_eq!(
            (setup.metrics.listen, setup.metrics.max_series),
            ("[::1]:4".parse().ok(), Some(5))
        );
        let setup = Setup::new(&Overrides::default(), &File::default());
        assert_eq!(
            (setup.connections, setup.mode, setup.permissions),
            (131_072, Mode::Auto, 0o660)
        );
        assert_eq!((setup.interfaces.len(), setup.state_dir()), (0, VOLATILE_DIR.into()));
    }

    #[test]
    fn what_waits_for_a_start_is_said() {
        let none = Overrides::default();
        let old = Setup::new(&none, &file(FILE));
        assert_eq!(old.waiting(&old), [""; 0]);
        assert_eq!(
            old.waiting(&Setup::new(
                &none,
                &file("interfaces = [\"eth0\", \"eth1\"]\n[socket]\ngroup = \"lvs\"")
            )),
            [
                "interfaces: eth0 -> eth0 eth1 at the next start",
                "mode: native -> auto at the next start",
                "connections: 7 -> 131072 after `lvs-ctl detach' and a new start",
                "connections6: 7 -> 131072 after `lvs-ctl detach' and a new start",
                "state: persistent -> volatile at the next start",
                "socket.path: /run/a.sock -> default at the next start",
                "socket.group: default -> lvs at the next start",
                "socket.mode: 0600 -> 0660 at the next start",
                "api.listen: [::1]:1 -> none at the next start",
                "api.certificate: /c -> default at the next start",
                "api.key: /k -> default at the next start",
                "api.token_file: /t -> default at the next start",
                "metrics.listen: [::1]:3 -> none at the next start",
                "metrics.max_series: 5 -> 200000 at the next start",
                "health.stand_ins: 10.8.0.0/15 fd6c:7673:7072:6f62::/64 -> 198.18.0.0/15 \
                    fd6c:7673:7072:6f62::/64 at the next start",
                "health.passive: true -> false at the next start",
            ]
        );
        // What the command line says does not wait for the file.
        let said = Overrides { connections: Some(9), ..Overrides::default() };
        let (old, new) = (file("connections = 1"), file("connections = 2"));
        assert_eq!(Setup::new(&said, &old).waiting(&Setup::new(&said, &new)), [""; 0]);
    }
}
