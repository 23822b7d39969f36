//! What has to change so that the table says what the file says.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    place::Key,
    rules::{Declared, Rules, backend_key, service_key},
    switches::{mark_key, tunable_key},
    words,
};
use crate::{
    director::{DestEntry, Listing, MarkListing, ServiceEntry, TunableListing},
    model::{
        Change, DestAddr, Origin, Timeouts,
        health::{DestHealth, ServiceHealth},
        service_text,
    },
};

/// The steps from the table to the file, in order; none if the table says what the file says.
///
/// The order of real servers within a service is no difference: new ones go where commands put
/// them, at the head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The steps.
    pub steps: Vec<Step>,
    keys: Vec<Key>,
}

/// One step: a service, a real server or a group of settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `+`, `~` or `-`, what it is, and how it differs; one line.
    pub text: String,
    /// Connections, active and inactive, of what is changed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// The changes that make it.
    pub changes: Vec<Change>,
}

/// What stands: all that a file may say something of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The services. This is to be asked for first: a later change then makes a request that is bound
    /// to its revision a stale one.
    pub listing: Listing,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// The tunables.
    pub tunables: TunableListing,
    /// The rules that mark packets.
    pub marks: MarkListing,
}

/// The difference between `rules` and what stands.
#[must_use]
pub fn difference(rules: &Rules, standing: &Standing) -> Difference {
    let mut difference = Difference::default();
    difference.delete_services(rules, &standing.listing);
    difference.delete_marks(rules, &standing.marks);
    difference.set_timeouts(rules.timeouts, standing.timeouts);
    difference.set_tunables(rules, &standing.tunables);
    difference.add_marks(rules, &standing.marks);
    let standing: HashMap<_, _> =
        standing.listing.services.iter().map(|entry| (entry.service.id, entry)).collect();
    for (index, declared) in rules.services.iter().enumerate() {
        let key = service_key(index);
        match standing.get(&declared.service.id) {
            None => difference.add_service(declared, &key),
            Some(entry) => difference.edit_service(declared, entry, &key),
        }
    }
    difference
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// All changes, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.steps.iter().flat_map(|step| step.changes.iter().cloned()).collect()
    }

    /// What in the file asks for the change at this place among all changes.
    #[must_use]
    pub fn key(&self, change: usize) -> Key {
        let mut places = self.steps.iter().zip(&self.keys);
        let mut first = 0;
        let found = places.find(|(step, _)| {
            first += step.changes.len();
            change < first
        });
        found.map(|(_, key)| key.clone()).unwrap_or_default()
    }

    fn push(&mut self, key: &Key, text: String, connections: Option<u64>, changes: Vec<Change>) {
        self.steps.push(Step { text, connections, changes });
        self.keys.push(key.clone());
    }

    fn delete_services(&mut self, rules: &Rules, listing: &Listing) {
        let declared: std::collections::HashSet<_> =
            rules.services.iter().map(|declared| declared.service.id).collect();
        for entry in &listing.services {
            let id = entry.service.id;
            if entry.origin == Origin::Command || declared.contains(&id) {
                continue;
            }
            let text = format!("- service {} with {}", service_text::write(id), backends(entry));
            let change = vec![Change::DeleteService(id)];
            self.push(&Key::default(), text, Some(connections(entry)), change);
        }
    }

    fn set_timeouts(&mut self, declared: Timeouts, standing: Timeouts) {
        let words = words::timeouts_difference(standing, standing.updated_by(declared));
        if !words.is_empty() {
            let text = format!("~ timeouts: {words}");
            let change = vec![Change::SetTimeouts(declared)];
            self.push(&Key::default().name("timeouts"), text, None, change);
        }
    }

    fn set_tunables(&mut self, rules: &Rules, standing: &TunableListing) {
        for (tunable, value) in &rules.tunables {
            let entry = standing.tunables.iter().find(|entry| entry.name == tunable.name);
            let old = entry.map_or(tunable.default, |entry| entry.value);
            if old == *value {
                continue;
            }
            let name = tunable.name;
            let remark = if tunable.is_heeded_at(*value) { "" } else { ", no effect here" };
            let text = format!("~ tunable {name}: {old} -> {value}{remark}");
            let change = vec![Change::SetTunable { name: name.into(), value: *value }];
            self.push(&tunable_key(name), text, None, change);
        }
    }

    /// Before others are added that they would contradict.
    fn delete_marks(&mut self, rules: &Rules, standing: &MarkListing) {
        for rule in standing.declared.iter().filter(|rule| !rules.marks.contains(rule)) {
            let change = vec![Change::DeleteMark(rule.clone())];
            self.push(&Key::default(), format!("- mark {}", words::mark(rule)), None, change);
        }
    }

    fn add_marks(&mut self, rules: &Rules, standing: &MarkListing) {
        for (index, rule) in rules.marks.iter().enumerate() {
            let declare = Change::DeclareMark(rule.clone());
            let (text, changes) = if !standing.marks.contains(rule) {
                (
                    format!("+ mark {}", words::mark(rule)),
                    vec![Change::AddMark(rule.clone()), declare],
                )
            } else if !standing.declared.contains(rule) {
                (format!("~ mark {}: now the file's", words::mark(rule)), vec![declare])
            } else {
                continue;
            };
            self.push(&mark_key(index), text, None, changes);
        }
    }

    fn add_service(&mut self, declared: &Declared, key: &Key) {
        let Declared { service, dests, .. } = declared;
        let word = service_text::write(service.id);
        let text = format!("+ service {word}: {}", words::service(service));
        let changes = vec![Change::AddService(service.clone()), Change::Declare(service.id)];
        self.push(key, text, None, changes);
        for (index, dest) in dests.iter().enumerate() {
            let text = format!("+ backend {word} {}: {}", dest.addr, words::dest(dest));
            let change = vec![Change::AddDest { service: service.id, dest: *dest }];
            self.push(&backend_key(key, index), text, None, change);
            self.edit_dest_health(declared, index, &DestHealth::default(), key);
        }
        self.edit_health(declared, &ServiceHealth::default(), key);
    }

    fn edit_service(&mut self, declared: &Declared, entry: &ServiceEntry, key: &Key) {
        let Declared { service, .. } = declared;
        let mut changes = Vec::new();
        let mut words = words::service_difference(&entry.service, service);
        if entry.service != *service {
            changes.push(Change::EditService(service.clone()));
        }
        if entry.origin == Origin::Command {
            changes.push(Change::Declare(service.id));
            words += if words.is_empty() { "" } else { ", " };
            words += "now the file's";
        }
        if !changes.is_empty() {
            let text = format!("~ service {}: {words}", service_text::write(service.id));
            self.push(key, text, Some(connections(entry)), changes);
        }
        self.edit_backends(declared, entry, key);
        self.edit_health(declared, &entry.health, key);
    }

    fn edit_health(&mut self, declared: &Declared, standing: &ServiceHealth, key: &Key) {
        let words = words::health_difference(standing, &declared.health);
        if !words.is_empty() {
            let service = declared.service.id;
            let text = format!("~ health of service {}: {words}", service_text::write(service));
            let health = declared.health.clone();
            self.push(key, text, None, vec![Change::SetHealth { service, health }]);
        }
    }

    fn edit_dest_health(
        &mut self,
        declared: &Declared,
        index: usize,
        standing: &DestHealth,
        key: &Key,
    ) {
        let health = &declared.dest_health[index];
        let words = words::dest_health_difference(standing, health);
        if !words.is_empty() {
            let (service, dest) = (declared.service.id, declared.dests[index].addr);
            let word = service_text::write(service);
            let text = format!("~ health of backend {word} {dest}: {words}");
            let change = Change::SetDestHealth { service, dest, health: health.clone() };
            self.push(&backend_key(key, index), text, None, vec![change]);
        }
    }

    fn edit_backends(&mut self, declared: &Declared, entry: &ServiceEntry, key: &Key) {
        let Declared { service, dests, .. } = declared;
        let word = service_text::write(service.id);
        let whole_key = key;
        let standing: HashMap<DestAddr, &DestEntry> =
            entry.dests.iter().map(|entry| (entry.dest.addr, entry)).collect();
        let places: HashMap<DestAddr, usize> =
            dests.iter().enumerate().map(|(index, dest)| (dest.addr, index)).collect();
        for entry in entry.dests.iter().filter(|entry| !places.contains_key(&entry.dest.addr)) {
            let addr = entry.dest.addr;
            let change = vec![Change::DeleteDest { service: service.id, dest: addr }];
            let text = format!("- backend {word} {addr}");
            self.push(key, text, Some(held(entry)), change);
        }
        for (index, dest) in dests.iter().enumerate() {
            let key = backend_key(key, index);
            let (addr, service) = (dest.addr, service.id);
            match standing.get(&addr) {
                None => {
                    let text = format!("+ backend {word} {addr}: {}", words::dest(dest));
                    self.push(&key, text, None, vec![Change::AddDest { service, dest: *dest }]);
                }
                Some(entry) if entry.dest != *dest => {
                    let words = words::dest_difference(&entry.dest, dest);
                    let text = format!("~ backend {word} {addr}: {words}");
                    let change = vec![Change::EditDest { service, dest: *dest }];
                    self.push(&key, text, Some(held(entry)), change);
                }
                Some(_) => (),
            }
            let none = DestHealth::default();
            let standing = standing.get(&addr).map_or(&none, |entry| &entry.health);
            self.edit_dest_health(declared, index, standing, whole_key);
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.connections {
            None => Ok(()),
            Some(1) => f.write_str(" (1 connection)"),
            Some(connections) => write!(f, " ({connections} connections)"),
        }
    }
}

fn held(entry: &DestEntry) -> u64 {
    u64::from(entry.load.active) + u64::from(entry.load.inactive)
}

fn connections(entry: &ServiceEntry) -> u64 {
    entry.dests.iter().map(held).sum()
}

fn backends(entry: &ServiceEntry) -> String {
    match entry.dests.len() {
        1 => "1 backend".to_owned(),
        count => format!("{count} backends"),
    }
}
