//! The frame of an XDP program: the only raw packet pointers.

use aya_ebpf::{EbpfContext as _, programs::XdpContext};
use lvs_common::wire::{Frame, Wire};

/// The frame under way.
pub struct XdpFrame<'a>(&'a XdpContext);

impl<'a> XdpFrame<'a> {
    /// The frame of a program's context.
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self(context)
    }

    #[inline(always)]
    fn pointer<T: Wire>(&self, offset: usize) -> Option<*mut T> {
        let start = self.0.data() + offset;
        // verifier: the bound of this very pointer.
        (start + size_of::<T>() <= self.0.data_end()).then_some(start as *mut T)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.data_end() - self.0.data()
    }

    #[inline(always)]
    fn at<T: Wire>(&self, offset: usize) -> Option<&T> {
        // SAFETY: `pointer` checked that all of T lies within the frame, and any bytes are a T. BPF's
        // loads from a packet need no alignment where the kernel has efficient unaligned access
        // (x86-64, arm64); elsewhere the verifier refuses the program. `&self` keeps writers away.
        self.pointer(offset).map(|pointer| unsafe { &*pointer })
    }

    #[inline(always)]
    fn at_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
        // SAFETY: as above, and `&mut self` keeps others away.
        self.pointer(offset).map(|pointer| unsafe { &mut *pointer })
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        ingress(self.0)
    }
}

/// Number of the interface that a program's frame came in by.
#[inline(always)]
pub fn ingress(context: &XdpContext) -> u32 {
    // SAFETY: the context is valid while the program runs.
    unsafe { (*context.as_ptr().cast::<aya_ebpf::bindings::xdp_md>()).ingress_ifindex }
}
