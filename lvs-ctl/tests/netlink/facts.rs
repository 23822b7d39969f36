//! The facts of real interfaces, and the XDP mode that follows from them.

use std::fs;

use lvs_ctl::netlink::{
    facts::{self, LinkFacts, PeerFacts},
    link::{self, Attached, Place},
    mode::{self, Mode},
    offload::Offloads,
    sysctl::Sysctl,
};

use crate::lab::in_lab;

#[test]
fn a_link_is_described() {
    in_lab(async |lab| {
        let d0 = link::by_name("d0").await.unwrap().unwrap();
        assert_eq!((d0.name.as_str(), d0.kind.as_deref(), d0.mtu), ("d0", Some("veth"), 1500));
        assert!(d0.up && d0.carrier && d0.mac.is_some() && d0.xdp == Attached::No);
        lab.far("link set r0 down");
        assert!(!link::by_name("d0").await.unwrap().unwrap().carrier);
        for name in ["nothing", "", "a name longer than any interface's"] {
            assert_eq!(link::by_name(name).await.unwrap(), None, "{name:?}");
        }
        assert_eq!(link::by_name("lo").await.unwrap().unwrap().mac, None);
    });
}

#[test]
fn a_veth_in_one_namespace_goes_native_when_its_peer_is_ready() {
    in_lab(async |lab| {
        lab.director("link add v0 type veth peer name v1");
        lab.director("link set v0 up");
        lab.director("link set v1 up");
        let (facts, peer) = gather("v0").await;
        let peer = peer.unwrap();
        assert_eq!((peer.name.as_deref(), peer.place), (Some("v1"), Place::Here));
        assert_eq!(peer.offloads, Some(Offloads { gro: false, tx_checksum: true }));
        let (mode, why) = mode::choose(&facts, Some(&peer));
        assert_eq!(mode, Mode::Generic);
        assert!(mode::loses_redirects(&facts, Some(&peer)).is_some_and(|it| it.contains("v1")));

        // What the reason tells the operator to type.
        let (_, command) = why.split_once("ethtool ").expect("a command");
        lab.ethtool(command);
        let (facts, peer) = gather("v0").await;
        let peer = peer.unwrap();
        assert_eq!(peer.offloads, Some(Offloads { gro: true, tx_checksum: false }));
        assert_eq!(mode::choose(&facts, Some(&peer)).0, Mode::Native);
        assert_eq!(mode::loses_redirects(&facts, Some(&peer)), None);
    });
}

#[test]
fn a_veth_into_another_namespace_is_generic() {
    in_lab(async |lab| {
        lab.director("link add v0 type veth peer name v1");
        lab.ethtool("-K v1 gro on tx off");
        lab.send_away("v1");
        lab.far("link set v1 up");
        lab.director("link set v0 up");
        let (facts, peer) = gather("v0").await;
        let peer = peer.unwrap();
        assert_ne!(peer.place, Place::Here);
        assert_eq!(peer.offloads, None);
        let (mode, why) = mode::choose(&facts, Some(&peer));
        assert_eq!(mode, Mode::Generic);
        assert!(why.contains("another network namespace") && !why.contains("GRO"), "{why}");
        assert!(why.contains("ethtool -K v1 gro on tx off over there"), "{why}");

        let (facts, peer) = gather("d0").await;
        let (mode, why) = mode::choose(&facts, peer.as_ref());
        assert_eq!(mode, Mode::Generic);
        assert!(why.contains("(its GRO is off)"), "{why}");
    });
}

#[test]
fn a_bridge_and_what_stands_on_a_link_are_generic() {
    in_lab(async |lab| {
        lab.director("link add br9 type bridge");
        lab.director("link add vx9 type vxlan id 9 dstport 4789");
        lab.director("link add link d0 name mv9 type macvlan");
        for name in ["br9", "vx9", "mv9", "lo"] {
            let (facts, peer) = gather(name).await;
            assert_eq!(peer, None, "{name}");
            assert_eq!(mode::choose(&facts, None).0, Mode::Generic, "{name}");
        }
        let (overlay, _) = gather("vx9").await;
        assert!(mode::loses_redirects(&overlay, None).is_some());
    });
}

#[test]
fn settings_are_those_of_the_directors_namespace() {
    in_lab(async |_| {
        let sysctl = Sysctl::default();
        fs::write("/proc/sys/net/ipv4/conf/d0/rp_filter", "1").unwrap();
        fs::write("/proc/sys/net/ipv4/conf/d0/forwarding", "0").unwrap();
        assert_eq!(sysctl.settings("d0").unwrap().rp_filter, 1);
        assert_eq!(sysctl.settings("d0").unwrap().nat_warnings("d0", false).len(), 2);

        let saved = sysctl.accept_local("d0").unwrap().unwrap();
        assert!(sysctl.settings("d0").unwrap().accept_local);
        sysctl.restore(&saved).unwrap();
        assert!(!sysctl.settings("d0").unwrap().accept_local);
    });
}

/// An interface with a real driver, if this machine has one: there is none to be made.
#[test]
fn a_card_names_its_driver_as_sysfs_does() {
    for entry in fs::read_dir("/sys/class/net").unwrap() {
        let entry = entry.unwrap();
        let Ok(driver) = fs::read_link(entry.path().join("device/driver")) else { continue };
        let name = entry.file_name().into_string().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (facts, _) = runtime.block_on(gather(&name));
        let driver = driver.file_name().unwrap().to_str();
        assert_eq!(facts.driver.as_deref(), driver, "{name}");
    }
}

async fn gather(name: &str) -> (LinkFacts, Option<PeerFacts>) {
    facts::gather(name).await.expect("the kernel answers").expect("the interface is there")
}
