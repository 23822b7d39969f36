//! Firewall marks by the director's own rules, and the services that answer to them.

use std::net::SocketAddr;

use lvs_tests::rig::{
    Place, Rig,
    packet::{Packet, SYN},
    way::Way,
};

/// A client's packet to `to` and what becomes of it; each has a port of its own.
struct Caller {
    port: u16,
}

impl Caller {
    fn call(&mut self, rig: &mut Rig<'_>, protocol: &str, to: &str) -> Way {
        self.port += 1;
        let from = SocketAddr::from(([203, 0, 113, 9], self.port));
        let to = to.parse().unwrap();
        let packet = match protocol {
            "tcp" => Packet::tcp(from, to, SYN, b""),
            _ => Packet::udp(from, to, b"ask"),
        };
        let gone = rig.request(&packet).unwrap();
        assert_eq!(gone.wrong, None, "{packet}");
        gone.way
    }
}

fn at(address: &str) -> Way {
    Way::Forwarded(address.parse().unwrap())
}

fn type_in(rig: &mut Rig<'_>, lines: &[&str]) {
    for line in lines {
        rig.must(line).unwrap();
    }
}

#[test]
fn a_service_takes_the_packets_that_rules_give_its_mark() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    let mut caller = Caller { port: 1024 };
    type_in(
        &mut rig,
        &[
            "lvs-ctl mark add --protocol tcp --destination 198.18.4.0/24 --ports 80,443,8000-8100 1",
            "lvs-ctl mark add --destination 198.18.4.7 2",
            "lvs-ctl mark add --destination 198.19.0.0/16 --ports 53 2",
            "ipvsadm -A -f 1 -s rr",
            "ipvsadm -a -f 1 -r 192.168.2.11 -g",
            "ipvsadm -A -f 2 -s rr",
            "ipvsadm -a -f 2 -r 192.168.2.12 -g",
            "ipvsadm -a -f 2 -r 192.168.2.13:8080 -m",
        ],
    );
    for (protocol, to, way) in [
        ("tcp", "198.18.4.9:80", at("192.168.2.11:80")),
        ("tcp", "198.18.4.255:443", at("192.168.2.11:443")),
        ("tcp", "198.18.4.0:8050", at("192.168.2.11:8050")),
        ("tcp", "198.18.4.9:8101", Way::Passed),
        ("udp", "198.18.4.9:80", Way::Passed),
        ("tcp", "198.18.5.9:80", Way::Passed),
        // The longer prefix decides; NAT has a port of its own, DR keeps the packet's.
        ("tcp", "198.18.4.7:80", at("192.168.2.13:8080")),
        ("udp", "198.18.4.7:99", at("192.168.2.12:99")),
        // Of a prefix this long, every address is looked at.
        ("udp", "198.19.255.254:53", at("192.168.2.13:8080")),
        ("tcp", "198.19.255.254:54", Way::Passed),
    ] {
        assert_eq!(caller.call(&mut rig, protocol, to), way, "{protocol} {to}");
    }

    // A mark that no service answers to leaves the packet to the services of addresses.
    type_in(&mut rig, &["ipvsadm -D -f 2", "ipvsadm -A -t 198.18.4.7:80 -s rr"]);
    type_in(&mut rig, &["ipvsadm -a -t 198.18.4.7:80 -r 192.168.2.14 -g"]);
    assert_eq!(caller.call(&mut rig, "tcp", "198.18.4.7:80"), at("192.168.2.14:80"));
    // A rule may come after its service, and go before it.
    type_in(&mut rig, &["lvs-ctl mark add --protocol udp --destination 198.18.9.9 1"]);
    assert_eq!(caller.call(&mut rig, "udp", "198.18.9.9:1"), at("192.168.2.11:1"));
    type_in(&mut rig, &["lvs-ctl mark delete --protocol udp --destination 198.18.9.9 1"]);
    assert_eq!(caller.call(&mut rig, "udp", "198.18.9.9:1"), Way::Passed);
    // Without any service nothing is looked at; the rules wait for the next one.
    type_in(
        &mut rig,
        &["ipvsadm -C", "ipvsadm -A -f 1 -s rr", "ipvsadm -a -f 1 -r 192.168.2.11 -g"],
    );
    assert_eq!(caller.call(&mut rig, "tcp", "198.18.4.9:80"), at("192.168.2.11:80"));
}

#[test]
fn as_many_rules_as_there_is_room_for_are_looked_through() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    let mut caller = Caller { port: 1024 };
    let ports = |first: u16| {
        let ports = (first..first + 512).map(|port| port.to_string());
        ports.collect::<Vec<_>>().join(",")
    };
    let one = format!("--destination 198.18.4.0/24 --ports {}", ports(1));
    let other = format!("--destination 198.18.4.0/24 --ports {}", ports(10_001));
    type_in(
        &mut rig,
        &[
            &format!("lvs-ctl mark add {one} 1"),
            &format!("lvs-ctl mark add {other} 2"),
            "ipvsadm -A -f 1 -s rr",
            "ipvsadm -a -f 1 -r 192.168.2.11 -g",
            "ipvsadm -A -f 2 -s rr",
            "ipvsadm -a -f 2 -r 192.168.2.12 -g",
        ],
    );
    let refused = rig.type_in("lvs-ctl mark add --destination 198.18.5.5 3");
    assert!(refused.error.contains("no room for another mark rule, only for 1024"), "{refused:?}");
    for (port, way) in [
        (1, at("192.168.2.11:1")),
        (512, at("192.168.2.11:512")),
        (513, Way::Passed),
        (10_001, at("192.168.2.12:10001")),
        (10_512, at("192.168.2.12:10512")),
    ] {
        assert_eq!(caller.call(&mut rig, "udp", &format!("198.18.4.1:{port}")), way, "{port}");
    }
    // Each list is written beside the one before it.
    type_in(&mut rig, &[&format!("lvs-ctl mark delete {one} 1")]);
    assert_eq!(caller.call(&mut rig, "udp", "198.18.4.1:512"), Way::Passed);
    assert_eq!(caller.call(&mut rig, "udp", "198.18.4.1:10512"), at("192.168.2.12:10512"));
    type_in(&mut rig, &["lvs-ctl mark add --destination 198.18.4.2 1"]);
    assert_eq!(caller.call(&mut rig, "udp", "198.18.4.2:10512"), at("192.168.2.11:10512"));
    assert_eq!(caller.call(&mut rig, "udp", "198.18.4.1:10512"), at("192.168.2.12:10512"));
}
