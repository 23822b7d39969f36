use std::{fs, path::Path, time::Duration};

use super::*;
use crate::{
    dataplane::memory::Memory as Plane,
    director::{self, ChangeRequest, Director, Options, Report},
    model::{
        Change, Dest, LoopbackOnly, Method, Protocol, SchedulerFlags, Service,
        health::{CheckSpec, CheckType, Policy, ServiceHealth, Span, Verdict},
    },
};

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 }
}

fn at() -> DestAddr {
    DestAddr { address: [192, 0, 2, 11].into(), port: 80 }
}

/// A director with a real server that is checked, and who tells it what was found.
async fn director() -> Handle {
    let plane = Plane::default();
    let director = Director::new(plane, Box::new(LoopbackOnly), Options::default());
    let (handle, _) = director::spawn(director);
    let service = Service {
        id: web(),
        scheduler: "wlc".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    };
    let method = Method::DirectRoute;
    let dest = Dest { addr: at(), method, weight: 4, upper_threshold: 0, lower_threshold: 0 };
    let checks = vec![CheckSpec::of(CheckType::Tcp)];
    let health = ServiceHealth { checks, policy: Policy::default() };
    let changes = vec![
        Change::AddService(service),
        Change::AddDest { service: web(), dest },
        Change::SetHealth { service: web(), health },
    ];
    let request = ChangeRequest { changes, ..ChangeRequest::default() };
    assert_eq!(handle.change(request).await.unwrap().refused, []);
    handle
}

async fn found(handle: &Handle, health: Health, cause: &str) {
    let report = Report {
        service: web(),
        dest: Some(at()),
        verdict: Verdict::of(health),
        diagnosis: None,
        cause: cause.into(),
    };
    handle.health(vec![report]).await.unwrap();
    handle.ping().await.unwrap();
}

/// A hook that writes its environment's words into `file`, and then does something else.
fn hook(file: &Path, then: &str, on: &[Occasion]) -> ChangeHook {
    let words = "$LVS_EVENT $LVS_SERVICE $LVS_RIP $LVS_BEFORE $LVS_AFTER $LVS_CAUSE";
    let script = format!("echo {words} >> $0; {then}");
    let command = ["/bin/sh", "-c", &script, file.to_str().unwrap()].map(str::to_owned).into();
    ChangeHook { command, timeout: Some(Span::ms(500)), on: on.to_vec() }
}

async fn lines(file: &Path, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(file).unwrap_or_default();
    let written = async {
        while read().lines().count() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let written = timeout(Duration::from_secs(30), written).await;
    written.unwrap_or_else(|_| panic!("{count} lines in {:?}", read()));
    read().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn hooks_are_told_in_order_what_they_want_and_no_one_waits_for_one_that_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let [all, downs, hanging] = ["all", "downs", "hanging"].map(|name| directory.path().join(name));
    let handle = director().await;
    let hooks = vec![
        hook(&all, "exit 3", &[]),
        hook(&downs, "", &[Occasion::Down]),
        hook(&hanging, "sleep 1000", &[Occasion::Up, Occasion::Down]),
        ChangeHook { command: vec!["/nowhere".into()], ..ChangeHook::default() },
    ];
    let events = handle.watch().await.unwrap();
    let (_tell, hooks) = watch::channel(hooks);
    let running = tokio::spawn(follow(events, hooks));
    found(&handle, Health::Up, "checks succeed").await;
    found(&handle, Health::Down, "tcp: refused").await;
    found(&handle, Health::Up, "checks succeed").await;
    assert_eq!(
        lines(&all, 4).await,
        [
            "down tcp:192.0.2.1:80 192.0.2.11 4 0 tcp: refused",
            "quorum tcp:192.0.2.1:80 met lost",
            "up tcp:192.0.2.1:80 192.0.2.11 0 4 checks succeed",
            "quorum tcp:192.0.2.1:80 lost met",
        ]
    );
    assert_eq!(lines(&downs, 1).await.len(), 1);
    // The second comes when the first has been killed.
    let hung = lines(&hanging, 2).await;
    assert!(hung[0].starts_with("down ") && hung[1].starts_with("up "), "{hung:?}");
    drop(handle);
    running.await.unwrap();
}

#[tokio::test]
async fn hooks_that_change_are_told_what_happens_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let [stays, goes, comes] = ["stays", "goes", "comes"].map(|name| directory.path().join(name));
    let [kept, former, new] = [&stays, &goes, &comes].map(|file| hook(file, "", &[]));
    let handle = director().await;
    let events = handle.watch().await.unwrap();
    let (tell, hooks) = watch::channel(Vec::new());
    let running = tokio::spawn(follow(events, hooks));
    tell.send(vec![former.clone(), kept.clone()]).unwrap();
    found(&handle, Health::Up, "checks succeed").await;
    found(&handle, Health::Down, "tcp: refused").await;
    assert_eq!(lines(&goes, 2).await.len(), 2);
    tell.send(vec![kept, new]).unwrap();
    // Whether it was down is known, though the new one has not been told.
    found(&handle, Health::Up, "checks succeed").await;
    let news = ["up tcp:192.0.2.1:80 192.0.2.11 0 4 checks succeed"];
    assert_eq!(lines(&comes, 2).await[..1], news);
    assert_eq!(lines(&stays, 4).await[2..3], news);
    drop(handle);
    running.await.unwrap();
    assert_eq!(lines(&goes, 2).await.len(), 2);
}

#[test]
fn what_was_known_already_is_told_as_what_it_is() {
    let mut memory = Memory::default();
    let mut occasion = |health, before, after| {
        let change = HealthChange::Dest {
            service: web(),
            dest: at(),
            health,
            before: Effective::Weight(before),
            after: Effective::Weight(after),
            cause: String::new(),
        };
        memory.notice(&change).map(|notice| notice.occasion)
    };
    assert_eq!(occasion(Health::Up, 4, 4), None, "the first verdict");
    assert_eq!(occasion(Health::Down, 4, 0), Some(Occasion::Down));
    assert_eq!(occasion(Health::Down, 0, 0), Some(Occasion::Cause));
    assert_eq!(occasion(Health::Down, 0, 4), Some(Occasion::Weight), "fail open");
    assert_eq!(occasion(Health::Up, 4, 4), Some(Occasion::Up));
    assert_eq!(occasion(Health::Up, 1, 2), Some(Occasion::Weight), "slow start");
}

#[test]
fn a_hook_that_makes_no_sense_is_refused_by_its_field() {
    let of = |command: &[&str], timeout| ChangeHook {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        timeout,
        on: Vec::new(),
    };
    for (hook, field) in [
        (of(&[], None), "command"),
        (of(&["notify"], None), "command"),
        (of(&["/notify", "a\0b"], None), "command"),
        (of(&["/notify"], Some(Span::ms(0))), "timeout"),
    ] {
        assert_eq!(hook.judge().unwrap_err().field, field, "{hook:?}");
    }
    assert_eq!(of(&["/notify", ""], None).judge(), Ok(()));
}
