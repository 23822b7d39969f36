//! One check of one real server, made again and again.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    patient::Patient,
    probe::{self, Probe, Trip},
    scatter::Scatter,
    ways::Ways,
};
use crate::model::health::{Check, Errand, Failure, NoWay, Outcome, Target};

/// How long looking for the cause of a failure may take.
const DIAGNOSIS: Duration = Duration::from_secs(5);

/// Makes the check at `index` again and again, first after `delay`; until it is aborted.
pub(super) async fn attend(
    patient: Arc<Patient>,
    index: usize,
    probe: Arc<dyn Probe>,
    ways: Arc<dyn Ways>,
    delay: Duration,
) {
    let check = &patient.checks[index];
    let mut scatter = Scatter::new();
    let mut due = Instant::now() + delay;
    let mut looking = JoinSet::new();
    loop {
        patient.due(index, Some(due));
        let was_asked = wait(&patient, index, due).await;
        patient.due(index, None);
        let begun = Instant::now();
        let errand = errand(&patient, check);
        let way = ways.way(&errand);
        let outcome = once(&*probe, way, &errand, check).await;
        let (pause, asks) = patient.note(index, begun, was_asked, outcome);
        while looking.try_join_next().is_some() {}
        if asks && looking.is_empty() {
            // The verdict has been given; why it is so is found out meanwhile.
            looking.spawn(look(patient.clone(), ways.clone(), errand));
        }
        // From beginning to beginning; what took longer is not made up for.
        due = begun + scatter.shortened(pause, check.timing.jitter_percent);
    }
}

/// Finds out what is wrong on `errand`.
async fn look(patient: Arc<Patient>, ways: Arc<dyn Ways>, errand: Errand) {
    if let Ok(cause) = timeout(DIAGNOSIS, ways.diagnose(&errand)).await {
        patient.explain(cause);
    }
}

async fn once(
    probe: &dyn Probe,
    way: Result<Target, NoWay>,
    errand: &Errand,
    check: &Check,
) -> Outcome {
    match way {
        Ok(mut target) => {
            target.source = check.source.or(target.source);
            let trip = Trip::new(*errand, target);
            probe::run(probe, &trip, check.timing.timeout.duration()).await
        }
        Err(NoWay::Broken(cause)) => Outcome::Failed(Failure::Way(cause)),
        Err(NoWay::Unknown(why)) => Outcome::Unchecked(why),
    }
}

/// Until `due`, or until somebody asks for the check, which is told. The first check of a real server
/// also looks after what changes without any.
async fn wait(patient: &Patient, index: usize, due: Instant) -> bool {
    let poked = patient.pokes[index].notified();
    let slept = sleep_until(due);
    if index > 0 {
        return tokio::select! {
            () = slept => false,
            () = poked => true,
        };
    }
    tokio::pin!(poked, slept);
    loop {
        let alarm = patient.alarm();
        let rings = async {
            match alarm {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut slept => return false,
            () = &mut poked => return true,
            () = rings => patient.tick(),
            () = patient.alarm_changed.notified(), if alarm.is_none() => (),
        }
    }
}

fn errand(patient: &Patient, check: &Check) -> Errand {
    Errand {
        service: patient.service,
        dest: patient.dest(),
        via: check.via,
        transport: check.kind.transport(),
        address: check.address,
        port: check.port,
    }
}

#[cfg(test)]
#[path = "attend_tests.rs"]
mod tests;
