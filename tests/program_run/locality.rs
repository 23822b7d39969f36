//! What lblc and lblcr remember, and for how long.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use aya::maps::{HashMap, Map, MapData};
use lvs_common::{
    ABI_VERSION,
    map::{Called, name},
    sched::Remembered,
};
use lvs_tests::rig::{
    Place, Rig,
    packet::{Packet, SYN},
    way::Way,
};

const VIP: &str = "192.168.4.5:80";
const OTHER_VIP: &str = "192.168.4.6:80";

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Clients, each with a port of its own, and the director that they call.
struct Lab<'p> {
    rig: Rig<'p>,
    place: &'p Place,
    port: u16,
}

#[test]
fn an_address_keeps_its_real_server_until_that_is_busy() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblc");
    assert_eq!(lab.reach(VIP, 14), [6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4]);
}

#[test]
fn a_hot_address_gets_more_real_servers() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblcr");
    assert_eq!(lab.reach(VIP, 14), [6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 5]);
}

#[test]
fn services_remember_their_own_addresses() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblc");
    lab.add_service(OTHER_VIP, "lblc");
    assert_eq!(lab.reach(VIP, 1), [6]);
    lab.line(&format!("-e -t {VIP} -r 192.168.2.6:80 -g -w 0"));
    assert_eq!(lab.reach(VIP, 1), [5]);
    assert_eq!(lab.reach(OTHER_VIP, 1), [6]);
    lab.line(&format!("-e -t {VIP} -r 192.168.2.6:80 -g -w 3"));
    assert_eq!(lab.reach(VIP, 1), [5]);
    assert_eq!((lab.remembered(), lab.counted()), (2, 2));
}

#[test]
fn a_real_server_that_comes_back_without_connections_is_still_remembered() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblc");
    lab.line("--set 10 10 10");
    assert_eq!(lab.reach(VIP, 1), [6]);
    lab.line(&format!("-e -t {VIP} -r 192.168.2.6:80 -g -w 1"));
    lab.line(&format!("-d -t {VIP} -r 192.168.2.6:80"));
    lab.rig.wait(5 * MINUTE);
    // Who is new takes a slot that was given up.
    lab.line(&format!("-a -t {VIP} -r 192.168.2.7:80 -g -w 0"));
    lab.line(&format!("-a -t {VIP} -r 192.168.2.6:80 -g -w 1"));
    // wlc's choice would be another: one that is heavier has no connection either.
    lab.line(&format!("-d -t {VIP} -r 192.168.2.5:80"));
    lab.line(&format!("-a -t {VIP} -r 192.168.2.5:80 -g -w 9"));
    assert_eq!(lab.reach(VIP, 1), [6]);
}

#[test]
fn another_scheduler_and_another_service_begin_without_memory() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblc");
    assert_eq!(lab.reach(VIP, 2), [6, 6]);
    lab.line(&format!("-E -t {VIP} -s lblcr"));
    assert_eq!(lab.reach(VIP, 1), [5]);
    lab.line(&format!("-E -t {VIP} -s lblcr -b flag-1"));
    assert_eq!(lab.reach(VIP, 1), [5]);
    lab.line(&format!("-E -t {VIP} -s lblc"));
    assert_eq!(lab.reach(VIP, 1), [4]);
    assert_eq!(lab.remembered(), 3);
    lab.rig.wait(MINUTE + Duration::from_secs(3));
    assert_eq!(lab.remembered(), 1);
    lab.line("-C");
    lab.rig.wait(MINUTE + Duration::from_secs(3));
    assert_eq!(lab.remembered(), 0);
}

#[test]
fn a_set_that_rests_for_a_day_loses_its_most_loaded() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblcr");
    assert_eq!(lab.reach(VIP, 9), [6, 6, 6, 6, 5, 5, 5, 5, 4]);
    // An address that is used is remembered, whatever becomes of its connections.
    for _ in 0..23 {
        lab.rig.wait(DAY / 24);
        lab.reach(VIP, 1);
    }
    assert_eq!(lab.sets(), [3]);
    lab.rig.wait(DAY / 24);
    lab.reach(VIP, 1);
    assert_eq!(lab.sets(), [2]);
    lab.rig.wait(DAY / 2);
    lab.reach(VIP, 1);
    assert_eq!(lab.sets(), [2]);
}

#[test]
fn an_address_that_nobody_calls_for_a_day_is_forgotten() {
    let place = Place::enter().unwrap();
    let mut lab = Lab::new(&place, "lblc");
    lab.add_service(OTHER_VIP, "lblc");
    lab.reach(VIP, 1);
    lab.rig.wait(DAY / 2);
    lab.reach(OTHER_VIP, 1);
    assert_eq!(lab.remembered(), 2);
    // Every 30th run of the collector looks for such.
    lab.rig.wait(DAY / 2 + 31 * MINUTE);
    assert_eq!(lab.remembered(), 1);
    assert_eq!(lab.counted(), 1);
    lab.reach(VIP, 2);
    assert_eq!(lab.counted(), 2);
}

impl<'p> Lab<'p> {
    /// A director with a service that has the real servers 4, 5 and 6 of weight 3.
    fn new(place: &'p Place, scheduler: &str) -> Self {
        let rig = Rig::sized(place, 256).unwrap();
        let mut lab = Self { rig, place, port: 2000 };
        lab.add_service(VIP, scheduler);
        lab
    }

    fn add_service(&mut self, vip: &str, scheduler: &str) {
        self.line(&format!("-A -t {vip} -s {scheduler}"));
        for server in 4..=6 {
            self.line(&format!("-a -t {vip} -r 192.168.2.{server}:80 -g -w 3"));
        }
    }

    fn line(&mut self, line: &str) {
        self.rig.must(&format!("ipvsadm {line}")).unwrap();
    }

    /// The real servers that so many clients reach, one after the other; each holds its connection.
    fn reach(&mut self, vip: &str, clients: usize) -> Vec<u8> {
        let vip: SocketAddr = vip.parse().unwrap();
        let one = |_| {
            self.port += 1;
            let client = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), self.port);
            let gone = self.rig.request(&Packet::tcp(client, vip, SYN, b"")).unwrap();
            assert_eq!(gone.wrong, None);
            let Way::Forwarded(SocketAddr::V4(at)) = gone.way else { panic!("{gone:?}") };
            at.ip().octets()[3]
        };
        (0..clients).map(one).collect()
    }

    /// How many addresses are remembered.
    fn remembered(&self) -> usize {
        self.memory().keys().map(Result::unwrap).count()
    }

    /// How many the program counts, by the status.
    fn counted(&self) -> u64 {
        self.rig.used("remembered addresses").unwrap()
    }

    /// How many real servers each address has.
    fn sets(&self) -> Vec<usize> {
        let sets = self.memory();
        sets.iter().map(|entry| Remembered::from(entry.unwrap().1).ids().count()).collect()
    }

    fn memory(&self) -> HashMap<MapData, Called, [u64; Remembered::WORDS]> {
        let pin = self.place.bpffs().join(format!("lvs/v{ABI_VERSION}/{}", name::REMEMBERED));
        HashMap::try_from(Map::HashMap(MapData::from_pin(pin).unwrap())).unwrap()
    }
}
