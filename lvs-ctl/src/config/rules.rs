//! The rules that a file declares, in the model's words.

use std::collections::HashSet;

use super::{
    file::{File, FileTimeouts},
    mistake::Fault,
    place::Key,
    service::FileService,
    switches,
};
use crate::model::{
    Dest, MarkRule, Service, Timeouts, Tunable, TunableValue,
    health::{DestHealth, ServiceHealth},
    service_text,
};

/// What a file says of the table; of the rest of the table it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The services, in the file's order.
    pub services: Vec<Declared>,
    /// The timeouts; 0 where the file says nothing.
    pub timeouts: Timeouts,
    /// The tunables that the file sets.
    pub tunables: Vec<(&'static Tunable, TunableValue)>,
    /// The rules that mark packets, in the file's order.
    pub marks: Vec<MarkRule>,
}

/// A virtual service that the file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The service.
    pub service: Service,
    /// All its real servers, in the file's order.
    pub dests: Vec<Dest>,
    /// How they are checked.
    pub health: ServiceHealth,
    /// How each of them is checked, in the same order.
    pub dest_health: Vec<DestHealth>,
}

impl Rules {
    /// The rules of `file`.
    pub(super) fn of(file: &File) -> Result<Self, Fault> {
        let mut seen = HashSet::new();
        let mut services = Vec::new();
        for (index, entry) in file.services.iter().enumerate() {
            let key = service_key(index);
            let declared = declared(entry, &key)?;
            let id = declared.service.id;
            if !seen.insert(id) {
                let message = format!("{} is there twice", service_text::write(id));
                return Err(Fault::new(&key, message));
            }
            services.push(declared);
        }
        let FileTimeouts { tcp, tcp_fin, udp } = file.timeouts;
        let timeouts = Timeouts {
            tcp_s: tcp.unwrap_or(0),
            tcp_fin_s: tcp_fin.unwrap_or(0),
            udp_s: udp.unwrap_or(0),
        };
        let tunables = switches::tunables(&file.tunables)?;
        let marks = switches::marks(&file.marks)?;
        Ok(Self { services, timeouts, tunables, marks })
    }
}

/// Where a service stands.
pub(super) fn service_key(index: usize) -> Key {
    Key::default().name("service").index(index)
}

/// Where a real server of the service at `key` stands.
pub(super) fn backend_key(key: &Key, index: usize) -> Key {
    key.name("backend").index(index)
}

fn declared(entry: &FileService, key: &Key) -> Result<Declared, Fault> {
    let service = entry.service(key)?;
    let mut seen = HashSet::new();
    let (mut dests, mut dest_health) = (Vec::new(), Vec::new());
    let health = entry.health.health(service.id, &entry.check, key)?;
    for (index, entry) in entry.backends.iter().enumerate() {
        let key = backend_key(key, index);
        let dest = entry.dest(service.id, &key)?;
        if !seen.insert(dest.addr) {
            return Err(Fault::new(&key, format!("{} is there twice", dest.addr)));
        }
        dests.push(dest);
        dest_health.push(entry.health(&service.id, &key)?);
    }
    Ok(Declared { service, dests, health, dest_health })
}
