//! `[[service]]`: a virtual service as the file declares it.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    backend::FileBackend, check::Checks, health::FileHealth, listen, mistake::Fault, place::Key,
};
use crate::model::{
    DEFAULT_SCHEDULER, ENGINES, Family, Netmask, Persistence, Protocol, SCHEDULERS, SchedulerFlags,
    Service, ServiceId, health::ServiceHealth, service_text,
};

/// 31 days, as ipvsadm allows.
pub(super) const SECONDS_MAX: u32 = 31 * 24 * 3600;

/// A virtual service, and where its connections go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileService {
    /// What clients connect to: `tcp:VIP:PORT`, `udp:VIP:PORT`, `sctp:VIP:PORT`, `fwmark:MARK` or
    /// `fwmark6:MARK`. IPv6 addresses stand in brackets; port 0 is every port. Or say `protocol`,
    /// `address` and `port`, or `mark` and `family`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The transport protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::protocol"))]
    pub protocol: Option<Protocol>,
    /// The VIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The virtual port; 0 is every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A firewall mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub mark: Option<u32>,
    /// The family of the marked packets; IPv4 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::family"))]
    pub family: Option<Family>,
    /// Who decides where connections go; `wlc` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::scheduler"))]
    pub scheduler: Option<String>,
    /// Flags of the scheduler: `fallback`, `port`, `flag-1`, `flag-2`, `flag-3`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Clients stay with their real server for this many seconds after their last connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = 2_678_400)))]
    pub persistent: Option<u32>,
    /// Clients in one network count as one: a dotted mask or a prefix length for IPv4, a prefix
    /// length for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<Mask>,
    /// The persistence engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::engine"))]
    pub engine: Option<String>,
    /// Every UDP datagram is scheduled by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_packet: bool,
    /// How every real server is checked that has no `check` of its own; not at all if left out.
    #[serde(default, skip_serializing_if = "Checks::is_empty")]
    pub check: Checks,
    /// What follows from the checks.
    #[serde(default, skip_serializing_if = "FileHealth::is_empty")]
    pub health: FileHealth,
    /// The real servers.
    #[serde(default, rename = "backend", skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<FileBackend>,
}

/// A netmask as it is typed: text, or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(String);

impl FileService {
    /// How the file declares `service`.
    #[must_use]
    pub fn new(service: &Service, health: &ServiceHealth, backends: Vec<FileBackend>) -> Self {
        let netmask = service.persistence.map(|persistence| persistence.netmask);
        Self {
            listen: Some(service_text::write(service.id)),
            scheduler: Some(service.scheduler.clone()),
            flags: flags(service).map(str::to_owned).collect(),
            persistent: service.persistence.map(|persistence| persistence.timeout_s),
            netmask: netmask.filter(|mask| !mask.is_host()).map(|mask| Mask(mask.to_string())),
            engine: service.engine.clone(),
            one_packet: service.one_packet,
            check: Checks::new(&health.checks),
            health: FileHealth::new(&health.policy),
            backends,
            ..Self::default()
        }
    }

    /// The service that stands at `key`.
    pub(super) fn service(&self, key: &Key) -> Result<Service, Fault> {
        let id = listen::id(self, key)?;
        let service = Service {
            id,
            scheduler: self.scheduler(key)?,
            scheduler_flags: self.flags(key)?,
            persistence: self.persistence(id.family(), key)?,
            engine: self.engine(key)?,
            one_packet: self.one_packet,
        };
        if let ServiceId::Address { protocol, port, .. } = id {
            if port == 0 && service.persistence.is_none() {
                return Err(Fault::new(key, "port 0 (every port) needs persistent"));
            }
            if service.one_packet && protocol != Protocol::Udp {
                return Err(Fault::new(&key.name("one_packet"), "this is for UDP services"));
            }
        }
        Ok(service)
    }

    fn scheduler(&self, key: &Key) -> Result<String, Fault> {
        let name = self.scheduler.as_deref().unwrap_or(DEFAULT_SCHEDULER);
        one_of("scheduler", name, &SCHEDULERS)
            .map_err(|message| Fault::new(&key.name("scheduler"), message))
    }

    fn engine(&self, key: &Key) -> Result<Option<String>, Fault> {
        let engine =
            self.engine.as_deref().map(|name| one_of("persistence engine", name, &ENGINES));
        engine.transpose().map_err(|message| Fault::new(&key.name("engine"), message))
    }

    fn flags(&self, key: &Key) -> Result<SchedulerFlags, Fault> {
        let mut flags = SchedulerFlags::default();
        for (index, flag) in self.flags.iter().enumerate() {
            if !flags.set(flag) {
                let message =
                    format!("`{flag}' is no flag: fallback, port, flag-1, flag-2, flag-3");
                return Err(Fault::new(&key.name("flags").index(index), message));
            }
        }
        Ok(flags)
    }

    fn persistence(&self, family: Family, key: &Key) -> Result<Option<Persistence>, Fault> {
        let netmask = self.netmask.as_ref().map(|Mask(text)| Netmask::read(text, family));
        let netmask =
            netmask.transpose().map_err(|message| Fault::new(&key.name("netmask"), message))?;
        match (self.persistent, netmask) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Fault::new(&key.name("netmask"), "this needs persistent")),
            (Some(timeout_s @ 1..=SECONDS_MAX), netmask) => {
                let netmask = netmask.unwrap_or_else(|| Netmask::host(family));
                Ok(Some(Persistence { timeout_s, netmask }))
            }
            (Some(timeout_s), _) => {
                let message = format!("{timeout_s} is not between 1 and {SECONDS_MAX} seconds");
                Err(Fault::new(&key.name("persistent"), message))
            }
        }
    }
}

/// The names of the set flags, in the scheduler's words.
pub(super) fn flags(service: &Service) -> impl Iterator<Item = &'static str> + use<> {
    let names = match service.scheduler.as_str() {
        "sh" | "mh" => ["fallback", "port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let SchedulerFlags { flag_1, flag_2, flag_3 } = service.scheduler_flags;
    names.into_iter().zip([flag_1, flag_2, flag_3]).filter(|(_, set)| *set).map(|(name, _)| name)
}

fn one_of(what: &str, name: &str, known: &[&str]) -> Result<String, String> {
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}' is no {what}: {}", known.join(", ")))
}

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u8>() {
            Ok(length) => serializer.serialize_u8(length),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaskVisitor)
    }
}

struct MaskVisitor;

impl de::Visitor<'_> for MaskVisitor {
    type Value = Mask;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a netmask or a prefix length")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Mask, E> {
        Ok(Mask(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, length: i64) -> Result<Mask, E> {
        Ok(Mask(length.to_string()))
    }

    fn visit_u64<E: de::Error>(self, length: u64) -> Result<Mask, E> {
        Ok(Mask(length.to_string()))
    }
}
