//! An interface as rtnetlink describes it (`RTM_GETLINK`).

use std::io;

use super::{
    MacAddress,
    message::{Attributes, Message},
    socket::Requests,
};

const RTM_GETLINK: u16 = 18;
/// `struct ifinfomsg`.
const FIXED: usize = 16;
const TYPE: usize = 2;
const INDEX: usize = 4;
const FLAGS: usize = 8;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
const IFLA_IFALIAS: u16 = 20;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_TARGET_NETNSID: u16 = 46;
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFLA_PARENT_DEV_BUS_NAME: u16 = 57;
/// Leaves the counters out, which are two thirds of the answer.
const RTEXT_FILTER_SKIP_STATS: u32 = 8;

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const IFF_LOWER_UP: u32 = 1 << 16;
const ARPHRD_ETHER: u16 = 1;
/// Room for a name and the zero that ends it.
const IFNAMSIZ: usize = 16;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index in its network namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC, if it carries Ethernet frames.
    pub mac: Option<MacAddress>,
    /// Its MTU, in bytes from the IP header on.
    pub mtu: u32,
    /// Whether the operator has set it up.
    pub up: bool,
    /// Whether it is a loopback.
    pub loopback: bool,
    /// Whether it has a carrier (for a veth: whether its peer is up).
    pub carrier: bool,
    /// The kind of a virtual one, as `ip -d link` names it ("veth", "bridge", …).
    pub kind: Option<String>,
    /// Bus and name of the device behind a real one ("pci", "0000:00:03.0").
    pub device: Option<(String, String)>,
    /// The interface it stands on or, for a veth, its peer.
    pub lower: Option<Lower>,
    /// Of a VLAN's: the tag's ethertype and the VLAN's number.
    pub vlan: Option<(u16, u16)>,
    /// The interface that it is a port of, and that one's kind ("bond", "bridge").
    pub master: Option<(u32, String)>,
    /// The XDP program on it.
    pub xdp: Attached,
}

/// The interface that another one stands on, or a veth's peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lower {
    /// Its index, in its own network namespace.
    pub index: u32,
    /// Where it is.
    pub place: Place,
}

/// The network namespace of another interface, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The same.
    Here,
    /// Another, which has this id here.
    Known(u32),
    /// Another, which has no id here.
    Unknown,
}

/// Whether and how an XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// None is.
    No,
    /// In the driver.
    Native,
    /// In the stack.
    Generic,
    /// On the card.
    Offloaded,
    /// Several, in different modes.
    Several,
}

/// The interface of this name; `None` if there is none.
///
/// # Errors
/// The kernel's, other than that there is none.
pub async fn by_name(name: &str) -> io::Result<Option<Link>> {
    get_by_name(&mut Requests::open(netlink_sys::protocols::NETLINK_ROUTE)?, name).await
}

/// All interfaces of this network namespace.
pub(super) async fn all(requests: &mut Requests) -> io::Result<Vec<Link>> {
    let skip = RTEXT_FILTER_SKIP_STATS.to_ne_bytes();
    let question = Message::new(RTM_GETLINK, 0, &[0; FIXED]).with(IFLA_EXT_MASK, &skip);
    Ok(requests.dump(question).await?.iter().map(read).collect())
}

/// As [`by_name`], over an open socket.
pub(super) async fn get_by_name(requests: &mut Requests, name: &str) -> io::Result<Option<Link>> {
    if !(1..IFNAMSIZ).contains(&name.len()) {
        return Ok(None);
    }
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    get(requests, question(0).with(IFLA_IFNAME, &text)).await
}

