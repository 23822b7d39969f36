use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};

use super::*;
use crate::{
    dataplane::memory::Memory,
    director::{self, ChangeRequest, Director, Event, HealthChange, Options, Wanted},
    health::{returned, ways::Direct},
    model::{
        Change, Dest, LoopbackOnly, Method, Protocol, SchedulerFlags, Service,
        health::{CheckSpec, CheckType, Health, Policy, ServiceHealth, Span},
    },
};

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 }
}

fn rules(at: SocketAddr, checks: Vec<CheckSpec>) -> Vec<Change> {
    let service = Service {
        id: web(),
        scheduler: "wlc".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    };
    let dest = Dest {
        addr: DestAddr { address: at.ip(), port: at.port() },
        method: Method::Masq,
        weight: 4,
        upper_threshold: 0,
        lower_threshold: 0,
    };
    let health = ServiceHealth { checks, policy: Policy::default() };
    vec![
        Change::AddService(service),
        Change::AddDest { service: web(), dest },
        Change::SetHealth { service: web(), health },
    ]
}

async fn change(handle: &Handle, changes: Vec<Change>) {
    let request = ChangeRequest { changes, ..ChangeRequest::default() };
    assert_eq!(handle.change(request).await.unwrap().refused, []);
}

/// The next verdict that anybody hears of.
async fn verdict(events: &mut broadcast::Receiver<Arc<Event>>) -> Health {
    loop {
        let event = events.recv().await.unwrap();
        if let Some(HealthChange::Dest { health, .. }) = event.health.first() {
            return *health;
        }
    }
}

#[tokio::test]
async fn a_real_server_goes_and_comes_back_and_nobody_checks_what_is_gone() {
    let plane = Memory::default();
    let director = Director::new(plane.clone(), Box::new(LoopbackOnly), Options::default());
    let (handle, thread) = director::spawn(director);
    let board = Board::default();
    let running = tokio::spawn(run(handle.clone(), Arc::new(Direct), board.clone()));
    let mut events = handle.watch().await.unwrap();
    let weight = || {
        let state = plane.state();
        let service = state.table.get(&web()).unwrap();
        service.pool.iter().next().unwrap().dest.weight
    };

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let check =
        CheckSpec { interval: Some(Span::ms(100)), fall: Some(1), ..CheckSpec::of(CheckType::Tcp) };
    change(&handle, rules(at, vec![check.clone()])).await;
    assert_eq!(verdict(&mut events).await, Health::Up);
    assert_eq!(weight(), 4);
    drop(listener);
    assert_eq!(verdict(&mut events).await, Health::Down);
    assert_eq!(weight(), 0);
    let shown = board.show();
    assert_eq!((shown.len(), shown[0].health), (1, Health::Down));
    assert!(shown[0].checks[0].runs > 1);
    let _listener = TcpListener::bind(at).await.unwrap();
    assert_eq!(verdict(&mut events).await, Health::Up);
    assert_eq!(weight(), 4);

    change(&handle, vec![Change::DeleteService(web())]).await;
    while !board.show().is_empty() {
        tokio::task::yield_now().await;
    }
    // The last handle goes with the checks: the director's thread ends.
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    drop(handle);
    tokio::task::spawn_blocking(move || thread.join()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_real_server_is_checked_as_soon_as_there_is_a_way_to_it() {
    let plane = Memory::default();
    let director = Director::new(plane, Box::new(LoopbackOnly), Options::default());
    let (handle, _) = director::spawn(director);
    let board = Board::default();
    let _running = tokio::spawn(run(handle.clone(), Arc::new(Direct), board.clone()));
    let mut events = handle.watch().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    // As often as tests run.
    let interval = Some(Span::seconds(3600));
    let check = CheckSpec { interval, fall: Some(1), ..CheckSpec::of(CheckType::Tcp) };
    change(&handle, rules(at, vec![check])).await;
    assert_eq!(verdict(&mut events).await, Health::Down);
    let _listener = TcpListener::bind(at).await.unwrap();
    let lost = BTreeMap::from([(at.ip(), "no answer".to_owned())]);
    let (tell, wanted) = watch::channel(Wanted { unreachable: lost, ..Wanted::default() });
    let returning = tokio::spawn(returned::run(wanted, board));
    tokio::task::yield_now().await;
    tell.send_replace(Wanted::default());
    assert_eq!(verdict(&mut events).await, Health::Up);
    drop(tell);
    returning.await.unwrap();
}
