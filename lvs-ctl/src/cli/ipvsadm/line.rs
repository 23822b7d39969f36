//! One command line read to its end: every option's value, checked where it stands.
//!
//! Reading is positional as in ipvsadm: a real server without port takes the port of the service
//! given *so far*, a netmask is read for the family given so far.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    address::{self, HostPort},
    given::NameSet,
    number,
    option::{Command, Forward, Name, Opt},
    popt::Words,
    refusal::{Refusal, usage},
    sched_flags,
};
use crate::{
    api::types::{Family, Netmask, Protocol, SchedulerFlags, ServiceId, SyncRole, Timeouts},
    cli::names::Names,
};

const INT_MAX: i64 = i32::MAX as i64;
/// 31 days, seconds.
const TIMEOUT_MAX: i64 = 31 * 24 * 3600;
/// What `-p` without a value means, seconds.
const PERSISTENCE_DEFAULT_S: u32 = 360;

/// What a line asks for.
#[derive(Debug)]
pub(super) enum Line {
    Help,
    Version,
    Command(Box<Options>),
}

/// A command with everything that its options said.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) command: Command,
    pub(super) role: Option<SyncRole>,
    pub(super) given: NameSet,
    pub(super) service: ServiceOptions,
    pub(super) server: ServerOptions,
    pub(super) daemon: DaemonOptions,
    pub(super) timeouts: Option<Timeouts>,
}

/// The options that describe a virtual service.
#[derive(Debug)]
pub(super) struct ServiceOptions {
    pub(super) id: Option<ServiceId>,
    pub(super) scheduler: String,
    pub(super) persistent_s: Option<u32>,
    pub(super) netmask: Netmask,
    pub(super) engine: String,
    pub(super) flags: SchedulerFlags,
    flag_list: String,
}

/// The options that describe a real server.
#[derive(Debug)]
pub(super) struct ServerOptions {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) forward: Forward,
    pub(super) weight: u32,
    pub(super) upper: u32,
    pub(super) lower: u32,
    pub(super) tunnel: TunnelType,
    pub(super) tunnel_port: u16,
}

/// The value of `--tun-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TunnelType {
    Ipip,
    Gue,
    Gre,
}

/// The options that describe a synchronisation daemon.
#[derive(Debug, Default)]
pub(super) struct DaemonOptions {
    pub(super) interface: String,
    pub(super) sync_id: u8,
    pub(super) max_length: Option<u16>,
    pub(super) group: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) ttl: Option<u8>,
}

/// Reads the words after the program's name.
pub(super) fn read(words: &[String], names: &dyn Names) -> Result<Line, Refusal> {
    let mut words = Words::new(words);
    let Ok(Some(first)) = words.next_option() else { return Err(Refusal::TryHelp) };
    let command = match first.opt {
        Opt::Command(command) => command,
        Opt::Help => return Ok(Line::Help),
        Opt::Version => return Ok(Line::Version),
        _ => return Err(Refusal::TryHelp),
    };
    let mut options = Options::new(command);
    options.role = role(command, first.value.unwrap_or(""))?;
    while let Some(given) = words.next_option()? {
        let value = given.value;
        match given.opt {
            Opt::Command(_) | Opt::Help | Opt::Version => {
                return usage(format!("invalid option `{}'", words.current()));
            }
            Opt::Sort => (),
            Opt::Ipv6 => options.ipv6()?,
            Opt::Tcp => options.service(Protocol::Tcp, value.unwrap_or(""), names)?,
            Opt::Udp => options.service(Protocol::Udp, value.unwrap_or(""), names)?,
            Opt::Sctp => options.service(Protocol::Sctp, value.unwrap_or(""), names)?,
            Opt::Fwmark => options.fwmark(value.unwrap_or(""))?,
            Opt::Forward(forward) => {
                options.given.insert(Name::ForwardingMethod)?;
                options.server.forward = forward;
            }
            Opt::Named(name) => {
                options.given.insert(name)?;
                options.named(name, value, names)?;
            }
        }
    }
    options.arguments(words.into_leftover())?;
    // A list of flags is read last, as the scheduler may stand behind it.
    let service = &mut options.service;
    service.flags = sched_flags::parse(&service.scheduler, &service.flag_list)?;
    Ok(Line::Command(Box::new(options)))
}

