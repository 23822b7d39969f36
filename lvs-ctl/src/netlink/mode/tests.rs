use super::*;
use crate::netlink::{
    link::{Attached, Link, Lower},
    offload::Offloads,
};

fn interface(kind: Option<&str>, driver: Option<&str>) -> LinkFacts {
    let link = Link {
        index: 5,
        name: "d0".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        mtu: 1500,
        up: true,
        loopback: false,
        carrier: true,
        kind: kind.map(str::to_owned),
        device: None,
        lower: Some(Lower { index: 6, place: Place::Here }),
        vlan: None,
        master: None,
        xdp: Attached::No,
    };
    LinkFacts { link, driver: driver.map(str::to_owned), bond: None, xdp: None }
}

fn with_features(facts: LinkFacts, native: bool, takes_redirects: bool) -> LinkFacts {
    LinkFacts { xdp: Some(XdpFeatures { native, takes_redirects }), ..facts }
}

fn peer(gro: bool, tx_checksum: bool, native_xdp: bool) -> PeerFacts {
    PeerFacts {
        name: Some("p0".to_owned()),
        place: Place::Here,
        native_xdp: Some(native_xdp),
        offloads: Some(Offloads { gro, tx_checksum }),
    }
}

fn elsewhere() -> PeerFacts {
    PeerFacts { name: None, place: Place::Unknown, native_xdp: None, offloads: None }
}

/// The mode, and a piece of the reason.
fn check(facts: &LinkFacts, peer: Option<&PeerFacts>, mode: Mode, piece: &str) {
    let (chosen, why) = choose(facts, peer);
    assert_eq!(chosen, mode, "{why}");
    assert!(why.contains(piece), "{why:?} does not say {piece:?}");
}

#[test]
fn a_veth_goes_native_only_with_napi_and_finished_checksums() {
    let veth = interface(Some("veth"), None);
    check(&veth, Some(&peer(true, false, false)), Mode::Native, "NAPI on");
    check(&veth, Some(&peer(false, false, true)), Mode::Native, "NAPI on");
    check(&veth, Some(&peer(false, true, false)), Mode::Generic, "ethtool -K p0 gro on tx off");
    check(&veth, Some(&peer(true, true, false)), Mode::Generic, "ethtool -K p0 tx off");
    check(&veth, Some(&peer(false, true, true)), Mode::Generic, "ethtool -K p0 tx off");
    check(&veth, Some(&peer(false, false, false)), Mode::Generic, "ethtool -K p0 gro on");
}

#[test]
fn a_veth_with_an_unseen_peer_is_generic_and_says_what_to_type() {
    let veth = interface(Some("veth"), None);
    check(
        &veth,
        Some(&elsewhere()),
        Mode::Generic,
        "in another network namespace; to go native: ethtool -K PEER gro on tx off over there, \
         then --mode native",
    );
    let named = PeerFacts { name: Some("lxc7".to_owned()), ..elsewhere() };
    check(&veth, Some(&named), Mode::Generic, "ethtool -K lxc7 gro on tx off");
    let unreadable = PeerFacts { offloads: None, ..peer(true, false, true) };
    check(&veth, Some(&unreadable), Mode::Generic, "cannot be read");
}

#[test]
fn napi_of_an_unseen_peer_is_told_by_our_own_end() {
    let veth = with_features(interface(Some("veth"), None), true, false);
    check(&veth, Some(&elsewhere()), Mode::Generic, "(its GRO is off)");
}

#[test]
fn a_card_goes_native_unless_its_driver_is_known_not_to() {
    for driver in ["virtio_net", "mlx5_core", "i40e", "ixgbe", "ice", "ena"] {
        check(&interface(None, Some(driver)), None, Mode::Native, driver);
    }
    let card = interface(None, Some("e1000"));
    check(&with_features(card.clone(), false, false), None, Mode::Generic, "e1000 does not run");
    check(&with_features(card, true, false), None, Mode::Native, "e1000 runs XDP");
}

#[test]
fn virtual_interfaces_without_a_driver_are_generic() {
    for kind in ["bridge", "vlan", "macvlan", "dummy", "vxlan", "ifb", "netkit", "team", "vrf"] {
        check(&interface(Some(kind), None), None, Mode::Generic, kind);
        let told = with_features(interface(Some(kind), None), false, false);
        check(&told, None, Mode::Generic, kind);
    }
}

#[test]
fn a_bond_goes_native_where_its_ports_do() {
    let bond = interface(Some("bond"), None);
    check(&bond, None, Mode::Native, "ports");
    check(&with_features(bond, false, false), None, Mode::Generic, "not every port");
}

#[test]
fn a_tap_stays_generic_though_its_driver_runs_xdp() {
    let tap = with_features(interface(Some("tun"), None), true, true);
    check(&tap, None, Mode::Generic, "unfinished checksums");
}

#[test]
fn a_device_without_frames_says_so() {
    let mut wireguard = interface(Some("wireguard"), None);
    wireguard.link.mac = None;
    check(&wireguard, None, Mode::Generic, "no Ethernet interface");
}

#[test]
fn a_refusal_names_the_driver_and_its_reason() {
    let (mode, why) = refused(&interface(None, Some("ena")), &"Operation not supported");
    assert_eq!(mode, Mode::Generic);
    assert_eq!(why, "ena refuses native XDP: Operation not supported");
}

#[test]
fn an_interface_that_takes_no_redirects_is_named() {
    let veth = interface(Some("veth"), None);
    assert_eq!(loses_redirects(&veth, None), None);
    let off = with_features(veth.clone(), true, false);
    let why = loses_redirects(&off, Some(&peer(false, true, false))).unwrap();
    assert!(why.ends_with("ethtool -K p0 gro on"), "{why}");
    assert_eq!(loses_redirects(&with_features(veth, true, true), None), None);
    let vlan = with_features(interface(Some("vlan"), None), false, false);
    assert!(loses_redirects(&vlan, None).unwrap().contains("--mode generic"));
}
