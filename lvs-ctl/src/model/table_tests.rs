use std::net::IpAddr;

use super::*;
use crate::model::{
    Family, LoopbackOnly, MarkRule, Method, Netmask, Persistence, Ports, Protocol, SchedulerFlags,
    Tunnel, Why,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: ip("192.0.2.1"), port: 80 }
}

fn service(id: ServiceId) -> Service {
    Service {
        id,
        scheduler: "wlc".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    }
}

fn dest(address: &str) -> Dest {
    Dest {
        addr: DestAddr { address: ip(address), port: 80 },
        method: Method::Masq,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn add_dest(dest: Dest) -> Change {
    Change::AddDest { service: web(), dest }
}

fn sync(role: SyncRole, interface: &str) -> Change {
    Change::StartDaemon(SyncRequest {
        role,
        interface: interface.into(),
        sync_id: 0,
        max_length: None,
        group: None,
        port: None,
        ttl: None,
    })
}

/// A table after `changes`, and what became of each.
fn table(changes: &[Change]) -> (Table, Vec<Result<Effect, Invalid>>) {
    let mut table = Table::default();
    let results = changes.iter().map(|change| table.apply(change, &LoopbackOnly)).collect();
    (table, results)
}

fn last(changes: &[Change]) -> Result<Effect, Invalid> {
    table(changes).1.pop().unwrap()
}

fn order(table: &Table) -> Vec<String> {
    table.get(&web()).unwrap().pool.iter().map(|real| real.dest.addr.to_string()).collect()
}

#[test]
fn new_real_servers_go_to_the_head_and_edited_ones_stay() {
    let (mut table, _) = table(&[
        Change::AddService(service(web())),
        add_dest(dest("192.0.2.11")),
        add_dest(dest("192.0.2.12")),
        add_dest(dest("192.0.2.13")),
    ]);
    let edit = Change::EditDest { service: web(), dest: Dest { weight: 9, ..dest("192.0.2.11") } };
    table.apply(&edit, &LoopbackOnly).unwrap();
    assert_eq!(order(&table), ["192.0.2.13:80", "192.0.2.12:80", "192.0.2.11:80"]);
    let again = [
        Change::DeleteDest { service: web(), dest: dest("192.0.2.11").addr },
        add_dest(dest("192.0.2.11")),
    ];
    for change in again {
        table.apply(&change, &LoopbackOnly).unwrap();
    }
    assert_eq!(order(&table), ["192.0.2.11:80", "192.0.2.13:80", "192.0.2.12:80"]);
}

#[test]
fn quiescing_remembers_the_last_weight() {
    let weigh =
        |weight| Change::EditDest { service: web(), dest: Dest { weight, ..dest("192.0.2.11") } };
    let (table, _) = table(&[
        Change::AddService(service(web())),
        add_dest(dest("192.0.2.11")),
        weigh(5),
        weigh(0),
    ]);
    let real = *table.get(&web()).unwrap().pool.get(&dest("192.0.2.11").addr).unwrap();
    assert_eq!((real.dest.weight, real.last_weight), (0, 5));
}

#[test]
fn editing_a_service_replaces_everything_but_its_real_servers() {
    let persistence =
        Some(Persistence { timeout_s: 60, netmask: Netmask::Ipv4("255.0.0.0".parse().unwrap()) });
    let (table, _) = table(&[
        Change::AddService(Service { persistence, one_packet: true, ..service(web()) }),
        add_dest(dest("192.0.2.11")),
        Change::EditService(service(web())),
    ]);
    let entry = table.get(&web()).unwrap();
    assert_eq!(entry.service, service(web()));
    assert_eq!(entry.pool.len(), 1);
}

#[test]
fn existence_is_checked_before_the_scheduler() {
    let unknown = Service { scheduler: "nosuch".into(), ..service(web()) };
    let existing = Change::AddService(service(web()));
    assert_eq!(last(&[existing, Change::AddService(unknown.clone())]), Err(Invalid::ServiceExists));
    assert_eq!(last(&[Change::AddService(unknown.clone())]), Err(Invalid::SchedulerNotFound));
    assert_eq!(last(&[Change::EditService(unknown)]), Err(Invalid::NoService));
}

#[test]
fn ranges_are_checked_before_existence_and_address() {
    let add = Change::AddService(service(web()));
    let wrong = Dest { lower_threshold: 1, ..dest("224.0.0.1") };
    assert_eq!(last(&[add_dest(wrong)]), Err(Invalid::ServiceNotDefined));
    assert_eq!(last(&[add.clone(), add_dest(wrong)]), Err(Invalid::OutOfRange));
    let edit = Change::EditDest { service: web(), dest: wrong };
    assert_eq!(last(&[add.clone(), edit]), Err(Invalid::OutOfRange));
    assert_eq!(
        last(&[add.clone(), add_dest(dest("224.0.0.1"))]),
        Err(Invalid::InvalidOperation(Why::NotUnicast))
    );
    let twice = [add, add_dest(dest("192.0.2.11")), add_dest(dest("192.0.2.11"))];
    assert_eq!(last(&twice), Err(Invalid::DestExists));
}

#[test]
fn real_servers_must_be_unicast() {
    let six = ServiceId::Mark { mark: 1, family: Family::Ipv6 };
    let refused = ["::", "ff02::1", "fe80::1", "febf::1", "::ffff:1.2.3.4"];
    let accepted = ["::1", "::1.2.3.4", "fec0::1", "fc00::1", "2001:db8::1"];
    for (address, expected) in
        refused.iter().map(|a| (a, false)).chain(accepted.iter().map(|a| (a, true)))
    {
        let change = Change::AddDest { service: six, dest: dest(address) };
        let result = last(&[Change::AddService(service(six)), change]);
        assert_eq!(result.is_ok(), expected, "{address}");
    }
    for address in ["0.0.0.0", "255.255.255.255", "127.255.255.255", "239.255.255.255"] {
        let result = last(&[Change::AddService(service(web())), add_dest(dest(address))]);
        assert_eq!(result, Err(Invalid::InvalidOperation(Why::NotUnicast)), "{address}");
    }
}

#[test]
fn mixed_families_need_a_tunnel_and_exclude_synchronisation() {
    let add = Change::AddService(service(web()));
    let masq = add_dest(dest("2001:db8::1"));
    let tunnel = add_dest(Dest { method: Method::Tunnel(Tunnel::Ipip), ..dest("2001:db8::1") });
    let start = sync(SyncRole::Backup, "lo");
    let mixed = Err(Invalid::InvalidOperation(Why::MixedFamilySync));
    assert_eq!(last(&[add.clone(), masq]), Err(Invalid::InvalidOperation(Why::MixedFamily)));
    assert_eq!(last(&[add.clone(), tunnel.clone(), start.clone()]), mixed);
    assert_eq!(last(&[add, start, tunnel]), mixed);
}

#[test]
fn a_refused_change_leaves_the_table_as_it_was() {
    let (mut table, _) = table(&[Change::AddService(service(web())), add_dest(dest("192.0.2.11"))]);
    let before = table.snapshot(0);
    for change in [
        Change::AddService(service(web())),
        add_dest(dest("192.0.2.11")),
        add_dest(dest("0.0.0.0")),
        Change::DeleteDest { service: web(), dest: dest("192.0.2.99").addr },
        Change::StopDaemon(SyncRole::Master),
        sync(SyncRole::Master, "nosuch0"),
    ] {
        table.apply(&change, &LoopbackOnly).unwrap_err();
    }
    assert_eq!(table.snapshot(0), before);
}

#[test]
fn timeouts_of_zero_keep_what_is_set() {
    let set = |tcp_s, tcp_fin_s, udp_s| Change::SetTimeouts(Timeouts { tcp_s, tcp_fin_s, udp_s });
    let (table, _) = table(&[set(1, 2, 3), set(0, 60, 0)]);
    assert_eq!(table.timeouts(), Timeouts { tcp_s: 1, tcp_fin_s: 60, udp_s: 3 });
}

#[test]
fn daemons_get_the_kernels_defaults_and_bounds() {
    let started = |change: &Change| {
        let mut table = Table::default();
        table.apply(change, &LoopbackOnly).unwrap();
        let daemons = table.daemons().clone();
        daemons.master.or(daemons.backup).unwrap().max_length
    };
    let with = |role, max_length, group: Option<&str>| {
        let Change::StartDaemon(request) = sync(role, "lo") else { unreachable!() };
        Change::StartDaemon(SyncRequest { max_length, group: group.map(ip), ..request })
    };
    assert_eq!(started(&with(SyncRole::Master, None, None)), 1472);
    assert_eq!(started(&with(SyncRole::Backup, None, None)), 65507);
    assert_eq!(started(&with(SyncRole::Backup, None, Some("ff02::1"))), 65487);
    assert_eq!(started(&with(SyncRole::Master, Some(1), None)), 1);
    assert_eq!(started(&with(SyncRole::Backup, Some(3), None)), 1024);
    assert_eq!(last(&[with(SyncRole::Master, None, Some("ff02::1"))]), Err(Invalid::Unreachable));
    let twice = |interface| [sync(SyncRole::Master, "lo"), sync(SyncRole::Master, interface)];
    assert_eq!(last(&twice("lo")), Err(Invalid::DaemonRuns));
    assert_eq!(last(&twice("nosuch0")), Err(Invalid::NoDevice));
}

#[test]
fn a_snapshot_restores_order_and_history() {
    let (table, _) = table(&[
        Change::AddService(service(web())),
        add_dest(dest("192.0.2.12")),
        add_dest(dest("192.0.2.11")),
        Change::EditDest { service: web(), dest: Dest { weight: 0, ..dest("192.0.2.12") } },
        sync(SyncRole::Master, "lo"),
    ]);
    let snapshot = table.snapshot(7);
    let restored = Table::restore(&snapshot).unwrap();
    assert_eq!(restored.snapshot(7), snapshot);
    assert_eq!(order(&restored), ["192.0.2.11:80", "192.0.2.12:80"]);
}

#[test]
fn the_files_service_stays_the_files_until_it_is_deleted() {
    let origin = |table: &Table| table.get(&web()).unwrap().origin;
    let add = Change::AddService(service(web()));
    let (mut table, _) = table(&[add.clone(), Change::Declare(web())]);
    let edit = Service { scheduler: "rr".into(), ..service(web()) };
    for change in [Change::EditService(edit), add_dest(dest("192.0.2.11"))] {
        table.apply(&change, &LoopbackOnly).unwrap();
    }
    assert_eq!(origin(&table), Origin::File);
    let destination = "192.0.2.0/24".parse().unwrap();
    let mark = MarkRule { protocol: None, destination, ports: Ports::default(), mark: 7 };
    for change in [Change::AddMark(mark.clone()), Change::DeclareMark(mark.clone())] {
        table.apply(&change, &LoopbackOnly).unwrap();
    }
    let restored = Table::restore(&table.snapshot(1)).unwrap();
    assert_eq!(origin(&restored), Origin::File);
    assert_eq!(restored.marks().declared(), [mark]);
    for change in [Change::DeleteService(web()), add] {
        table.apply(&change, &LoopbackOnly).unwrap();
    }
    assert_eq!(origin(&table), Origin::Command);
    let nobodys = Change::Declare(ServiceId::Mark { mark: 7, family: Family::Ipv4 });
    assert_eq!(table.apply(&nobodys, &LoopbackOnly), Err(Invalid::NoService));
}
