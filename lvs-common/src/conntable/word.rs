//! The four words of a connection, and where they lie in a bucket.
//!
//! | word | bits 0–31 | 32–47 | 48– |
//! | --- | --- | --- | --- |
//! | w0 | client address | client port | protocol:2, phase:2, state:4, generation:8 |
//! | w1 | virtual address | virtual port | dest, low 16 bits |
//! | w2 | expiry, ticks | packets | dest, high 12 bits; method:3, keeps its port:1 |
//! | w3 | real server's address | its port | flags:16 |
//!
//! A persistence template has the protocol's number for a client port, and in w3 its lifetime in ticks
//! for the real server's address.
//!
//! Addresses and ports are as they lie in a packet. A bucket is four cache lines: w0 of ways 0 to 7;
//! two lines of (w1, w2) pairs; w3 of ways 0 to 7, which only NAT reads.

use super::Bucket;
use crate::{
    map::Method,
    net::{Be16, Be32, protocol},
    tcp_state::State,
};

/// Connections in a bucket.
pub const WAYS: usize = 8;
/// Words of a connection.
pub const WORDS: usize = 4;

/// Of w0: the client: address, port and protocol.
pub const CLIENT: u64 = (1 << 50) - 1;
/// Of w0: whose the slot is.
pub const PHASE: u64 = 3 << 50;
/// A free slot.
pub const EMPTY: u64 = 0;
/// A CPU is filling the slot.
pub const CLAIMED: u64 = 1 << 50;
/// The claim has lost against another one; its owner will free the slot.
pub const KILLED: u64 = 2 << 50;
/// A connection.
pub const LIVE: u64 = 3 << 50;
/// Of w0: the connection's state.
pub const STATE: u64 = 15 << STATE_AT;
/// Of w0: how often the slot changed hands.
pub const GENERATION: u64 = 0xff << GENERATION_AT;
/// Of w1 and w3: an address and a port.
pub const ENDPOINT: u64 = (1 << 48) - 1;

pub(super) const STATE_AT: u32 = 52;
pub(super) const GENERATION_AT: u32 = 56;

/// w0's code of TCP.
pub const TCP: u64 = 0;
/// w0's code of UDP.
pub const UDP: u64 = 1;
/// w0's code of SCTP.
pub const SCTP: u64 = 2;
/// w0's code of a persistence template.
pub const TEMPLATE: u64 = 3;

/// Of w3: the connection was sent where a template says.
pub const TEMPLATED: u64 = 1 << 48;

/// Who a connection is between, as a request shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Client address, port, protocol: w0's part.
    pub client: u64,
    /// Virtual address and port: w1's part.
    pub virtual_end: u64,
}

/// The words of a connection, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Client, phase, state, generation.
    pub w0: u64,
    /// Virtual end, dest.
    pub w1: u64,
    /// Expiry, packets, dest, method.
    pub w2: u64,
}

impl Key {
    /// The key of a connection of `protocol`, one of this module's codes.
    #[inline(always)]
    #[must_use]
    pub const fn new(protocol: u64, caddr: Be32, cport: Be16, vaddr: Be32, vport: Be16) -> Self {
        Self { client: end(caddr, cport) | protocol << 48, virtual_end: end(vaddr, vport) }
    }
}

impl Entry {
    /// The connection in a way of a bucket, if there is one.
    pub fn read<B: Bucket>(bucket: B, way: usize) -> Option<Self> {
        let w0 = bucket.load(at(way, 0));
        let entry = Self { w0, w1: bucket.load(at(way, 1)), w2: bucket.load(at(way, 2)) };
        (w0 & PHASE == LIVE && same_connection(bucket.load(at(way, 0)), w0)).then_some(entry)
    }

    /// Slot of the real server.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "28 bits")]
    pub const fn dest(&self) -> u32 {
        (self.w1 >> 48 | self.w2 >> 48 << 16 & 0x0fff_0000) as u32
    }

    /// The forwarding method that the connection began with.
    #[inline(always)]
    #[must_use]
    pub const fn method(&self) -> Method {
        Method((self.w2 >> 60 & 7) as u8)
    }

    /// Whether NAT leaves the port as it is, whatever port the real server has.
    #[inline(always)]
    #[must_use]
    pub const fn keeps_port(&self) -> bool {
        self.w2 >> 63 != 0
    }

    /// The state.
    #[inline(always)]
    #[must_use]
    pub const fn state(&self) -> State {
        State::from_number(state_number(self.w0))
    }

