//! What an interface does to frames by itself: offloads (`ethtool -k`) and XDP in its driver.

use std::io;

use super::{
    generic::{FIXED, Family},
    message::{Attributes, put_attribute},
};

const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;
const NLA_F_NESTED: u16 = 0x8000;

const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
const NETDEV_XDP_ACT_BASIC: u64 = 1;
const NETDEV_XDP_ACT_NDO_XMIT: u64 = 4;

/// A feature, as `netdev_features_strings` and `ethtool -k` name it.
pub(super) type Feature = &'static str;

/// The offloads that decide whether frames survive native XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offloads {
    /// `generic-receive-offload`; on a veth it also turns NAPI on.
    pub gro: bool,
    /// `tx-checksumming`, for any protocol: frames leave it with unfinished checksums.
    pub tx_checksum: bool,
}

/// What an interface can do for XDP at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures {
    /// Its driver runs programs.
    pub native: bool,
    /// It takes frames that a native program elsewhere redirects to it. A veth does only while its
    /// peer has NAPI, some cards only while they carry a program themselves.
    pub takes_redirects: bool,
}

/// The offloads of an interface of this network namespace.
///
/// # Errors
/// The kernel's; `NotFound` without ethtool's netlink family (before 5.6).
pub async fn offloads(interface: u32) -> io::Result<Offloads> {
    let mut header = Vec::new();
    put_attribute(&mut header, ETHTOOL_A_HEADER_DEV_INDEX, &interface.to_ne_bytes());
    let mut ethtool = Family::open("ethtool").await?;
    let kind = ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED;
    let answer = ethtool.ask(ETHTOOL_MSG_FEATURES_GET, kind, &header).await?;
    Ok(read_active(&answer.attributes(FIXED).inside(ETHTOOL_A_FEATURES_ACTIVE)))
}

/// Turns a feature of an interface on or off.
pub(super) async fn set(interface: u32, feature: Feature, is_on: bool) -> io::Result<()> {
    let (mut header, mut bit, mut bits, mut set) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    put_attribute(&mut header, ETHTOOL_A_HEADER_DEV_INDEX, &interface.to_ne_bytes());
    put_attribute(&mut bit, ETHTOOL_A_BITSET_BIT_NAME, format!("{feature}\0").as_bytes());
    if is_on {
        put_attribute(&mut bit, ETHTOOL_A_BITSET_BIT_VALUE, &[]);
    }
    put_attribute(&mut bits, ETHTOOL_A_BITSET_BIT | NLA_F_NESTED, &bit);
    put_attribute(&mut set, ETHTOOL_A_BITSET_BITS | NLA_F_NESTED, &bits);
    let attributes: [(u16, &[u8]); 2] = [
        (ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED, &header),
        (ETHTOOL_A_FEATURES_WANTED | NLA_F_NESTED, &set),
    ];
    let mut ethtool = Family::open("ethtool").await?;
    ethtool.ask_all(ETHTOOL_MSG_FEATURES_SET, &attributes).await.map(drop)
}

/// What an interface of this network namespace can do for XDP.
///
/// # Errors
/// The kernel's; `NotFound` without the `netdev` family (before 6.3).
pub async fn xdp_features(interface: u32) -> io::Result<XdpFeatures> {
    let mut netdev = Family::open("netdev").await?;
    let index = interface.to_ne_bytes();
    let answer = netdev.ask(NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index).await?;
    let bits = answer.attributes(FIXED).u64(NETDEV_A_DEV_XDP_FEATURES).unwrap_or_default();
    Ok(XdpFeatures {
        native: bits & NETDEV_XDP_ACT_BASIC != 0,
        takes_redirects: bits & NETDEV_XDP_ACT_NDO_XMIT != 0,
    })
}

/// Reads the set of active features: a list, by name.
fn read_active(set: &Attributes<'_>) -> Offloads {
    let bits = set.inside(ETHTOOL_A_BITSET_BITS);
    let names = || {
        bits.clone()
            .filter_map(|(_, bit)| Attributes::nested(bit).string(ETHTOOL_A_BITSET_BIT_NAME))
    };
    // netdev_features_strings: what `ethtool -K IF tx` covers, but for FCoE.
    let tx_checksums =
        ["tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic", "tx-checksum-sctp"];
    Offloads {
        gro: names().any(|name| name == "rx-gro"),
        tx_checksum: names().any(|name| tx_checksums.contains(&name.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(names: &[&str]) -> Offloads {
        let (mut bits, mut set) = (Vec::new(), Vec::new());
        for name in names {
            let mut bit = Vec::new();
            put_attribute(&mut bit, ETHTOOL_A_BITSET_BIT_NAME, format!("{name}\0").as_bytes());
            put_attribute(&mut bits, 1 | NLA_F_NESTED, &bit);
        }
        put_attribute(&mut set, 1, &[]);
        put_attribute(&mut set, ETHTOOL_A_BITSET_BITS | NLA_F_NESTED, &bits);
        read_active(&Attributes::nested(&set))
    }

    #[test]
    fn features_are_known_by_name() {
        assert_eq!(active(&[]), Offloads { gro: false, tx_checksum: false });
        assert_eq!(
            active(&["highdma", "rx-gro", "tx-checksum-ip-generic"]),
            Offloads { gro: true, tx_checksum: true }
        );
        assert_eq!(
            active(&["rx-gro-hw", "rx-gro-list", "tx-checksum-fcoe-crc", "rx-checksum"]),
            Offloads { gro: false, tx_checksum: false }
        );
    }
}
