//! What differs between the families of the Internet Protocol. A family is known by the type of its
//! addresses.

mod v4;
mod v6;

use core::fmt::Debug;

use lvs_common::{
    map::{Family, Tunables},
    net::{Addr, Be16, Be32, checksum::Edit},
    verdict::Verdict,
    wire::{Ethernet, Frame},
};

/// Offset of the IP header: behind an untagged Ethernet header.
pub(crate) const NETWORK: usize = size_of::<Ethernet>();

/// An address of a family, as it lies in a packet.
pub trait Ip: Copy + Eq + Debug {
    /// The family, as service keys tell it.
    const FAMILY: Family;
    /// What an Ethernet header says of it.
    const ETHERTYPE: Be16;
    /// Its header has a checksum, and so sums to nothing.
    const IS_SUMMED: bool;
    /// What an IP header says of it when it carries such a packet.
    const CARRIED: u8;
    /// Whether every UDP datagram has a checksum.
    const UDP_IS_SUMMED: bool;
    /// The number of its ICMP.
    const ICMP: u8;
    /// Bytes of a header without options.
    const BYTES: u16;
    /// Type and code of ICMP errors: nobody waits at the port,
    const PORT_UNREACHABLE: (u8, u8);
    /// its time to live has ended on the way,
    const TIME_EXCEEDED: (u8, u8);
    /// it does not fit the next link; what would, is told.
    const TOO_LONG: (u8, u8);
    /// The least MTU that a router is believed, bytes.
    const LEAST_MTU: u32;
    /// What of such an error's second word is the MTU.
    const MTU_BITS: u32;
    /// Bytes that fragments have for being some, which a whole datagram has not.
    const FRAGMENT_BYTES: u64;
    /// Types of its echo: request and reply.
    const ECHO: (u8, u8);
    /// Bytes that an ICMP error has at most, its IP header included.
    const ERROR_BYTES: u16;

    /// What the IP header says.
    ///
    /// # Errors
    /// It contradicts itself or the frame, or is a fragment's.
    fn header<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict>;
    /// The same of a packet whose payload follows its header at once; extension headers are taken for
    /// a payload.
    ///
    /// # Errors
    /// As above.
    #[inline(always)]
    fn plain<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict> {
        Self::header(frame)
    }
    /// What the IP header says of a fragment.
    ///
    /// # Errors
    /// It contradicts itself or the frame, or is no fragment's.
    fn fragment<F: Frame>(frame: &F) -> Result<Fragment<Self>, Verdict>;
    /// What the IP header says of a whole packet or a first fragment, and whether it is one.
    ///
    /// # Errors
    /// It contradicts itself or the frame, or is a later fragment's.
    fn beginning<F: Frame>(frame: &F) -> Result<(Header<Self>, bool), Verdict>;
    /// What the IP header at an offset says, of a packet that an ICMP error quotes the beginning of; none
    /// if it says nothing about ports.
    fn quoted<F: Frame>(frame: &F, at: usize) -> Option<Header<Self>>;
    /// One hop less to live, which must leave some.
    ///
    /// # Errors
    /// It does not.
    fn age<F: Frame>(frame: &mut F) -> Result<(), Verdict>;
    /// What a tunnel's outer header, or an ICMP error, takes over from the header at an offset.
    ///
    /// # Errors
    /// The frame has no such header.
    fn carried<F: Frame>(frame: &F, at: usize) -> Result<Carried, Verdict>;
    /// Writes a whole header without options, and its checksum.
    ///
    /// # Errors
    /// The frame has no room for it.
    fn write<F: Frame>(frame: &mut F, head: &Head<Self>) -> Result<(), Verdict>;
    /// Writes an address into the header; `edit` is what that does to sums.
    ///
    /// # Errors
    /// The frame has no such header.
    fn readdress<F: Frame>(self, frame: &mut F, end: End, edit: Edit) -> Result<(), Verdict> {
        self.readdress_at(frame, NETWORK, end, edit)
    }
    /// The same in the header at an offset.
    ///
    /// # Errors
    /// The frame has no such header.
    fn readdress_at<F: Frame>(
        self,
        frame: &mut F,
        at: usize,
        end: End,
        edit: Edit,
    ) -> Result<(), Verdict>;
    /// Whether an ICMP message of this type is an error.
    fn is_error(kind: u8) -> bool;
    /// Whether routers may cut the packet into fragments.
    #[inline(always)]
    #[must_use]
    fn may_be_cut(carried: Carried) -> bool {
        !carried.dont_fragment
    }
    /// Whether a packet may come from it, and be answered.
    #[must_use]
    fn is_unicast(self) -> bool;
    /// The type of service, or traffic class, of an error about a packet with this one.
    fn error_tos(tos: u8) -> u8;
    /// What edits of an ICMP error's own addresses and of those that it quotes do to its checksum.
    fn icmp_edit(outer: Edit, quoted: Edit) -> Edit;
    /// What goes into its checksum beside the message.
    fn icmp_pseudo(source: Self, destination: Self, length: u16) -> u16;
    /// What a change of addresses does to sums over them.
    fn edit(before: Self, after: Self) -> Edit;
    /// The sum over the pseudo-header, folded, not complemented.
    fn pseudo(source: Self, destination: Self, protocol: u8, length: u16) -> u16;

    /// The real server's slot that the address stands in for; see [`probe`](lvs_common::map::probe).
    fn slot(self, tunables: &Tunables) -> Option<u32>;

    /// As maps have it.
    fn wide(self) -> Addr;
    /// From how maps have it.
    fn narrow(address: Addr) -> Self;
    /// Folded to four bytes.
    fn fold(self) -> Be32;
    /// What all clients that share a template have in common; see
    /// [`Service::netmask`](lvs_common::map::Service::netmask).
    #[must_use]
    fn masked(self, netmask: u32) -> Self;
}

/// Whether a frame carries an untagged packet of this family.
#[inline(always)]
pub fn is_of<A: Ip, F: Frame>(frame: &F) -> bool {
    frame.at::<Ethernet>(0).is_some_and(|ethernet| ethernet.ethertype == A::ETHERTYPE)
}

/// What an IP header says.
#[derive(Clone, Copy, Debug)]
pub struct Header<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Header and payload, bytes.
    pub bytes: u16,
    /// Offset of the payload in the frame, bytes.
    pub payload: usize,
}

/// What an IP header says of a fragment.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// What is said to follow in the first fragment.
    pub protocol: u8,
    /// What tells datagrams between the two ends apart.
    pub key: (Be32, u8),
    /// Header and data, bytes.
    pub bytes: u16,
    /// Where its part of the datagram begins, bytes.
    pub start: u16,
    /// Whether more fragments follow.
    pub has_more: bool,
    /// Offset of its part in the frame, bytes.
    pub at: usize,
}

impl<A: Ip> Fragment<A> {
    /// The header of the datagram that a first fragment begins.
    #[inline(always)]
    pub(crate) fn header(&self) -> Header<A> {
        Header {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            bytes: self.bytes,
            payload: self.at,
        }
    }
}

/// What a new IP header says.
#[derive(Clone, Copy, Debug)]
pub struct Head<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Header and payload, bytes.
    pub bytes: u16,
    /// The rest.
    pub carried: Carried,
}

/// What a tunnel's outer header takes over from the packet that it carries.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Hops that it has left.
    pub ttl: u8,
    /// Whether it may not be cut into fragments.
    pub dont_fragment: bool,
    /// Identification of its fragments; 0 if it has none.
    pub id: Be16,
}

/// The end of a packet that is rewritten.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}
