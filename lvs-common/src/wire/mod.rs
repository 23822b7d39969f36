//! Headers as they lie in a frame, and the frame they lie in.

mod ethernet;
mod ipv4;
mod tcp;
mod udp;

pub use ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, Ethernet};
pub use ipv4::Ipv4;
pub use tcp::Tcp;
pub use udp::Udp;

use bytemuck::Pod;

/// A header that may be viewed in place at any offset.
///
/// # Safety
/// The type's alignment is one. Implemented by `wire!` only, which asserts it.
pub unsafe trait Wire: Pod {}

/// Declares headers: asserts their size and an alignment of one.
macro_rules! wire {
    ($($header:ty: $size:literal),+ $(,)?) => { $(
        const _: () = assert!(align_of::<$header>() == 1 && size_of::<$header>() == $size);
        // SAFETY: the alignment was asserted on the line above.
        unsafe impl Wire for $header {}
    )+ };
}

wire!(Ethernet: 14, Ipv4: 20, Tcp: 20, Udp: 8);

/// The frame under way: what the path may ask of a packet's memory.
pub trait Frame {
    /// Bytes from the Ethernet header to the end.
    fn len(&self) -> usize;

    /// Whether there is not a single byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The header at `offset`, if the frame holds all of it.
    fn at<T: Wire>(&self, offset: usize) -> Option<&T>;

    /// The same, to be rewritten.
    fn at_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T>;

    /// Number of the interface that the frame came in by.
    fn ingress(&self) -> u32;
}

/// A frame in host memory, for tests and fuzzing.
#[cfg(any(test, feature = "host"))]
pub mod host {
    use super::{Frame, Wire};

    /// A frame in a vector.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct VecFrame {
        /// The bytes, from the Ethernet header on.
        pub bytes: Vec<u8>,
        /// What [`Frame::ingress`] says.
        pub ingress: u32,
    }

    impl VecFrame {
        /// A frame that came in by interface 1.
        #[must_use]
        pub fn new(bytes: Vec<u8>) -> Self {
            Self { bytes, ingress: 1 }
        }
    }

    impl Frame for VecFrame {
        fn len(&self) -> usize {
            self.bytes.len()
        }

        fn at<T: Wire>(&self, offset: usize) -> Option<&T> {
            Some(bytemuck::from_bytes(self.bytes.get(offset..offset + size_of::<T>())?))
        }

        fn at_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
            Some(bytemuck::from_bytes_mut(self.bytes.get_mut(offset..offset + size_of::<T>())?))
        }

        fn ingress(&self) -> u32 {
            self.ingress
        }
    }
}
