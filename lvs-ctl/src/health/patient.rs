//! One real server and what its checks have found.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    time::{Duration, Instant},
};

use crate::{
    director::Report,
    model::{
        Dest, DestAddr, ServiceId,
        health::{
            Cause, Check, CheckReport, CheckSpec, Damping, DestReport, Failure, Good, Health,
            LastResult, Outcome, Recovery, Span, Streak, Verdict,
        },
    },
};

/// A real server that is checked.
pub(super) struct Patient {
    pub(super) service: ServiceId,
    pub(super) addr: DestAddr,
    pub(super) is_sorry: bool,
    pub(super) specs: Vec<CheckSpec>,
    pub(super) checks: Vec<Check>,
    pub(super) terms: Terms,
    /// Each check that is asked to come early.
    pub(super) pokes: Vec<Notify>,
    /// What [`Self::alarm`] says has changed.
    pub(super) alarm_changed: Notify,
    reports: UnboundedSender<Report>,
    chart: Mutex<Chart>,
}

/// What the service says of real servers that come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) damping: Option<Damping>,
    pub(super) slow_start: Span,
}

/// What has been found.
struct Chart {
    dest: Dest,
    /// Times of [`Recovery`] count from here.
    beginning: Instant,
    tests: Vec<Test>,
    recovery: Recovery,
    since: Instant,
    said: Verdict,
    cause: Option<Cause>,
    downs: u64,
}

/// What one check has found.
struct Test {
    streak: Streak,
    wants: Option<u32>,
    runs: u64,
    /// How often it failed, by [`Failure::code`].
    failures: BTreeMap<&'static str, u64>,
    last: Option<(Instant, Duration, Outcome)>,
    /// None while it is being made.
    next: Option<Instant>,
}

impl Patient {
    /// A real server of which this is known.
    pub(super) fn new(
        service: ServiceId,
        dest: Dest,
        is_sorry: bool,
        checks: Vec<(CheckSpec, Check)>,
        terms: Terms,
        known: Health,
        reports: UnboundedSender<Report>,
    ) -> Self {
        let now = Instant::now();
        let test = |_: &_| Test {
            streak: Streak::resumed(known),
            wants: None,
            runs: 0,
            failures: BTreeMap::new(),
            last: None,
            next: Some(now),
        };
        let chart = Chart {
            dest,
            beginning: now,
            tests: checks.iter().map(test).collect(),
            recovery: Recovery::resumed(known),
            since: now,
            said: Verdict::of(known),
            cause: None,
            downs: 0,
        };
        let pokes = checks.iter().map(|_| Notify::new()).collect();
        let (specs, checks) = checks.into_iter().unzip();
        Self {
            service,
            addr: dest.addr,
            is_sorry,
            specs,
            checks,
            terms,
            pokes,
            alarm_changed: Notify::new(),
            reports,
            chart: Mutex::new(chart),
        }
    }

    /// A check is due then, or is being made.
    pub(super) fn due(&self, index: usize, next: Option<Instant>) {
        if let Some(test) = self.chart().tests.get_mut(index) {
            test.next = next;
        }
    }

    /// Takes a result, of a check that somebody asked for perhaps: from the beginning of this check to
    /// that of the next, and whether somebody should look for the cause.
    pub(super) fn note(
        &self,
        index: usize,
        begun: Instant,
        was_asked: bool,
        outcome: Outcome,
    ) -> (Duration, bool) {
        let timing = &self.checks[index].timing;
        let now = Instant::now();
        let mut chart = self.chart();
        let test = &mut chart.tests[index];
        test.runs += 1;
        let words = match &outcome {
            Outcome::Good(Good { weight, .. }) => {
                test.wants = *weight;
                test.streak.note(true, timing);
                "checks succeed".to_owned()
            }
            Outcome::Failed(failure) => {
                *test.failures.entry(failure.code()).or_default() += 1;
                test.streak.note(false, timing);
                let spec = &self.specs[index];
                let word = spec.label();
                format!("{word}: {failure}")
            }
            Outcome::Unchecked(_) => String::new(),
        };
        let is_known = matches!(outcome, Outcome::Failed(Failure::Way(_)));
        if let Outcome::Failed(Failure::Way(cause)) = &outcome {
            chart.cause = Some(cause.clone());
        }
        let test = &mut chart.tests[index];
        let failed = matches!(outcome, Outcome::Failed(_));
        let pause = match outcome {
            Outcome::Unchecked(_) => timing.retry.duration(),
            _ => test.streak.pause(timing),
        };
        let runs = test.runs;
        test.last = Some((begun, now.duration_since(begun), outcome));
        let changed = self.settle(&mut chart, now, &words);
        let is_down = chart.recovery.health() == Health::Down;
        // Once when it goes down or was down before, and every now and then: somebody may be at work
        // on it.
        let is_time = changed || was_asked || runs == 1 || runs.is_multiple_of(12);
        let asks = failed && !is_known && is_down && is_time;
        (pause, asks)
    }

