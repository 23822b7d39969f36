use std::sync::Mutex;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::*;
use crate::{
    director::Report,
    health::{patient::Terms, probe::Trouble, ways::Direct},
    model::{
        Dest, DestAddr, Method, Protocol, ServiceId,
        health::{Cause, CheckSpec, CheckType, Damping, Good, Health, Span, Stage, Verdict},
    },
};

/// A real server that does as it is told; clones are the same.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Script>>);

struct Script {
    does: Does,
    /// When it was checked, since the beginning.
    checked: Vec<Duration>,
    beginning: Instant,
    diagnosis: Option<Cause>,
    /// How long it takes to find out.
    puzzle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Answer,
    Refuse,
    Hang,
    HideItsWay,
}

impl Probe for Scripted {
    fn probe<'a>(&'a self, _trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        let does = self.note();
        Box::pin(async move {
            match does {
                Does::Answer | Does::HideItsWay => Ok(Good::default()),
                Does::Refuse => Err(Failure::Refused.into()),
                Does::Hang => std::future::pending().await,
            }
        })
    }
}

impl Ways for Scripted {
    fn way(&self, errand: &Errand) -> Result<Target, NoWay> {
        if self.0.lock().unwrap().does == Does::HideItsWay {
            self.note();
            return Err(NoWay::Unknown("being resolved".into()));
        }
        Direct.way(errand)
    }

    fn diagnose<'a>(&'a self, _errand: &'a Errand) -> BoxFuture<'a, Option<Cause>> {
        let (diagnosis, puzzle) = {
            let script = self.0.lock().unwrap();
            (script.diagnosis.clone(), script.puzzle)
        };
        Box::pin(async move {
            tokio::time::sleep(puzzle).await;
            diagnosis
        })
    }
}

impl Scripted {
    fn note(&self) -> Does {
        let mut script = self.0.lock().unwrap();
        let at = script.beginning.elapsed();
        script.checked.push(at);
        script.does
    }

    fn does(&self, does: Does) {
        self.0.lock().unwrap().does = does;
    }

    /// When it was checked, whole milliseconds.
    fn checked(&self) -> Vec<u128> {
        self.0.lock().unwrap().checked.iter().map(Duration::as_millis).collect()
    }
}

/// A real server, its check, and what is reported of it.
struct Bench {
    server: Scripted,
    patient: Arc<Patient>,
    reports: UnboundedReceiver<Report>,
    beginning: Instant,
}

const NO_TERMS: Terms = Terms { damping: None, slow_start: Span::ms(0) };

impl Bench {
    fn new(spec: &CheckSpec, terms: Terms) -> Self {
        Self::resumed(spec, terms, Health::Unknown)
    }

