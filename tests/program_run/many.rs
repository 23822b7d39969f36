//! As many real servers and services as there may be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lvs_ctl::model::{
    Change, Dest, DestAddr, Method, Protocol, SchedulerFlags, Service, ServiceId,
};
use lvs_tests::rig::{
    Place, Rig,
    packet::{Packet, SYN},
    way::Way,
};

use crate::{
    reference::{
        Director,
        service::{self, SCHEDULERS},
    },
    sender::VIP,
};

const REAL_SERVERS: u32 = 1024;
const SERVICES: u16 = u16::MAX;

#[test]
fn of_a_thousand_real_servers_each_scheduler_takes_the_right_one() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 65_536).unwrap();
    let vip = SocketAddr::new(VIP.into(), 80);
    let service = id(vip);
    let mut changes = vec![add_service(service, SCHEDULERS[0])];
    let mut reference = Director::new(vec![service::Service::new(true, vip, false, SCHEDULERS[0])]);
    for number in 0..REAL_SERVERS {
        let (at, weight) = (real_server(number), number * 7 % 5);
        changes.push(add_dest(service, at, weight));
        reference.add(0, at, weight);
    }
    assert_eq!(rig.change(changes).unwrap().refused, vec![]);
    let mut client = 0;
    for scheduler in SCHEDULERS {
        rig.must(&format!("ipvsadm -E -t {vip} -s {scheduler}")).unwrap();
        reference.schedule_by(0, scheduler);
        // Those that take turns come round.
        let connections = if scheduler.ends_with("rr") { REAL_SERVERS + 100 } else { 200 };
        for number in 0..connections {
            if number == 100 {
                let (at, to) = (real_server(client % REAL_SERVERS), (9, 2, 1));
                rig.must(&format!("ipvsadm -e -t {vip} -r {at} -g -w 9 -x 2 -y 1")).unwrap();
                reference.edit(0, at, to);
            }
            client += 1;
            let address = Ipv4Addr::from_bits((10 << 24) + client);
            let packet = Packet::tcp(SocketAddr::new(address.into(), 1024), vip, SYN, b"");
            let way = rig.request(&packet).unwrap().way;
            assert_eq!(way, reference.request(&packet), "{scheduler}, connection {number}");
        }
    }
    // One more is too many.
    let refused = rig.type_in(&format!("ipvsadm -a -t {vip} -r 192.168.2.9:80 -g"));
    assert_ne!(refused.exit, 0);
    assert!(refused.error.contains("1024"), "{}", refused.error);
}

#[test]
fn every_port_of_an_address_may_be_a_service_of_its_own_and_one_more() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    let at = |port| SocketAddr::new(VIP.into(), port);
    let changes = (1..=SERVICES).flat_map(|port| {
        let service = id(at(port));
        [add_service(service, "rr"), add_dest(service, real_server((port % 100).into()), 1)]
    });
    assert_eq!(rig.change(changes.collect()).unwrap().refused, vec![]);
    let client = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), 1024);
    for port in [1, 2, 80, 1024, 32_767, 32_768, 49_152, 65_534, 65_535] {
        let packet = Packet::tcp(client, at(port), SYN, b"");
        let server = SocketAddr::new(real_server((port % 100).into()).ip(), port);
        assert_eq!(rig.request(&packet).unwrap().way, Way::Forwarded(server));
    }
    rig.must("ipvsadm -A -t 198.18.0.1:80 -s rr").unwrap();
    let refused = rig.type_in("ipvsadm -A -t 198.18.0.1:81 -s rr");
    assert_ne!(refused.exit, 0, "{}", refused.output);
    assert!(
        refused.error.contains("no room for another service, only for 65536"),
        "{}",
        refused.error
    );
    rig.must("ipvsadm -D -t 192.168.4.5:7").unwrap();
    rig.must("ipvsadm -A -t 198.18.0.1:81 -s rr").unwrap();
}

fn id(vip: SocketAddr) -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: vip.ip(), port: vip.port() }
}

fn real_server(number: u32) -> SocketAddr {
    let address = Ipv4Addr::from_bits(u32::from_be_bytes([192, 168, 16, 1]) + number);
    SocketAddr::new(IpAddr::V4(address), 80)
}

fn add_service(id: ServiceId, scheduler: &str) -> Change {
    Change::AddService(Service {
        id,
        scheduler: scheduler.to_owned(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    })
}

fn add_dest(service: ServiceId, at: SocketAddr, weight: u32) -> Change {
    let addr = DestAddr { address: at.ip(), port: at.port() };
    let dest =
        Dest { addr, method: Method::DirectRoute, weight, upper_threshold: 0, lower_threshold: 0 };
    Change::AddDest { service, dest }
}
