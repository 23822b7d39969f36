//! Headers as they lie in a frame, and the frame they lie in.

mod ethernet;
mod icmp;
mod ipv4;
mod ipv6;
mod sctp;
mod tcp;
mod tunnel;
mod udp;
mod vlan;

pub use ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, Ethernet};
pub use icmp::Icmp;
pub use ipv4::Ipv4;
pub use ipv6::{Extension, Fragment6, Ipv6};
pub use sctp::{Chunk, Sctp, chunk};
pub use tcp::Tcp;
pub use tunnel::{Gre, GreChecksum, Gue};
pub use udp::Udp;
pub use vlan::{Behind, Tag, Tags};

use bytemuck::Pod;

/// A header that may be viewed in place.
///
/// A frame lies so that its network header is aligned to four bytes, as kernels have it
/// (`NET_IP_ALIGN`); headers therefore are declared with their fields' own alignment. Declared with an
/// alignment of one, every field would be loaded byte by byte on BPF.
///
/// # Safety
/// The type's alignment is at most four. Implemented by `wire!` only, which asserts it.
pub unsafe trait Wire: Pod {}

/// Declares headers: asserts their size, and an alignment of at most four.
macro_rules! wire {
    ($($header:ty: $size:literal),+ $(,)?) => { $(
        const _: () = assert!(align_of::<$header>() <= 4 && size_of::<$header>() == $size);
        // SAFETY: the alignment was asserted on the line above.
        unsafe impl Wire for $header {}
    )+ };
}

wire!(
    Behind: 4,
    Ethernet: 14,
    Extension: 4,
    Fragment6: 8,
    Gre: 4,
    GreChecksum: 4,
    Gue: 4,
    Icmp: 8,
    Ipv4: 20,
    Ipv6: 40,
    Tcp: 20,
    Udp: 8,
    Sctp: 12,
    Chunk: 4,
);

/// The frame under way: what the path may ask of a packet's memory.
pub trait Frame {
    /// Bytes from the Ethernet header to the end.
    fn len(&self) -> usize;

    /// Whether there are so many bytes from the Ethernet header on, wherever they lie.
    fn holds(&self, bytes: usize) -> bool {
        bytes <= self.len()
    }

    /// Whether there is not a single byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The header at `offset`, if the frame holds all of it.
    fn at<T: Wire>(&self, offset: usize) -> Option<&T>;

    /// The same, to be rewritten.
    fn at_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T>;

    /// Makes room for `bytes` before the first one, for the Ethernet header to move there: what was at
    /// an offset is then `bytes` behind it. Returns whether there was room.
    fn grow(&mut self, bytes: usize) -> bool;

    /// Takes `bytes` away from the start: what was at an offset is then `bytes` before it. Returns whether
    /// there were so many.
    fn shrink(&mut self, bytes: usize) -> bool;

    /// Makes the frame end after `len` bytes, of which it has more, or as many. Returns whether it does.
    fn cut(&mut self, len: usize) -> bool;

    /// The RFC 1071 sum of `bytes` from `offset` on, folded, not complemented; `None` when the frame
    /// has not so many in its first buffer, or they are more than a link carries.
    fn sum(&self, offset: usize, bytes: usize) -> Option<u16>;

    /// The same, wherever they lie.
    fn sum_scattered(&self, offset: usize, bytes: usize) -> Option<u16> {
        self.sum(offset, bytes)
    }

    /// The number, of which the compiler then knows nothing: where it would make two ways of one.
    #[inline(always)]
    #[must_use]
    fn veil(number: u64) -> u64 {
        number
    }

    /// Number of the interface that the frame came in by.
    fn ingress(&self) -> u32;

    /// The VLAN tags that were taken off it.
    fn tags(&self) -> Tags;

    /// Says which were.
    fn set_tags(&mut self, tags: Tags);
}

/// A frame in host memory, for tests and fuzzing.
#[cfg(any(test, feature = "host"))]
pub mod host {
    use super::{Frame, Tags, Wire};
    use crate::net::checksum;

    /// Bytes before the Ethernet header, so that the network header is aligned.
    const PAD: usize = 2;

    /// Bytes that a frame can grow by, as in most drivers.
    pub const HEADROOM: usize = 256;

    /// A frame in a vector.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct VecFrame {
        words: Vec<u64>,
        len: usize,
        headroom: usize,
        ingress: u32,
        tags: Tags,
    }

    impl VecFrame {
        /// A frame of these bytes, Ethernet header first, that came in by an interface.
        #[must_use]
        pub fn new(bytes: &[u8], ingress: u32) -> Self {
            let words = vec![0; (PAD + bytes.len()).div_ceil(size_of::<u64>())];
            let (len, headroom, tags) = (bytes.len(), HEADROOM, Tags::NONE);
            let mut frame = Self { words, len, headroom, ingress, tags };
            frame.bytes_mut().copy_from_slice(bytes);
            frame
        }

        /// The same frame with so many bytes to grow by.
        #[must_use]
        pub fn with_headroom(self, headroom: usize) -> Self {
            Self { headroom, ..self }
        }

        /// The bytes now.
        #[must_use]
        pub fn bytes(&self) -> &[u8] {
            &bytemuck::cast_slice(&self.words)[PAD..PAD + self.len]
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut bytemuck::cast_slice_mut(&mut self.words)[PAD..PAD + self.len]
        }
    }

    impl Frame for VecFrame {
        fn len(&self) -> usize {
            self.len
        }

        fn at<T: Wire>(&self, offset: usize) -> Option<&T> {
            Some(bytemuck::from_bytes(self.bytes().get(offset..offset + size_of::<T>())?))
        }

        fn at_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
            let bytes = self.bytes_mut().get_mut(offset..offset + size_of::<T>())?;
            Some(bytemuck::from_bytes_mut(bytes))
        }

        fn grow(&mut self, bytes: usize) -> bool {
            let Some(headroom) = self.headroom.checked_sub(bytes) else { return false };
            let grown = [&vec![0; bytes], self.bytes()].concat();
            *self = Self { headroom, tags: self.tags, ..Self::new(&grown, self.ingress) };
            true
        }

        fn shrink(&mut self, bytes: usize) -> bool {
            let Some(rest) = self.bytes().get(bytes..) else { return false };
            let headroom = self.headroom + bytes;
            *self = Self { headroom, tags: self.tags, ..Self::new(rest, self.ingress) };
            true
        }

        fn cut(&mut self, len: usize) -> bool {
            let fits = len <= self.len;
            self.len = self.len.min(len);
            fits
        }

        fn sum(&self, offset: usize, bytes: usize) -> Option<u16> {
            self.bytes().get(offset..offset + bytes).map(checksum::sum)
        }

        fn ingress(&self) -> u32 {
            self.ingress
        }

        fn tags(&self) -> Tags {
            self.tags
        }

        fn set_tags(&mut self, tags: Tags) {
            self.tags = tags;
        }
    }
}