    /// Of a real server of which this was known.
    fn resumed(spec: &CheckSpec, terms: Terms, known: Health) -> Self {
        let spec = CheckSpec { jitter: Some(0), ..spec.clone() };
        let check = spec.read().unwrap();
        let service = ServiceId::Address {
            protocol: Protocol::Tcp,
            address: [192, 0, 2, 1].into(),
            port: 80,
        };
        let dest = Dest {
            addr: DestAddr { address: [10, 0, 0, 1].into(), port: 80 },
            method: Method::Masq,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let beginning = Instant::now();
        let does = if known == Health::Down { Does::Refuse } else { Does::Answer };
        let script = Script {
            does,
            checked: Vec::new(),
            beginning,
            diagnosis: None,
            puzzle: Duration::ZERO,
        };
        let server = Scripted(Arc::new(Mutex::new(script)));
        let (sender, reports) = mpsc::unbounded_channel();
        let checks = vec![(spec, check)];
        let patient = Patient::new(service, dest, false, checks, terms, known, sender);
        let patient = Arc::new(patient);
        let (probe, ways) = (Arc::new(server.clone()), Arc::new(server.clone()));
        tokio::spawn(attend(patient.clone(), 0, probe, ways, Duration::ZERO));
        Self { server, patient, reports, beginning }
    }

    /// The next report, and when it came, whole milliseconds.
    async fn report(&mut self) -> (u128, Report) {
        let report = self.reports.recv().await.unwrap();
        (self.beginning.elapsed().as_millis(), report)
    }

    async fn verdict(&mut self) -> (u128, Health) {
        let (at, report) = self.report().await;
        (at, report.verdict.health)
    }

    async fn until(&self, ms: u64) {
        sleep_until(self.beginning + Duration::from_millis(ms)).await;
    }
}

fn tcp() -> CheckSpec {
    CheckSpec { fall: Some(1), ..CheckSpec::of(CheckType::Tcp) }
}

#[tokio::test(start_paused = true)]
async fn with_fall_1_a_dead_one_is_down_within_interval_and_timeout_and_back_within_one_interval() {
    let mut bench = Bench::new(&tcp(), NO_TERMS);
    assert_eq!(bench.verdict().await, (0, Health::Up));
    bench.until(5001).await;
    bench.server.does(Does::Hang);
    assert_eq!(bench.verdict().await, (13_000, Health::Down), "5 s and 3 s after its last answer");
    bench.until(15_001).await;
    bench.server.does(Does::Answer);
    assert_eq!(bench.verdict().await, (20_000, Health::Up));
    assert_eq!(bench.server.checked(), [0, 5000, 10_000, 15_000, 20_000]);
}

#[tokio::test(start_paused = true)]
async fn failures_that_have_not_decided_are_followed_by_a_sooner_check() {
    let spec = CheckSpec { fall: Some(3), ..tcp() };
    let mut bench = Bench::new(&spec, NO_TERMS);
    bench.verdict().await;
    bench.server.does(Does::Refuse);
    let (at, report) = bench.report().await;
    assert_eq!((at, report.verdict.health), (7000, Health::Down));
    assert_eq!(report.cause, "tcp: refused");
    bench.until(12_500).await;
    assert_eq!(bench.server.checked(), [0, 5000, 6000, 7000, 12_000]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_checked_is_no_verdict() {
    let mut bench = Bench::new(&tcp(), NO_TERMS);
    bench.server.does(Does::HideItsWay);
    bench.until(3500).await;
    assert!(bench.reports.try_recv().is_err());
    let shown = bench.patient.show();
    assert_eq!(shown.health, Health::Unknown);
    assert_eq!(shown.checks[0].last.as_ref().unwrap().words(), "not checked: being resolved");
    bench.server.does(Does::Refuse);
    assert_eq!(bench.verdict().await, (4000, Health::Down));
    bench.server.does(Does::HideItsWay);
    bench.until(60_000).await;
    assert!(bench.reports.try_recv().is_err(), "what is down stays so");
    bench.server.does(Does::Answer);
    assert_eq!(bench.verdict().await.1, Health::Up);
}

#[tokio::test(start_paused = true)]
async fn whoever_suspects_something_has_the_check_made_at_once() {
    let mut bench = Bench::new(&tcp(), NO_TERMS);
    bench.verdict().await;
    bench.server.does(Does::Refuse);
    bench.until(1234).await;
    bench.patient.pokes[0].notify_one();
    assert_eq!(bench.verdict().await, (1234, Health::Down));
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_failure_follows_the_verdict() {
    let mut bench = Bench::new(&tcp(), NO_TERMS);
    bench.verdict().await;
    bench.server.0.lock().unwrap().diagnosis = Some(Cause::VipMissing);
    bench.server.does(Does::Refuse);
    let (_, report) = bench.report().await;
    assert_eq!((report.verdict.health, report.diagnosis), (Health::Down, None));
    let (_, report) = bench.report().await;
    assert_eq!(report.diagnosis, Some(Cause::VipMissing));
    assert_eq!(report.cause, Cause::VipMissing.to_string());
    assert_eq!(bench.patient.show().cause, Some(Cause::VipMissing));
    bench.server.does(Does::Answer);
    let (_, report) = bench.report().await;
    assert_eq!((report.verdict.health, report.diagnosis), (Health::Up, None));
}

#[tokio::test(start_paused = true)]
async fn looking_for_the_cause_holds_no_check_up() {
    let spec = CheckSpec { interval: Some(Span::seconds(1)), ..tcp() };
    let mut bench = Bench::new(&spec, NO_TERMS);
    bench.verdict().await;
    bench.server.0.lock().unwrap().diagnosis = Some(Cause::VipMissing);
    bench.server.0.lock().unwrap().puzzle = Duration::from_millis(2500);
    bench.server.does(Does::Refuse);
    assert_eq!(bench.verdict().await, (1000, Health::Down));
    let (at, report) = bench.report().await;
    assert_eq!((at, report.diagnosis), (3500, Some(Cause::VipMissing)));
    bench.until(4001).await;
    assert_eq!(bench.server.checked(), [0, 1000, 2000, 3000, 4000]);
}

#[tokio::test(start_paused = true)]
async fn the_cause_is_looked_for_of_what_was_down_before_and_whenever_somebody_asks() {
    let mut bench = Bench::resumed(&tcp(), NO_TERMS, Health::Down);
    bench.server.0.lock().unwrap().diagnosis = Some(Cause::NoTunnelDevice);
    let (at, report) = bench.report().await;
    assert_eq!((at, report.diagnosis), (0, Some(Cause::NoTunnelDevice)));
    bench.server.0.lock().unwrap().diagnosis = Some(Cause::VipMissing);
    bench.until(1234).await;
    bench.patient.pokes[0].notify_one();
    let (at, report) = bench.report().await;
    assert_eq!((at, report.diagnosis), (1234, Some(Cause::VipMissing)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_goes_on_between_the_checks() {
    let terms = Terms { slow_start: Span::seconds(20), ..NO_TERMS };
    let mut bench = Bench::new(&tcp(), terms);
    bench.verdict().await;
    bench.server.does(Does::Refuse);
    bench.verdict().await;
    bench.server.does(Does::Answer);
    let mut shares = Vec::new();
    while shares.last().is_none_or(|(_, share)| *share < 1000) {
        let (at, report) = bench.report().await;
        shares.push((at, report.verdict.share_permille));
    }
    let expected = (0..10u16).map(|step| (10_000 + u128::from(step) * 2000, 100 + step * 100));
    let expected: Vec<(u128, u16)> = expected.collect();
    assert_eq!(shares[..10], expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_returns_when_its_time_has_come() {
    let damping = Some(Damping { flaps: 2, within: Span::seconds(300), hold: Span::seconds(32) });
    let mut bench = Bench::new(&tcp(), Terms { damping, ..NO_TERMS });
    for (does, at) in [
        (Does::Answer, 0),
        (Does::Refuse, 5000),
        (Does::Answer, 10_000),
        (Does::Refuse, 15_000),
        // Good from 20 s on, and not only looked at with a check.
        (Does::Answer, 52_000),
    ] {
        bench.server.does(does);
        assert_eq!(bench.verdict().await.0, at);
    }
    assert_eq!(bench.patient.health(), Health::Up);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_its_time_is_named_by_what_it_waited_for() {
    let mut bench = Bench::new(&tcp(), NO_TERMS);
    bench.server.does(Does::Hang);
    let (at, report) = bench.report().await;
    assert_eq!((at, report.verdict), (3000, Verdict::of(Health::Down)));
    assert_eq!(report.cause, format!("tcp: {}", Failure::Timeout(Stage::Connect)));
}