    /// Takes what was found to be wrong with the way.
    pub(super) fn explain(&self, cause: Option<Cause>) {
        let mut chart = self.chart();
        if chart.recovery.health() != Health::Down || chart.cause == cause {
            return;
        }
        chart.cause = cause;
        let words = chart.cause.as_ref().map(Cause::to_string).unwrap_or_default();
        self.report(&chart, words);
    }

    /// When something changes without a check.
    pub(super) fn alarm(&self) -> Option<Instant> {
        let chart = self.chart();
        let now = chart.passed(Instant::now());
        let Terms { damping, slow_start } = self.terms;
        let held = chart.recovery.held_until(now, damping);
        let (_, ramp) = chart.recovery.share(now, slow_start);
        held.into_iter().chain(ramp).min().map(|at| chart.beginning + at)
    }

    /// It may have changed.
    pub(super) fn tick(&self) {
        let mut chart = self.chart();
        self.settle(&mut chart, Instant::now(), "it has been back for a while");
    }

    /// What the operator says of it.
    pub(super) fn dest(&self) -> Dest {
        self.chart().dest
    }

    /// The operator says something else of it, perhaps. Says again what was said, for it may have been
    /// added anew.
    pub(super) fn follow(&self, dest: Dest) {
        let mut chart = self.chart();
        chart.dest = dest;
        if chart.said != Verdict::NONE {
            self.report(&chart, "rules changed".to_owned());
        }
    }

    /// What is known of it.
    pub(super) fn health(&self) -> Health {
        self.chart().recovery.health()
    }

    /// For those who look.
    pub(super) fn show(&self) -> DestReport {
        let chart = self.chart();
        let (now, passed) = (Instant::now(), chart.passed(Instant::now()));
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let Terms { damping, slow_start } = self.terms;
        let held = chart.recovery.held_until(passed, damping);
        let checks = self.specs.iter().zip(&self.checks).zip(&chart.tests);
        let checks = checks.map(|((spec, check), test)| CheckReport {
            check: spec.label(),
            via: check.via,
            health: test.streak.health(),
            runs: test.runs,
            failures: test
                .failures
                .iter()
                .map(|(code, count)| ((*code).to_owned(), *count))
                .collect(),
            last: test.last.as_ref().map(|last| shown(last, now)),
            next_ms: test.next.map_or(0, |next| ms(next.saturating_duration_since(now))),
        });
        DestReport {
            service: self.service,
            dest: self.addr,
            is_sorry: self.is_sorry,
            health: chart.recovery.health(),
            since_ms: ms(now.duration_since(chart.since)),
            held_ms: held.map(|until| ms(until.saturating_sub(passed))),
            share_permille: chart.recovery.share(passed, slow_start).0,
            downs: chart.downs,
            cause: chart.cause.clone(),
            checks: checks.collect(),
        }
    }

    /// What follows from all checks; reports it if it is news, and tells whether health changed.
    fn settle(&self, chart: &mut Chart, now: Instant, words: &str) -> bool {
        let Terms { damping, slow_start } = self.terms;
        let passed = chart.passed(now);
        let says = Health::all(chart.tests.iter().map(|test| test.streak.health()));
        let changed = chart.recovery.note(says, passed, damping);
        let health = chart.recovery.health();
        if changed {
            chart.since = now;
            chart.downs += u64::from(health == Health::Down);
        }
        if health.is_up() {
            chart.cause = None;
        }
        let wanted = chart.tests.iter().filter_map(|test| test.wants);
        let wanted = wanted.fold((0u32, 0), |(sum, count), it| (sum.saturating_add(it), count + 1));
        let (share_permille, _) = chart.recovery.share(passed, slow_start);
        let verdict = Verdict { health, share_permille, wanted };
        if verdict != chart.said {
            chart.said = verdict;
            let words = chart.cause.as_ref().map_or_else(|| words.to_owned(), Cause::to_string);
            self.report(chart, words);
        }
        self.alarm_changed.notify_one();
        changed
    }

    fn report(&self, chart: &Chart, cause: String) {
        let dest = (!self.is_sorry).then_some(self.addr);
        let diagnosis = chart.cause.clone();
        let report = Report { service: self.service, dest, verdict: chart.said, diagnosis, cause };
        // Whoever stops does not listen any more.
        self.reports.send(report).ok();
    }

    fn chart(&self) -> MutexGuard<'_, Chart> {
        self.chart.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chart {
    fn passed(&self, now: Instant) -> Duration {
        now.duration_since(self.beginning)
    }
}

fn shown((begun, took, outcome): &(Instant, Duration, Outcome), now: Instant) -> LastResult {
    let count = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    let mut shown = LastResult {
        ago_ms: count(now.duration_since(*begun).as_millis()),
        latency_us: count(took.as_micros()),
        failure: None,
        unchecked: None,
        warning: None,
        weight: None,
    };
    match outcome.clone() {
        Outcome::Good(Good { weight, warning }) => {
            (shown.weight, shown.warning) = (weight, warning);
        }
        Outcome::Failed(failure) => shown.failure = Some(failure),
        Outcome::Unchecked(why) => shown.unchecked = Some(why),
    }
    shown
}
