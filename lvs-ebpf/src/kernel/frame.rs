//! The frame of an XDP program: the only raw packet pointers.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_md,
    helpers::{
        bpf_xdp_adjust_head, bpf_xdp_adjust_tail,
        generated::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    },
    programs::XdpContext,
};
use bytemuck::Pod;
use lvs_common::{
    net::{Be32, checksum},
    wire::{Frame, Tags, Wire},
};

use super::{atomic::veil, function::scratch};

/// The frame under way.
pub struct XdpFrame<'a>(&'a XdpContext);

impl<'a> XdpFrame<'a> {
    /// The frame of a program's context.
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self(context)
    }

    #[inline(always)]
    fn pointer<T: Pod>(&self, offset: usize) -> Option<*mut T> {
        let start = self.0.data() + offset;
        // verifier: the bound of this very pointer.
        (start + size_of::<T>() <= self.0.data_end()).then_some(start as *mut T)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        // SAFETY: the context is valid while the program runs.
        unsafe { bpf_xdp_get_buff_len(self.0.ctx) as usize }
    }

    #[inline(always)]
    fn holds(&self, bytes: usize) -> bool {
        // A jumbo frame lies in several buffers, of which the first is at hand.
        self.0.data_end() - self.0.data() >= bytes || self.len() >= bytes
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
    fn grow(&mut self, bytes: usize) -> bool {
        // SAFETY: moves the frame's start; no pointer into the frame outlives `&mut self`.
        unsafe { bpf_xdp_adjust_head(self.0.ctx, -(bytes as i32)) == 0 }
    }

    #[inline(always)]
    fn shrink(&mut self, bytes: usize) -> bool {
        // SAFETY: as above; the helper refuses to leave less than an Ethernet header.
        unsafe { bpf_xdp_adjust_head(self.0.ctx, bytes as i32) == 0 }
    }

    #[inline(always)]
    fn cut(&mut self, len: usize) -> bool {
        let more = len as i32 - self.len() as i32;
        // SAFETY: as above.
        more <= 0 && unsafe { bpf_xdp_adjust_tail(self.0.ctx, more) == 0 }
    }

    #[inline(always)]
    fn sum(&self, offset: usize, bytes: usize) -> Option<u16> {
        let sum = lvs_sum(self.0.ctx, offset as u32, bytes as u32);
        (sum != NO_SUM).then_some(sum as u16)
    }

    #[inline(always)]
    fn sum_scattered(&self, offset: usize, bytes: usize) -> Option<u16> {
        if offset + bytes <= self.0.data_end() - self.0.data() {
            return self.sum(offset, bytes);
        }
        let sum = lvs_sum_scattered(self.0.ctx, offset as u32, bytes as u32);
        (sum != NO_SUM).then_some(sum as u16)
    }

    #[inline(always)]
    fn veil(number: u64) -> u64 {
        veil(number)
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        ingress(self.0)
    }

    #[inline(always)]
    fn tags(&self) -> Tags {
        scratch::<Be32>().map_or(Tags::NONE, |scratch| scratch.tags)
    }

    #[inline(always)]
    fn set_tags(&mut self, tags: Tags) {
        if let Some(scratch) = scratch::<Be32>() {
            scratch.tags = tags;
        }
    }
}

/// Number of the interface that a program's frame came in by.
#[inline(always)]
pub fn ingress(context: &XdpContext) -> u32 {
    // SAFETY: the context is valid while the program runs.
    unsafe { (*context.as_ptr().cast::<xdp_md>()).ingress_ifindex }
}

/// `lvs_sum`: the frame has not so many bytes, or they are too many.
const NO_SUM: u32 = u32::MAX;

/// Bytes that are summed at a time, and how many times: a jumbo frame.
pub const CHUNK: usize = 32;
const CHUNKS: usize = 300;

/// The sum of a frame's bytes.
// verifier: by itself, since it is a long loop, and with few bytes on the stack.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_sum(context: *mut xdp_md, offset: u32, bytes: u32) -> u32 {
    let context = XdpContext::new(context);
    let frame = XdpFrame::new(&context);
    let (start, bytes) = (u64::from(offset & 0xff), u64::from(bytes & 0xffff));
    if bytes > (CHUNK * CHUNKS) as u64 {
        return NO_SUM;
    }
    let chunks = bytes & !(CHUNK as u64 - 1);
    // verifier: the end comes first; behind the long loop it would be walked once for each way out of it
    let (mut at, mut left, mut sum) = (start + chunks, bytes - chunks, 0);
    for _ in 0..CHUNK / 2 {
        // verifier: the offset stays a number of its own, not a part of a pointer
        at = veil(at);
        if left < 2 {
            break;
        }
        let Some(half) = frame.pointer::<u16>(at as usize) else { return NO_SUM };
        // SAFETY: `pointer` checked that all of it lies within the frame.
        sum += u64::from(unsafe { *half });
        at += 2;
        left -= 2;
    }
    if left == 1 {
        let Some(byte) = frame.pointer::<u8>(at as usize) else { return NO_SUM };
        // SAFETY: as above. An odd last byte is the first of its half.
        sum += u64::from(u16::from_ne_bytes([unsafe { *byte }, 0]));
    }
    (at, left) = (veil(start), veil(chunks));
    sum = veil(sum);
    for _ in 0..CHUNKS {
        at = veil(at);
        if left == 0 {
            break;
        }
        let Some(words) = frame.pointer::<[u32; CHUNK / 4]>(at as usize) else { return NO_SUM };
        // SAFETY: as above.
        sum += unsafe { *words }.iter().map(|word| u64::from(*word)).sum::<u64>();
        at += CHUNK as u64;
        left -= CHUNK as u64;
    }
    if left == 0 { u32::from(checksum::fold(sum)) } else { NO_SUM }
}

/// The same of a frame that lies in several buffers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_sum_scattered(context: *mut xdp_md, offset: u32, bytes: u32) -> u32 {
    let Some(scratch) = scratch::<Be32>() else { return NO_SUM };
    let (start, bytes) = (u64::from(offset & 0xff), u64::from(bytes & 0xffff));
    let part = bytes & (CHUNK as u64 - 1);
    let (mut at, mut left, mut sum) = (veil(start), veil(bytes - part), 0);
    scratch.chunk = [0; CHUNK / 4];
    if part != 0 {
        let chunk = (&raw mut scratch.chunk).cast();
        // verifier: one at least; up to 6.7 it does not know that from a comparison with zero
        let size = (veil(part - 1) & (CHUNK as u64 - 1)) + 1;
        // SAFETY: the helper writes as many bytes as it is told, or none, and the chunk has as many.
        if unsafe { bpf_xdp_load_bytes(context, (at + left) as u32, chunk, size as u32) } != 0 {
            return NO_SUM;
        }
        sum = scratch.chunk.iter().map(|word| u64::from(*word)).sum::<u64>();
    }
    // verifier: the end comes first, as above
    sum = veil(sum);
    for _ in 0..CHUNKS {
        (at, left) = (veil(at), veil(left));
        if left == 0 {
            break;
        }
        let chunk = (&raw mut scratch.chunk).cast();
        // SAFETY: as above; it has as many.
        if unsafe { bpf_xdp_load_bytes(context, at as u32, chunk, CHUNK as u32) } != 0 {
            return NO_SUM;
        }
        sum += scratch.chunk.iter().map(|word| u64::from(*word)).sum::<u64>();
        at += CHUNK as u64;
        left -= CHUNK as u64;
    }
    if left == 0 { u32::from(checksum::fold(sum)) } else { NO_SUM }
}