/// What the interface of this name says of itself (`ip link set … alias`); `None` if there is none, and
/// nothing if it says nothing.
pub(super) async fn alias(requests: &mut Requests, name: &str) -> io::Result<Option<String>> {
    let question = question(0).with(IFLA_IFNAME, format!("{name}\0").as_bytes());
    match requests.ask(question).await {
        Ok(answers) => {
            let answer = answers.first();
            Ok(answer.map(|it| it.attributes(FIXED).string(IFLA_IFALIAS).unwrap_or_default()))
        }
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The interface of this index here.
pub(super) async fn get_by_index(requests: &mut Requests, index: u32) -> io::Result<Option<Link>> {
    get(requests, question(index)).await
}

/// The interface of this index in the network namespace that has this id here; needs
/// `CAP_NET_ADMIN` over there.
pub(super) async fn get_elsewhere(
    requests: &mut Requests,
    netns: u32,
    index: u32,
) -> io::Result<Option<Link>> {
    get(requests, question(index).with(IFLA_TARGET_NETNSID, &netns.to_ne_bytes())).await
}

async fn get(requests: &mut Requests, question: Message) -> io::Result<Option<Link>> {
    match requests.ask(question).await {
        Ok(answers) => Ok(answers.first().map(read)),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

fn question(index: u32) -> Message {
    let mut fixed = [0; FIXED];
    fixed[INDEX..][..4].copy_from_slice(&index.to_ne_bytes());
    let skip = RTEXT_FILTER_SKIP_STATS.to_ne_bytes();
    Message::new(RTM_GETLINK, 0, &fixed).with(IFLA_EXT_MASK, &skip)
}

fn read(answer: &Message) -> Link {
    let attributes = answer.attributes(FIXED);
    let ethernet = answer.u16(TYPE) == ARPHRD_ETHER;
    let flags = answer.u32(FLAGS);
    Link {
        index: answer.u32(INDEX),
        name: attributes.string(IFLA_IFNAME).unwrap_or_default(),
        mac: attributes.get(IFLA_ADDRESS).filter(|_| ethernet).and_then(|mac| mac.try_into().ok()),
        mtu: attributes.u32(IFLA_MTU).unwrap_or_default(),
        up: flags & IFF_UP != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        carrier: flags & IFF_LOWER_UP != 0,
        kind: attributes.inside(IFLA_LINKINFO).string(IFLA_INFO_KIND),
        device: attributes
            .string(IFLA_PARENT_DEV_BUS_NAME)
            .zip(attributes.string(IFLA_PARENT_DEV_NAME)),
        lower: lower(&attributes),
        vlan: vlan(&attributes.inside(IFLA_LINKINFO)),
        master: attributes
            .u32(IFLA_MASTER)
            .zip(attributes.inside(IFLA_LINKINFO).string(IFLA_INFO_SLAVE_KIND)),
        xdp: attached(attributes.inside(IFLA_XDP).byte(IFLA_XDP_ATTACHED)),
    }
}

fn vlan(info: &Attributes<'_>) -> Option<(u16, u16)> {
    if info.string(IFLA_INFO_KIND)? != "vlan" {
        return None;
    }
    let data = info.inside(IFLA_INFO_DATA);
    // Kernels before 3.10 knew of 802.1Q only, and did not say so.
    let ethertype = data.get(IFLA_VLAN_PROTOCOL);
    let ethertype = ethertype.and_then(|it| it.try_into().ok()).map_or(0x8100, u16::from_be_bytes);
    Some((ethertype, data.u16(IFLA_VLAN_ID)?))
}

fn lower(attributes: &Attributes<'_>) -> Option<Lower> {
    let index = attributes.u32(IFLA_LINK).filter(|&index| index != 0)?;
    let place = attributes
        .u32(IFLA_LINK_NETNSID)
        .map_or(Place::Here, |id| i32::try_from(id).map_or(Place::Unknown, |_| Place::Known(id)));
    Some(Lower { index, place })
}

/// `XDP_ATTACHED_*`.
const fn attached(mode: Option<u8>) -> Attached {
    match mode {
        None | Some(0) => Attached::No,
        Some(1) => Attached::Native,
        Some(2) => Attached::Generic,
        Some(3) => Attached::Offloaded,
        Some(_) => Attached::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::put_attribute;

    fn veth(netns: Option<i32>) -> Message {
        let mut fixed = [0; FIXED];
        fixed[TYPE..][..2].copy_from_slice(&ARPHRD_ETHER.to_ne_bytes());
        fixed[INDEX..][..4].copy_from_slice(&5_u32.to_ne_bytes());
        fixed[FLAGS..][..4].copy_from_slice(&(IFF_UP | IFF_LOWER_UP).to_ne_bytes());
        let (mut info, mut xdp) = (Vec::new(), Vec::new());
        put_attribute(&mut info, IFLA_INFO_KIND, b"veth\0");
        put_attribute(&mut xdp, IFLA_XDP_ATTACHED, &[1]);
        let message = Message::new(16, 0, &fixed)
            .with(IFLA_IFNAME, b"d0\0")
            .with(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1])
            .with(IFLA_MTU, &1500_u32.to_ne_bytes())
            .with(IFLA_LINK, &6_u32.to_ne_bytes())
            .with(IFLA_LINKINFO, &info)
            .with(IFLA_XDP, &xdp);
        match netns {
            Some(id) => message.with(IFLA_LINK_NETNSID, &id.to_ne_bytes()),
            None => message,
        }
    }

    #[test]
    fn a_link_is_read() {
        let expected = Link {
            index: 5,
            name: "d0".to_owned(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            up: true,
            loopback: false,
            carrier: true,
            kind: Some("veth".to_owned()),
            device: None,
            lower: Some(Lower { index: 6, place: Place::Here }),
            vlan: None,
            master: None,
            xdp: Attached::Native,
        };
        assert_eq!(read(&veth(None)), expected);
    }

    #[test]
    fn the_peer_is_elsewhere_when_a_namespace_is_named() {
        let place = |netns| read(&veth(netns)).lower.map(|lower| lower.place);
        assert_eq!(place(Some(0)), Some(Place::Known(0)));
        assert_eq!(place(Some(-1)), Some(Place::Unknown)); // NETNSA_NSID_NOT_ASSIGNED
    }

    #[test]
    fn a_vlan_tells_its_tag_and_what_it_stands_on() {
        let mut data = Vec::new();
        put_attribute(&mut data, IFLA_VLAN_ID, &200_u16.to_ne_bytes());
        put_attribute(&mut data, IFLA_VLAN_PROTOCOL, &0x88a8_u16.to_be_bytes());
        let mut info = Vec::new();
        put_attribute(&mut info, IFLA_INFO_KIND, b"vlan\0");
        put_attribute(&mut info, IFLA_INFO_DATA, &data);
        let link = Message::new(16, 0, &[0; FIXED])
            .with(IFLA_LINK, &6_u32.to_ne_bytes())
            .with(IFLA_LINKINFO, &info);
        let read = read(&link);
        assert_eq!(read.vlan, Some((0x88a8, 200)));
        assert_eq!(read.lower, Some(Lower { index: 6, place: Place::Here }));
        assert_eq!(read.master, None);
    }

    #[test]
    fn a_port_tells_its_master() {
        let mut info = Vec::new();
        put_attribute(&mut info, IFLA_INFO_SLAVE_KIND, b"bond\0");
        let link = Message::new(16, 0, &[0; FIXED])
            .with(IFLA_MASTER, &9_u32.to_ne_bytes())
            .with(IFLA_LINKINFO, &info);
        assert_eq!(read(&link).master, Some((9, "bond".to_owned())));
    }

    #[test]
    fn only_ethernet_has_a_mac() {
        let mut tunnel = veth(None);
        tunnel.body[TYPE..][..2].copy_from_slice(&768_u16.to_ne_bytes()); // ARPHRD_TUNNEL
        assert_eq!(read(&tunnel).mac, None);
    }
}
