//! Who checks: a task a check, as the director's rules have it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{AbortHandle, JoinHandle},
};

use super::{
    attend::attend,
    patient::{Patient, Terms},
    probe::{self, Authorities},
    scatter::Scatter,
    ways::Ways,
};
use crate::{
    director::{Checked, CheckedDest, CheckedService, Handle, Report},
    model::{
        DestAddr, ServiceId,
        health::{DestReport, Via},
    },
};

/// First checks are so far from each other, unless there are too many for one interval.
const APART: Duration = Duration::from_millis(1);

/// The real servers that are checked, for those who look; clones are the same.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<Key, Arc<Patient>>>>);

/// The service, the real server, and whether it is the sorry server.
type Key = (ServiceId, DestAddr, bool);

/// Checks what the director wants checked, until the director has stopped. `board` shows what goes on.
pub async fn run(director: Handle, ways: Arc<dyn Ways>, board: Board) {
    let (reports, receiver) = mpsc::unbounded_channel();
    let _reporting = Reporting(tokio::spawn(report(director.clone(), receiver)));
    let mut checked = director.checked();
    // Only the director's own end ends this.
    drop(director);
    checked.mark_changed();
    let mut supervisor = Supervisor {
        ways,
        board,
        reports,
        authorities: Authorities::default(),
        known: Arc::default(),
        tasks: BTreeMap::new(),
    };
    while checked.changed().await.is_ok() {
        let wanted = checked.borrow_and_update().clone();
        supervisor.follow(&wanted);
    }
}

/// Tells the director, as much as there is at a time.
async fn report(director: Handle, mut receiver: UnboundedReceiver<Report>) {
    loop {
        let mut reports = Vec::new();
        if receiver.recv_many(&mut reports, 4096).await == 0 {
            return;
        }
        if director.health(reports).await.is_err() {
            return;
        }
    }
}

/// The task that tells the director; it ends with this.
struct Reporting(JoinHandle<()>);

struct Supervisor {
    ways: Arc<dyn Ways>,
    board: Board,
    reports: UnboundedSender<Report>,
    authorities: Authorities,
    known: Arc<Checked>,
    tasks: BTreeMap<Key, Vec<AbortHandle>>,
}

impl Supervisor {
    fn follow(&mut self, wanted: &Arc<Checked>) {
        let former = std::mem::replace(&mut self.known, wanted.clone());
        let mut begun = Vec::new();
        for (id, service) in &wanted.services {
            let is_same =
                former.services.get(id).is_some_and(|former| Arc::ptr_eq(former, service));
            if !is_same {
                begun.extend(self.follow_service(*id, service));
            }
        }
        for id in former.services.keys().filter(|id| !wanted.services.contains_key(id)) {
            self.end(*id, |_| true);
        }
        self.begin(&begun);
        let through = self
            .board
            .patients()
            .values()
            .filter(|patient| patient.checks.iter().any(|check| check.via == Via::Service))
            .map(|patient| (patient.service, patient.addr))
            .collect::<Vec<_>>();
        self.ways.follow(&through);
    }

    /// The real servers of a service that are to be checked from now on, and were not.
    fn follow_service(&mut self, id: ServiceId, service: &CheckedService) -> Vec<Arc<Patient>> {
        let terms =
            Terms { damping: service.policy.damping, slow_start: service.policy.slow_start };
        let dests = service.dests.iter().map(|dest| (dest, false));
        let all: BTreeMap<Key, &CheckedDest> = dests
            .chain(service.sorry.iter().map(|dest| (dest, true)))
            .map(|(dest, is_sorry)| ((id, dest.dest.addr, is_sorry), dest))
            .collect();
        self.end(id, |key| !all.contains_key(key));
        let mut begun = Vec::new();
        for (key, wanted) in all {
            let known = self.board.patients().get(&key).cloned();
            match known {
                Some(known) if is_same(&known, wanted, terms) => known.follow(wanted.dest),
                known => {
                    let health = known.map_or(wanted.known, |known| known.health());
                    self.end(id, |ended| *ended == key);
                    let checks = wanted.checks.iter().cloned();
                    let checks =
                        checks.filter_map(|spec| spec.read_in(&id).ok().map(|it| (spec, it)));
                    let patient = Arc::new(Patient::new(
                        id,
                        wanted.dest,
                        key.2,
                        checks.collect(),
                        terms,
                        health,
                        self.reports.clone(),
                    ));
                    self.board.patients().insert(key, patient.clone());
                    begun.push(patient);
                }
            }
        }
        begun
    }

    /// Begins their checks, one after the other so that they do not all fall on the same moment.
    fn begin(&mut self, patients: &[Arc<Patient>]) {
        let mut scatter = Scatter::new();
        let count: usize = patients.iter().map(|patient| patient.checks.len()).sum();
        let spread = APART * u32::try_from(count).unwrap_or(u32::MAX);
        for patient in patients {
            let mut tasks = Vec::new();
            for (index, check) in patient.checks.iter().enumerate() {
                let probe = match probe::build(check, &self.authorities) {
                    Ok(probe) => probe,
                    Err(error) => {
                        tracing::error!(service = %patient.service, %error, "no such check");
                        continue;
                    }
                };
                let delay = scatter.below(spread.min(check.timing.interval.duration()));
                let ways = self.ways.clone();
                let task = tokio::spawn(attend(patient.clone(), index, probe, ways, delay));
                tasks.push(task.abort_handle());
            }
            let key = (patient.service, patient.addr, patient.is_sorry);
            self.tasks.insert(key, tasks);
        }
    }

    /// Ends the checks of real servers of this service.
    fn end(&mut self, id: ServiceId, which: impl Fn(&Key) -> bool) {
        let ended = |key: &Key| key.0 == id && which(key);
        self.board.patients().retain(|key, _| !ended(key));
        self.tasks.retain(|key, tasks| {
            if ended(key) {
                tasks.iter().for_each(AbortHandle::abort);
            }
            !ended(key)
        });
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.board.patients().clear();
        self.tasks.values().flatten().for_each(AbortHandle::abort);
    }
}

impl Board {
    /// All of them, by service and address.
    #[must_use]
    pub fn show(&self) -> Vec<DestReport> {
        // Copied first: whoever looks holds nobody up.
        let patients: Vec<Arc<Patient>> = self.patients().values().cloned().collect();
        patients.iter().map(|patient| patient.show()).collect()
    }

    /// Checks a real server now, because something else says that it may have gone.
    pub fn hurry(&self, service: &ServiceId, dest: &DestAddr) {
        self.hurry_all(service, Some(dest));
    }

    /// Checks a real server of a service now, or all of them with the sorry server: how many checks
    /// come early.
    pub fn hurry_all(&self, service: &ServiceId, dest: Option<&DestAddr>) -> usize {
        let patients = self.patients();
        let asked = patients.values().filter(|patient| {
            patient.service == *service
                && dest.is_none_or(|dest| *dest == patient.addr && !patient.is_sorry)
        });
        asked.flat_map(|patient| &patient.pokes).map(tokio::sync::Notify::notify_one).count()
    }

    /// Checks the real servers of a host now.
    pub(super) fn hurry_host(&self, host: IpAddr) {
        let patients = self.patients();
        let there = patients.values().filter(|patient| patient.addr.address == host);
        there.flat_map(|patient| &patient.pokes).for_each(tokio::sync::Notify::notify_one);
    }

    fn patients(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Patient>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(known: &Patient, wanted: &CheckedDest, terms: Terms) -> bool {
    known.specs == wanted.checks && known.terms == terms
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