fn role(command: Command, word: &str) -> Result<Option<SyncRole>, Refusal> {
    let complaint = match command {
        Command::StartDaemon => "illegal start-daemon parameter specified",
        Command::StopDaemon => "illegal start_daemon specified",
        _ => return Ok(None),
    };
    match word {
        "master" => Ok(Some(SyncRole::Master)),
        "backup" => Ok(Some(SyncRole::Backup)),
        _ => usage(complaint),
    }
}

impl Options {
    fn new(command: Command) -> Self {
        Self {
            command,
            role: None,
            given: NameSet::default(),
            service: ServiceOptions {
                id: None,
                scheduler: String::new(),
                persistent_s: None,
                netmask: Netmask::host(Family::Ipv4),
                engine: String::new(),
                flags: SchedulerFlags::default(),
                flag_list: String::new(),
            },
            server: ServerOptions {
                address: Ipv4Addr::UNSPECIFIED.into(),
                port: 0,
                forward: Forward::Gatewaying,
                weight: 1,
                upper: 0,
                lower: 0,
                tunnel: TunnelType::Ipip,
                tunnel_port: 0,
            },
            daemon: DaemonOptions::default(),
            timeouts: None,
        }
    }

    fn service(
        &mut self,
        protocol: Protocol,
        text: &str,
        names: &dyn Names,
    ) -> Result<(), Refusal> {
        self.given.insert(Name::ServiceAddress)?;
        let Some(HostPort { address, port }) = address::host_port(text, Some(protocol), names)
        else {
            return usage("illegal virtual server address[:port] specified");
        };
        if address.is_ipv6() {
            self.service.netmask = Netmask::host(Family::Ipv6);
        }
        let port = port.unwrap_or(0);
        self.service.id = Some(ServiceId::Address { protocol, address, port });
        Ok(())
    }

    fn fwmark(&mut self, text: &str) -> Result<(), Refusal> {
        self.given.insert(Name::ServiceAddress)?;
        let mark = number::decimal(text, 1..=i64::from(u32::MAX));
        let Some(mark) = mark.and_then(|mark| u32::try_from(mark).ok()) else {
            return usage(format!("invalid fwmark value `{text}' specified"));
        };
        self.service.id = Some(ServiceId::Mark { mark, family: Family::Ipv4 });
        Ok(())
    }

    fn ipv6(&mut self) -> Result<(), Refusal> {
        let Some(ServiceId::Mark { mark, .. }) = self.service.id else {
            return usage("-6 used before -f\n");
        };
        self.service.id = Some(ServiceId::Mark { mark, family: Family::Ipv6 });
        self.service.netmask = Netmask::host(Family::Ipv6);
        Ok(())
    }

    fn named(&mut self, name: Name, value: Option<&str>, names: &dyn Names) -> Result<(), Refusal> {
        let text = value.unwrap_or("");
        match name {
            Name::Scheduler => self.service.scheduler = text.into(),
            Name::Pe => self.service.engine = text.into(),
            Name::SchedFlags => self.service.flag_list = text.into(),
            Name::Persistent => {
                let seconds = value.map(|text| timeout(text, 1)).transpose()?;
                self.service.persistent_s = Some(seconds.unwrap_or(PERSISTENCE_DEFAULT_S));
            }
            Name::Netmask => self.service.netmask = self.netmask(text, names)?,
            Name::RealServer => self.real_server(text, names)?,
            Name::Weight => self.server.weight = ranged(text, 0..=INT_MAX, "weight")?,
            Name::UThreshold => self.server.upper = ranged(text, 0..=INT_MAX, "u_threshold")?,
            Name::LThreshold => self.server.lower = ranged(text, 0..=INT_MAX, "l_threshold")?,
            Name::TunType => self.server.tunnel = tunnel_type(text)?,
            Name::TunPort => self.server.tunnel_port = ranged(text, 1..=65535, "tunnel port")?,
            Name::McastInterface => self.daemon.interface = text.into(),
            Name::Syncid => self.daemon.sync_id = ranged(text, 0..=255, "syncid")?,
            Name::SyncMaxlen => {
                self.daemon.max_length = Some(ranged(text, 1..=65507, "sync-maxlen")?);
            }
            Name::McastGroup => self.daemon.group = Some(multicast(text)?),
            Name::McastPort => self.daemon.port = Some(ranged(text, 1..=65535, "mcast-port")?),
            Name::McastTtl => self.daemon.ttl = Some(ranged(text, 1..=255, "mcast-ttl")?),
            // The rest says all by being given.
            _ => (),
        }
        Ok(())
    }

