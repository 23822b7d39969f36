//! The resolver that asks the kernel.
//!
//! One task does everything in turn: it hears a change, works out whom it concerns, looks those
//! addresses up and reports the answers that differ. What it hears is only ever a hint to look;
//! the answer is always what the kernel says when asked, so a late or a lost notification cannot
//! leave a wrong one standing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    Report, Resolution, Resolver,
    changes::{Changes, GROUPS},
    lookup::Lookup,
    neighbour::Key,
    socket::Notifications,
};

pub use super::neighbour::Upkeep;

/// How often every address is looked up without cause: a path MTU is learned and forgotten
/// without a word.
const RECHECK: Duration = Duration::from_secs(30);
/// How often neighbours that the kernel does not keep are probed; its own `interval_probe_time_ms`.
const PROBE: Duration = Duration::from_secs(5);
/// Reports that wait for a slow reader. Behind them changes wait in the kernel, and an overrun
/// there costs one look at everything.
const BACKLOG: usize = 16;

/// Resolves over rtnetlink.
///
/// Neighbours on the way are kernel-managed entries, marked "proto 76". They outlive the resolver
/// as the data plane outlives its controller; the next one takes them over and lets go of those
/// that its first set has no use for.
#[derive(Debug)]
pub struct Rtnetlink {
    sets: mpsc::UnboundedSender<BTreeSet<IpAddr>>,
    reports: mpsc::Receiver<Vec<Report>>,
}

impl Rtnetlink {
    /// Starts the resolver in the network namespace of the calling thread, on the current tokio
    /// runtime.
    ///
    /// # Errors
    /// The system's, when the sockets cannot be opened.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start() -> io::Result<Self> {
        Self::with_upkeep(Upkeep::Managed)
    }

    /// As [`Rtnetlink::start`], with a say in who confirms the neighbours. `Managed` becomes
    /// `Probed` by itself on a kernel that cannot.
    ///
    /// # Errors
    /// The system's, when the sockets cannot be opened.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn with_upkeep(upkeep: Upkeep) -> io::Result<Self> {
        let (sets, set_receiver) = mpsc::unbounded_channel();
        let (report_sender, reports) = mpsc::channel(BACKLOG);
        let worker = Worker {
            // Listening comes first: what changes after the first look is heard.
            notifications: Notifications::open(&GROUPS)?,
            lookup: Lookup::open(upkeep)?,
            sets: set_receiver,
            reports: report_sender,
            watched: BTreeMap::new(),
        };
        tokio::spawn(worker.run());
        Ok(Self { sets, reports })
    }
}

impl Resolver for Rtnetlink {
    fn watch(&mut self, addresses: BTreeSet<IpAddr>) {
        // If the worker has ended, `changed` says so.
        self.sets.send(addresses).ok();
    }

    async fn changed(&mut self) -> Option<Vec<Report>> {
        self.reports.recv().await
    }
}

struct Worker {
    notifications: Notifications,
    lookup: Lookup,
    sets: mpsc::UnboundedReceiver<BTreeSet<IpAddr>>,
    reports: mpsc::Sender<Vec<Report>>,
    watched: BTreeMap<IpAddr, Watched>,
}

/// What is known of a watched address.
#[derive(Clone, Debug, Default)]
struct Watched {
    hop: Option<Key>,
    reported: Option<Resolution>,
}

impl Worker {
    /// Runs until the resolver is dropped.
    async fn run(mut self) {
        let Some(first) = self.sets.recv().await else { return };
        // Not before the first set: it is what tells which of them are still of use.
        self.lookup.adopt().await;
        self.replace(first);
        if self.resolve(&Changes::default()).await.is_err() {
            return;
        }
        let mut recheck = ticks(RECHECK);
        let mut probe = ticks(PROBE);
        loop {
            let mut changes = Changes::default();
            tokio::select! {
                set = self.sets.recv() => match set {
                    Some(set) => self.replace(set),
                    None => return,
                },
                heard = self.notifications.hear(|heard| changes.note(&heard)) => {
                    if let Err(error) = heard {
                        tracing::error!(%error, "cannot hear the kernel any more");
                        return;
                    }
                }
                _ = recheck.tick() => changes = Changes::everything(),
                _ = probe.tick(), if self.lookup.upkeep() == Upkeep::Probed => {
                    self.lookup.probe().await;
                }
            }
            if self.resolve(&changes).await.is_err() {
                return;
            }
        }
    }

    /// Watches this set: new addresses enter unreported, the others stay as they are.
    fn replace(&mut self, set: BTreeSet<IpAddr>) {
        let mut before = std::mem::take(&mut self.watched);
        self.watched = set
            .into_iter()
            .map(|address| (address, before.remove(&address).unwrap_or_default()))
            .collect();
    }

    /// Looks up whom the changes concern and who has no way yet, and reports what differs.
    async fn resolve(
        &mut self,
        changes: &Changes,
    ) -> Result<(), mpsc::error::SendError<Vec<Report>>> {
        self.lookup.refresh();
        let mut reports = Vec::new();
        for (&address, watched) in &mut self.watched {
            let new = watched.reported.is_none() && watched.hop.is_none();
            if !new && !changes.concern(address, watched.hop) {
                continue;
            }
            let found = self.lookup.find(address, watched.hop).await;
            watched.hop = found.hop;
            if let Some(resolution) = found.resolution
                && watched.reported.as_ref() != Some(&resolution)
            {
                watched.reported = Some(resolution.clone());
                reports.push(Report { address, resolution });
            }
        }
        let on_a_way = self.watched.values().filter_map(|watched| watched.hop).collect();
        self.lookup.keep_only(&on_a_way).await;
        if reports.is_empty() { Ok(()) } else { self.reports.send(reports).await }
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