    /// When it ends, ticks.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    pub const fn expires(&self) -> u32 {
        self.w2 as u32
    }

    /// Whether its time is up.
    #[inline(always)]
    #[must_use]
    pub const fn is_expired(&self, now: u32) -> bool {
        now.wrapping_sub(self.expires()) < 1 << 31
    }

    /// One of this module's protocol codes.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u64 {
        self.w0 >> 48 & 3
    }

    /// Client address and port.
    #[inline(always)]
    #[must_use]
    pub const fn client(&self) -> (Be32, Be16) {
        split(self.w0)
    }

    /// Virtual address and port.
    #[inline(always)]
    #[must_use]
    pub const fn virtual_end(&self) -> (Be32, Be16) {
        split(self.w1)
    }

    /// The whole key.
    #[must_use]
    pub const fn key(&self) -> Key {
        Key { client: self.w0 & CLIENT, virtual_end: self.w1 & ENDPOINT }
    }
}

/// The number of the state in w0: 16 and above in SCTP.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "five bits")]
pub(super) const fn state_number(w0: u64) -> u8 {
    let is_sctp = w0 >> 49 & !(w0 >> 48) & 1;
    (w0 >> STATE_AT & 15 | is_sctp << 4) as u8
}

/// The protocol number of one of this module's codes of connections.
#[must_use]
pub const fn protocol_number(code: u64) -> u8 {
    match code {
        UDP => protocol::UDP,
        SCTP => protocol::SCTP,
        _ => protocol::TCP,
    }
}

/// An address and a port as the low 48 bits of a word.
#[inline(always)]
#[must_use]
pub const fn end(address: Be32, port: Be16) -> u64 {
    address.raw() as u64 | (port.raw() as u64) << 32
}

/// The inverse of [`end`]; the bits above do not matter.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "takes the word apart")]
pub const fn split(word: u64) -> (Be32, Be16) {
    (Be32::from_raw(word as u32), Be16::from_raw((word >> 32) as u16))
}

/// Where word `k` of a way lies in its bucket.
#[inline(always)]
#[must_use]
pub const fn at(way: usize, k: usize) -> usize {
    match k {
        0 => way,
        3 => 3 * WAYS + way,
        _ => WAYS + way * 2 + k - 1,
    }
}

/// Whether two readings of w0 are of one connection; its state may have changed.
#[inline(always)]
#[must_use]
pub const fn same_connection(a: u64, b: u64) -> bool {
    (a ^ b) & !STATE == 0
}

/// w2 with a new expiry and one packet more.
#[cfg(not(target_arch = "bpf"))]
pub(super) const fn touched(w2: u64, expires: u32) -> u64 {
    let packets = ((w2 >> 32) + 1) & 0xffff;
    w2 & 0xffff_0000_0000_0000 | packets << 32 | expires as u64
}

/// The words that tell the real server, for a new connection: what goes into w1 and into w2.
#[inline(always)]
pub(super) const fn of_dest(dest: u32, method: Method, keeps_port: bool) -> (u64, u64) {
    let way = (method.0 as u64 & 7) << 60 | (keeps_port as u64) << 63;
    ((dest as u64) << 48, (dest as u64 >> 16 & 0xfff) << 48 | way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dest_slot_and_method_survive_the_words() {
        for dest in [0, 1, 0xffff, 0x1_0000, 0x0fff_ffff] {
            for keeps in [false, true] {
                let (w1, w2) = of_dest(dest, Method::DIRECT_ROUTE, keeps);
                let entry = Entry { w0: 0, w1, w2: touched(w2, u32::MAX) };
                assert_eq!((entry.dest(), entry.method()), (dest, Method::DIRECT_ROUTE));
                assert_eq!(entry.keeps_port(), keeps);
            }
        }
    }

    #[test]
    fn touching_counts_packets_and_lets_the_rest_stand() {
        let (_, w2) = of_dest(0x0abc_1234, Method::DIRECT_ROUTE, false);
        let twice = touched(touched(w2 | 0xffff << 32, 5), 7);
        assert_eq!(twice, w2 | 1 << 32 | 7);
    }

    #[test]
    fn expiry_wraps() {
        let entry = |expires: u32| Entry { w0: 0, w1: 0, w2: u64::from(expires) };
        assert!(entry(100).is_expired(100));
        assert!(!entry(100).is_expired(99));
        assert!(!entry(5).is_expired(u32::MAX - 5));
        assert!(entry(u32::MAX - 5).is_expired(5));
    }

    #[test]
    fn every_word_of_a_bucket_has_its_place() {
        let mut places: Vec<_> =
            (0..WAYS).flat_map(|way| (0..WORDS).map(move |k| at(way, k))).collect();
        places.sort_unstable();
        assert_eq!(places, (0..WAYS * WORDS).collect::<Vec<_>>());
    }
}