    fn netmask(&self, text: &str, names: &dyn Names) -> Result<Netmask, Refusal> {
        if self.service.id.is_some_and(|id| id.family() == Family::Ipv6) {
            return match u8::try_from(number::atoi(text)) {
                Ok(length @ 1..=128) => Ok(Netmask::Ipv6(length)),
                _ => usage("illegal ipv6 netmask specified"),
            };
        }
        match address::ipv4(text, names) {
            Some(mask) => Ok(Netmask::Ipv4(mask)),
            None => usage("illegal virtual server persistent mask specified"),
        }
    }

    fn real_server(&mut self, text: &str, names: &dyn Names) -> Result<(), Refusal> {
        let (protocol, service_port) = match self.service.id {
            Some(ServiceId::Address { protocol, port, .. }) => (Some(protocol), port),
            // Port names of marked services are read as TCP's.
            Some(ServiceId::Mark { .. }) => (Some(Protocol::Tcp), 0),
            None => (None, 0),
        };
        let Some(HostPort { address, port }) = address::host_port(text, protocol, names) else {
            return usage("illegal real server address[:port] specified");
        };
        self.server.address = address;
        self.server.port = port.unwrap_or(service_port);
        Ok(())
    }

    /// The words that are no options: `--set` takes three, nothing else takes one.
    fn arguments(&mut self, words: Vec<&str>) -> Result<(), Refusal> {
        let mut words = words.into_iter();
        if self.command == Command::Set {
            let (Some(tcp), Some(fin), Some(udp)) = (words.next(), words.next(), words.next())
            else {
                return usage("--set option requires 3 timeout values");
            };
            self.timeouts = Some(Timeouts {
                tcp_s: timeout(tcp, 0)?,
                tcp_fin_s: timeout(fin, 0)?,
                udp_s: timeout(udp, 0)?,
            });
        }
        match words.next() {
            Some(word) => usage(format!("unexpected argument {word}")),
            None => Ok(()),
        }
    }
}

fn timeout(text: &str, least: i64) -> Result<u32, Refusal> {
    match number::decimal(text, least..=TIMEOUT_MAX).map(u32::try_from) {
        Some(Ok(seconds)) => Ok(seconds),
        _ => usage(format!("invalid timeout value `{text}' specified")),
    }
}

fn ranged<T: TryFrom<i64>>(
    text: &str,
    range: std::ops::RangeInclusive<i64>,
    what: &str,
) -> Result<T, Refusal> {
    match number::decimal(text, range).map(T::try_from) {
        Some(Ok(number)) => Ok(number),
        _ => usage(format!("illegal {what} specified")),
    }
}

fn tunnel_type(text: &str) -> Result<TunnelType, Refusal> {
    match text {
        "ipip" => Ok(TunnelType::Ipip),
        "gue" => Ok(TunnelType::Gue),
        "gre" => Ok(TunnelType::Gre),
        _ => usage("illegal tunnel type specified"),
    }
}

fn multicast(text: &str) -> Result<IpAddr, Refusal> {
    let (family, address) = if text.contains(':') {
        ("IPv6", text.parse().ok().map(IpAddr::V6))
    } else {
        ("IPv4", text.parse().ok().map(IpAddr::V4))
    };
    match address {
        Some(address) if address.is_multicast() => Ok(address),
        _ => usage(format!("invalid {family} mcast-group `{text}'")),
    }
}
