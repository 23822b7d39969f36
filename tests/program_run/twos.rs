//! The power of two choices, as often as its formula says.

use std::net::{Ipv4Addr, SocketAddr};

use lvs_tests::rig::{
    Place, Rig,
    packet::{ACK, Packet, RST, SYN},
    way::Way,
};

const BUSY: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 12);
const IDLE: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 11);

#[test]
fn of_two_draws_the_less_loaded_is_taken() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 4096).unwrap();
    set_up(&mut rig);
    let mut port = 1024;
    let mut next = || {
        port += 1;
        port
    };
    // All to the newest, which is drawn two times of three: as many active connections as outweigh
    // everything that follows.
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.11:80 -g -w 0").unwrap();
    for _ in 0..10 {
        assert_eq!(reach(&mut rig, next(), false), Some(BUSY));
    }
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.11:80 -g -w 1").unwrap();
    let to_busy = (0..900).filter(|_| reach(&mut rig, next(), true) == Some(BUSY)).count();
    // Only when both draws fall on it, (2/3)^2: 400, give or take six times 15.
    assert!((310..490).contains(&to_busy), "{to_busy}");
}

#[test]
fn draws_are_in_the_ratio_of_the_weights() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 8192).unwrap();
    set_up(&mut rig);
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.12:80 -g -w 3").unwrap();
    let to_light =
        (0..2000).filter(|&port| reach(&mut rig, 1024 + port, true) == Some(IDLE)).count();
    // In the long run loads per weight are equal.
    assert!((450..550).contains(&to_light), "{to_light}");
}

#[test]
fn quiesced_and_overloaded_are_never_drawn() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 1024).unwrap();
    set_up(&mut rig);
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.12:80 -g -w 0").unwrap();
    for port in 2000..2100 {
        assert_eq!(reach(&mut rig, port, true), Some(IDLE));
    }
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.12:80 -g -w 1 -x 5").unwrap();
    rig.must("ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.11:80 -g -w 0").unwrap();
    let reached: Vec<_> = (3000..3010).map(|port| reach(&mut rig, port, false)).collect();
    let expected: Vec<_> = (0..10).map(|place| (place < 5).then_some(BUSY)).collect();
    assert_eq!(reached, expected);
}

/// Two real servers of weight 1, the busy one in front.
fn set_up(rig: &mut Rig<'_>) {
    for line in [
        "ipvsadm -A -t 192.168.4.5:80 -s twos",
        "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.11:80 -g -w 1",
        "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.12:80 -g -w 1",
    ] {
        rig.must(line).unwrap();
    }
}

/// The real server that a new client reaches; it may end its connection at once.
fn reach(rig: &mut Rig<'_>, port: u16, is_over: bool) -> Option<Ipv4Addr> {
    let client = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), port);
    let vip = "192.168.4.5:80".parse().unwrap();
    let gone = rig.request(&Packet::tcp(client, vip, SYN, b"")).unwrap();
    if is_over {
        rig.request(&Packet::tcp(client, vip, RST | ACK, b"")).unwrap();
    }
    match gone.way {
        Way::Forwarded(SocketAddr::V4(at)) => Some(*at.ip()),
        other => {
            assert_eq!(other, Way::Refused);
            None
        }
    }
}
