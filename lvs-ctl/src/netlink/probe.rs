//! The device of health checks: a veth pair to whose first end the stand-ins of real servers are routed
//! ([`lvs_common::map::probe`]). It stays when the controller goes, and is taken over by the next one.

use std::{fs, io, net::IpAddr};

use lvs_common::{
    map::probe::{
        DEVICE, DEVICE_MAC, PEER, PREFIX_V4, PREFIX_V6, near_v4, near_v6, stand_in_v4, stand_in_v6,
    },
    net::Addr,
};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    MacAddress, addresses, link,
    message::{Message, NLM_F_CREATE, NLM_F_REPLACE, family, octets, put_attribute},
    offload::{self, Feature},
    socket::Requests,
};
use crate::model::StandIns;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_EXCL: u16 = 0x200;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_IFALIAS: u16 = 20;
const VETH_INFO_PEER: u16 = 1;
const IFF_UP: u32 = 1;
/// Nobody answers for a stand-in: all are reached by the device's own address.
const IFF_NOARP: u32 = 0x80;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_F_NODAD: u32 = 0x2;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PREFSRC: u16 = 7;
const RT_TABLE_MAIN: u8 = 254;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;
/// As of the neighbours that the resolver keeps.
const PROTOCOL: u8 = 76;

/// What fits, with the headers of any tunnel, through a link of 1500 bytes.
const MTU: u32 = 1400;

/// What our socket's packets need whole: the program sees each segment, with its checksum.
const FEATURES: [(Feature, bool); 5] = [
    ("tx-checksum-ip-generic", false),
    ("tx-checksum-sctp", false),
    ("tx-generic-segmentation", false),
    ("tx-tcp-segmentation", false),
    // A veth takes frames of native XDP only while its receiving end has NAPI, which this turns on.
    ("rx-gro", true),
];

/// The device, by the numbers of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The end that stand-ins are routed to.
    pub near: u32,
    /// The end that carries the program.
    pub far: u32,
}

/// Makes the device, or takes over the one that `owner` has made before, and routes the stand-ins to
/// it. One with other stand-ins is made anew.
///
/// # Errors
/// The kernel's; `AlreadyExists` if it is somebody else's.
pub async fn set_up(owner: &str, stand_ins: StandIns) -> io::Result<Device> {
    let mut requests = Requests::open(NETLINK_ROUTE)?;
    let near_ends = [Addr::v4(near_v4(stand_ins.v4())).ip(), near_v6(stand_ins.v6()).ip()];
    match link::alias(&mut requests, DEVICE).await? {
        None => make(&mut requests, owner).await?,
        Some(alias) if alias == mark(owner) => {
            if has_others(near_ends).await? {
                unmake(&mut requests).await?;
                make(&mut requests, owner).await?;
            }
        }
        Some(alias) => {
            let what = format!("{DEVICE} belongs to {alias:?}");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
    }
    let near = index(&mut requests, DEVICE).await?;
    let far = index(&mut requests, PEER).await?;
    quieten();
    for (feature, is_on) in FEATURES {
        offload::set(near, feature, is_on).await?;
    }
    raise(&mut requests, far, 0).await?;
    raise(&mut requests, near, IFF_NOARP).await?;
    let [near_v4, near_v6] = near_ends;
    let v4 = [near_v4, Addr::v4(stand_in_v4(stand_ins.v4(), 0)).ip()];
    direct(&mut requests, near, v4, PREFIX_V4).await?;
    let v6 = [near_v6, stand_in_v6(stand_ins.v6(), 0).ip()];
    if let Err(error) = direct(&mut requests, near, v6, PREFIX_V6).await {
        tracing::info!(%error, "no health checks of IPv6 services through their data path");
    }
    Ok(Device { near, far })
}

/// Removes the device if it is `owner`'s.
///
/// # Errors
/// The kernel's.
pub async fn remove(owner: &str) -> io::Result<()> {
    let mut requests = Requests::open(NETLINK_ROUTE)?;
    if link::alias(&mut requests, DEVICE).await? != Some(mark(owner)) {
        return Ok(());
    }
    unmake(&mut requests).await
}

/// What the device says of itself (`ip link` shows it).
fn mark(owner: &str) -> String {
    format!("health checks of {owner}")
}

/// Whether the device has another address than these.
async fn has_others(near_ends: [IpAddr; 2]) -> io::Result<bool> {
    let is_local = |address: IpAddr| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let all = addresses::all().await?;
    let mut own = all.iter().filter(|it| it.interface == DEVICE && !is_local(it.address));
    Ok(own.any(|it| !near_ends.contains(&it.address)))
}

async fn unmake(requests: &mut Requests) -> io::Result<()> {
    let index = index(requests, DEVICE).await?;
    requests.ask(Message::new(RTM_DELLINK, 0, &link_header(index, 0))).await.map(drop)
}

async fn index(requests: &mut Requests, name: &str) -> io::Result<u32> {
    let found = link::get_by_name(requests, name).await?;
    found.map(|link| link.index).ok_or_else(|| io::ErrorKind::NotFound.into())
}

async fn make(requests: &mut Requests, owner: &str) -> io::Result<()> {
    let near = DEVICE_MAC.bytes();
    let mut far = near;
    far[5] += 1;
    let mut peer = link_header(0, 0).to_vec();
    describe(&mut peer, PEER, far);
    let (mut data, mut info) = (Vec::new(), Vec::new());
    put_attribute(&mut data, VETH_INFO_PEER, &peer);
    put_attribute(&mut info, IFLA_INFO_KIND, b"veth\0");
    put_attribute(&mut info, IFLA_INFO_DATA, &data);
    let mut question = Message::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link_header(0, 0));
    describe(&mut question.body, DEVICE, near);
    requests.ask(question.with(IFLA_LINKINFO, &info)).await?;
    let index = index(requests, DEVICE).await?;
    let named = Message::new(RTM_NEWLINK, 0, &link_header(index, 0));
    requests.ask(named.with(IFLA_IFALIAS, mark(owner).as_bytes())).await.map(drop)
}

