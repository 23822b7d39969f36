//! The addresses of interfaces (`RTM_GETADDR`), with their networks.

use std::{io, net::IpAddr};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{link, message::Message, socket::Requests};

const RTM_GETADDR: u16 = 22;
/// `struct ifaddrmsg`.
const FIXED: usize = 8;
const LENGTH: usize = 1;
const INDEX: usize = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// An address of its network; of a point-to-point interface the other end.
    pub network: IpAddr,
    /// How many leading bits the network's addresses share.
    pub length: u8,
}

/// All addresses here.
///
/// # Errors
/// The system's.
pub async fn all() -> io::Result<Vec<InterfaceAddress>> {
    let mut requests = Requests::open(NETLINK_ROUTE)?;
    let links = link::all(&mut requests).await?;
    let answers = requests.dump(Message::new(RTM_GETADDR, 0, &[0; FIXED])).await?;
    Ok(answers.iter().filter_map(|answer| read(answer, &links)).collect())
}

fn read(answer: &Message, links: &[link::Link]) -> Option<InterfaceAddress> {
    let attributes = answer.attributes(FIXED);
    let ip = |kind| attributes.get(kind).and_then(address);
    let network = ip(IFA_ADDRESS).or_else(|| ip(IFA_LOCAL))?;
    let index = answer.u32(INDEX);
    let interface = links.iter().find(|link| link.index == index)?.name.clone();
    let address = ip(IFA_LOCAL).unwrap_or(network);
    Some(InterfaceAddress { interface, address, network, length: answer.byte(LENGTH) })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from).ok();
    v4.or_else(|| <[u8; 16]>::try_from(octets).map(IpAddr::from).ok())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn every_host_has_the_loopback_s_network() {
        let all = all().await.unwrap();
        let wanted = InterfaceAddress {
            interface: "lo".to_owned(),
            address: Ipv4Addr::LOCALHOST.into(),
            network: Ipv4Addr::LOCALHOST.into(),
            length: 8,
        };
        assert!(all.contains(&wanted), "{all:?}");
    }
}
