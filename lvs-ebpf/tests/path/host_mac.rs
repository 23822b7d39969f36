//! Whose a frame is: one for another host opens no connection here.

use lvs_common::{
    map::Method,
    net::Mac,
    verdict::{Reason, Verdict},
};

use crate::{
    director::FORWARDED,
    frame::{ACK, SYN, frame},
    layout::{CLIENT, CLIENT_MAC, DIRECTOR_MAC, VIP, director},
};

const NOT_HOST: Verdict = Verdict::Pass(Reason::NotHost);

#[test]
fn only_what_is_sent_to_a_mac_of_the_hosts_begins_a_connection() {
    const OTHERS: [[u8; 6]; 3] = [[2, 0, 0, 0, 0, 0x99], [0xff; 6], [0x01, 0, 0x5e, 0, 0, 1]];
    let syn = frame(CLIENT, VIP).tcp(SYN);
    for method in [Method::DIRECT_ROUTE, Method::MASQ, Method::TUNNEL] {
        let mut director = director(method);
        director.tables.maps.macs = [DIRECTOR_MAC].into();
        for other in OTHERS {
            let flooded = syn.clone().macs(CLIENT_MAC, Mac::new(other));
            director.receives(&flooded).is(NOT_HOST).carries(&flooded);
        }
        assert_eq!(director.tables.conns().entries().count(), 0);
        director.receives(&syn).is(FORWARDED);
    }
}

#[test]
fn the_packets_of_a_connection_are_not_compared() {
    let mut director = director(Method::DIRECT_ROUTE);
    director.tables.maps.macs = [DIRECTOR_MAC].into();
    director.receives(&frame(CLIENT, VIP).tcp(SYN)).is(FORWARDED);
    let flooded = frame(CLIENT, VIP).tcp(ACK).macs(CLIENT_MAC, Mac::new([2, 0, 0, 0, 0, 0x99]));
    director.receives(&flooded).is(FORWARDED);
}
