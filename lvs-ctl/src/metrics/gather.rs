//! The numbers of one scrape.

use std::collections::{BTreeMap, HashMap};

use super::Requests;
use crate::{
    director::{DirectorError, Handle, PageQuery, ServiceEntry, Status},
    health::Board,
    model::{
        Counters, DestAddr, Load, ServiceId,
        health::{DestReport, Effective, Gate},
        service_text,
    },
};

/// The director reads so many real servers' counters, a system call each, before others get a turn.
const PIECE: usize = 500;

/// Series of a service, and of each of its real servers: as many as `families` makes.
pub(super) const SERVICE_SERIES: usize = 10;
pub(super) const DEST_SERIES: usize = 10;
/// More of a service whose real servers' health matters, of a real server that is checked (that of a
/// fault is there or not), and of each of its checks (beside failures).
const STANDING_SERIES: usize = 3;
const CHECKED_SERIES: usize = 4;
const CHECK_SERIES: usize = 2;

/// What one scrape shows.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) status: Status,
    /// Services that have series of their own, by identity.
    pub(super) services: Vec<Service>,
    /// How many have not.
    pub(super) left_out: u64,
    pub(super) max_series: u64,
    /// The connections of all real servers.
    pub(super) load: [u64; 3],
    pub(super) requests: Requests,
    /// Real servers that are checked, and those of them that are down.
    pub(super) checked: u64,
    pub(super) down: u64,
}

/// A service with series of its own.
#[derive(Debug)]
pub(super) struct Service {
    /// Its name in labels.
    pub(super) name: String,
    pub(super) id: ServiceId,
    pub(super) scheduler: String,
    pub(super) counters: Counters,
    pub(super) dests: Vec<Dest>,
    /// If its real servers' health matters.
    pub(super) standing: Option<Standing>,
}

/// Where a service stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) up: u64,
    pub(super) lost: bool,
    pub(super) sorry: bool,
}

/// A real server with series of its own.
#[derive(Debug)]
pub(super) struct Dest {
    /// Its name in labels.
    pub(super) name: String,
    pub(super) rule: crate::model::Dest,
    pub(super) load: Load,
    pub(super) counters: Counters,
    pub(super) checked: Option<Checked>,
}

/// What is known of a real server that is checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) gets: u64,
    pub(super) report: DestReport,
    pub(super) checks: Vec<Check>,
}

/// One check of it.
#[derive(Debug)]
pub(super) struct Check {
    /// Its name in labels.
    pub(super) name: String,
    pub(super) runs: u64,
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) latency_us: Option<u64>,
}

/// Real servers that are checked.
type Reports = HashMap<(ServiceId, DestAddr), DestReport>;

impl Service {
    /// The sum over its real servers.
    pub(super) fn load(&self, of: impl Fn(&Load) -> u32) -> u64 {
        self.dests.iter().map(|dest| u64::from(of(&dest.load))).sum()
    }
}

impl Service {
    fn new(entry: ServiceEntry, reports: &mut Reports) -> Self {
        let id = entry.service.id;
        let standing = (!entry.health.is_default()).then(|| Standing {
            up: entry.dests.iter().filter(|dest| dest.state.is_up()).count() as u64,
            lost: entry.quorum == Gate::Lost,
            sorry: entry.sorry.is_some(),
        });
        let dests = entry.dests.into_iter().map(|it| {
            let gets = match it.effective {
                None => it.dest.weight,
                Some(Effective::Weight(weight)) => weight,
                Some(Effective::Absent) => 0,
            };
            let report = reports.remove(&(id, it.dest.addr));
            Dest {
                name: it.dest.addr.to_string(),
                rule: it.dest,
                load: it.load,
                counters: it.stats.unwrap_or_default(),
                checked: report.map(|report| Checked::new(gets.into(), report)),
            }
        });
        Self {
            name: service_text::write(id),
            id,
            scheduler: entry.service.scheduler,
            counters: entry.stats.unwrap_or_default(),
            dests: dests.collect(),
            standing,
        }
    }

    /// How many series it has.
    fn series(&self) -> usize {
        let standing = if self.standing.is_some() { STANDING_SERIES } else { 0 };
        let dests = self
            .dests
            .iter()
            .map(|dest| DEST_SERIES + dest.checked.as_ref().map_or(0, Checked::series));
        SERVICE_SERIES + standing + dests.sum::<usize>()
    }
}

impl Checked {
    fn new(gets: u64, mut report: DestReport) -> Self {
        let mut checks: Vec<Check> = Vec::new();
        for it in std::mem::take(&mut report.checks) {
            // Not every check has a word of its own.
            let same = checks.iter().filter(|other| is_same(&other.name, &it.check)).count();
            let name = if same == 0 { it.check } else { format!("{}{MARK}{}", it.check, same + 1) };
            checks.push(Check {
                name,
                runs: it.runs,
                failures: it.failures,
                latency_us: it.last.map(|last| last.latency_us),
            });
        }
        Self { gets, report, checks }
    }

    fn series(&self) -> usize {
        let checks = self.checks.iter().map(|it| CHECK_SERIES + it.failures.len());
        CHECKED_SERIES + checks.sum::<usize>()
    }
}

/// Stands between a check's word and its number among those of the same word.
const MARK: &str = " #";

fn is_same(name: &str, word: &str) -> bool {
    name.split_once(MARK).map_or(name, |(word, _)| word) == word
}

/// Asks the director for all, piece by piece.
pub(super) async fn gather(
    handle: &Handle,
    board: &Board,
    max_series: usize,
) -> Result<Gathered, DirectorError> {
    let reports = board.show();
    let down = reports.iter().filter(|report| !report.health.is_up()).count() as u64;
    let mut gathered = Gathered {
        status: handle.status().await?,
        services: Vec::new(),
        left_out: 0,
        max_series: max_series as u64,
        load: [0; 3],
        requests: Requests::new(),
        checked: reports.len() as u64,
        down,
    };
    let reports = reports.into_iter().filter(|report| !report.is_sorry);
    let mut reports: Reports =
        reports.map(|report| ((report.service, report.dest), report)).collect();
    let (mut after, mut room) = (None, max_series);
    loop {
        let piece = handle.page(PageQuery { after, enough: PIECE }).await?;
        let Some(last) = piece.last() else { return Ok(gathered) };
        after = Some(last.service.id);
        for entry in piece {
            gathered.add(Service::new(entry, &mut reports), &mut room);
        }
    }
}

impl Gathered {
    fn add(&mut self, service: Service, room: &mut usize) {
        for Load { active, inactive, persistent } in service.dests.iter().map(|dest| dest.load) {
            for (sum, more) in self.load.iter_mut().zip([active, inactive, persistent]) {
                *sum += u64::from(more);
            }
        }
        let series = service.series();
        if series <= *room {
            *room -= series;
            self.services.push(service);
        } else {
            // And all behind it: which services are shown does not depend on their sizes alone.
            *room = 0;
            self.left_out += 1;
        }
    }
}