fn describe(body: &mut Vec<u8>, name: &str, mac: MacAddress) {
    put_attribute(body, IFLA_IFNAME, format!("{name}\0").as_bytes());
    put_attribute(body, IFLA_ADDRESS, &mac);
    put_attribute(body, IFLA_MTU, &MTU.to_ne_bytes());
}

/// Sets an end up.
async fn raise(requests: &mut Requests, index: u32, flags: u32) -> io::Result<()> {
    let question = Message::new(RTM_NEWLINK, 0, &link_header(index, IFF_UP | flags));
    requests.ask(question).await.map(drop)
}

/// `struct ifinfomsg`; the flags are those to be set.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&flags.to_ne_bytes());
    header
}

/// Gives the device its address and the network of the stand-ins.
async fn direct(
    requests: &mut Requests,
    index: u32,
    [near, network]: [IpAddr; 2],
    prefix: u8,
) -> io::Result<()> {
    let is_v4 = near.is_ipv4();
    // Of other packets it is never the source: of that scope, or deprecated.
    let scope = if is_v4 { RT_SCOPE_LINK } else { 0 };
    let flags = if is_v4 { 0 } else { IFA_F_NODAD | IFA_F_NOPREFIXROUTE };
    let mut header = vec![family(near), if is_v4 { 32 } else { 128 }, 0, scope];
    header.extend(index.to_ne_bytes());
    let mut address = Message::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header)
        .with(IFA_LOCAL, &octets(near))
        .with(IFA_ADDRESS, &octets(near))
        .with(IFA_FLAGS, &flags.to_ne_bytes());
    if !is_v4 {
        // `struct ifa_cacheinfo`: preferred for no time, valid for ever.
        let lifetimes = [0, u32::MAX, 0, 0].map(u32::to_ne_bytes).concat();
        address = address.with(IFA_CACHEINFO, &lifetimes);
    }
    requests.ask(address).await?;
    let mut header = vec![family(network), prefix, 0, 0, RT_TABLE_MAIN, PROTOCOL, scope];
    header.extend([RTN_UNICAST, 0, 0, 0, 0]);
    let route = Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header)
        .with(RTA_DST, &octets(network))
        .with(RTA_OIF, &index.to_ne_bytes())
        .with(RTA_PREFSRC, &octets(near));
    requests.ask(route).await.map(drop)
}

/// Neither end is to say anything by itself; where a setting cannot be made, the program drops it.
fn quieten() {
    let set = |path: String, value: &str| fs::write(format!("/proc/sys/net/{path}"), value).ok();
    set(format!("ipv6/conf/{PEER}/disable_ipv6"), "1");
    set(format!("ipv6/conf/{DEVICE}/addr_gen_mode"), "1");
    set(format!("ipv6/conf/{DEVICE}/accept_ra"), "0");
    // Answers come from where checks go.
    set(format!("ipv4/conf/{DEVICE}/rp_filter"), "0");
}
