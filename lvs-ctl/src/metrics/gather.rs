//! The numbers of one scrape.

use super::Requests;
use crate::{
    director::{DirectorError, Handle, PageQuery, ServiceEntry, Status},
    model::{Counters, Load, ServiceId, service_text},
};

/// The director reads so many real servers' counters, a system call each, before others get a turn.
const PIECE: usize = 500;

/// Series of a service, and of each of its real servers: as many as `families` makes.
pub(super) const SERVICE_SERIES: usize = 10;
pub(super) const DEST_SERIES: usize = 10;

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
}

/// A real server with series of its own.
#[derive(Debug)]
pub(super) struct Dest {
    /// Its name in labels.
    pub(super) name: String,
    pub(super) rule: crate::model::Dest,
    pub(super) load: Load,
    pub(super) counters: Counters,
}

impl Service {
    /// The sum over its real servers.
    pub(super) fn load(&self, of: impl Fn(&Load) -> u32) -> u64 {
        self.dests.iter().map(|dest| u64::from(of(&dest.load))).sum()
    }
}

impl From<ServiceEntry> for Service {
    fn from(entry: ServiceEntry) -> Self {
        let dests = entry.dests.into_iter().map(|it| Dest {
            name: it.dest.addr.to_string(),
            rule: it.dest,
            load: it.load,
            counters: it.stats.unwrap_or_default(),
        });
        Self {
            name: service_text::write(entry.service.id),
            id: entry.service.id,
            scheduler: entry.service.scheduler,
            counters: entry.stats.unwrap_or_default(),
            dests: dests.collect(),
        }
    }
}

/// Asks the director for all, piece by piece.
pub(super) async fn gather(handle: &Handle, max_series: usize) -> Result<Gathered, DirectorError> {
    let mut gathered = Gathered {
        status: handle.status().await?,
        services: Vec::new(),
        left_out: 0,
        max_series: max_series as u64,
        load: [0; 3],
        requests: Requests::new(),
    };
    let (mut after, mut room) = (None, max_series);
    loop {
        let piece = handle.page(PageQuery { after, enough: PIECE }).await?;
        let Some(last) = piece.last() else { return Ok(gathered) };
        after = Some(last.service.id);
        for entry in piece {
            gathered.add(entry, &mut room);
        }
    }
}

impl Gathered {
    fn add(&mut self, entry: ServiceEntry, room: &mut usize) {
        for Load { active, inactive, persistent } in entry.dests.iter().map(|dest| dest.load) {
            for (sum, more) in self.load.iter_mut().zip([active, inactive, persistent]) {
                *sum += u64::from(more);
            }
        }
        let series = SERVICE_SERIES + entry.dests.len() * DEST_SERIES;
        if series <= *room {
            *room -= series;
            self.services.push(entry.into());
        } else {
            // And all behind it: which services are shown does not depend on their sizes alone.
            *room = 0;
            self.left_out += 1;
        }
    }
}
