//! Both ends of a director's way, for `cargo xtask bench ipvs`: [`source`] makes XDP frames, as a network card's
//! driver has them, and sends them to the director; [`sink`] is where they end without becoming packets of the
//! kernel's, as where a card would transmit them; [`floor`] is the least that a director could do.

use aya_ebpf::{
    Global,
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP},
    btf_maps::Array,
    helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_ns, bpf_redirect},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lvs_common::net::Be16;

/// Bytes of a frame: the shortest there is.
const LENGTH: usize = 60;
/// Double words that it begins with, and the word that is left.
const DOUBLES: usize = LENGTH / 8;
/// What is seen of a frame in [`look`]: enough for a tunnel's headers.
const SEEN: usize = 56;

/// Offsets in a frame of Ethernet, IPv4 without options, UDP.
const ID: usize = 18;
/// See [`ID`].
const SOURCE_LOW: usize = 28;
/// See [`ID`].
const SOURCE_PORT: usize = 34;

// Constants once loaded.

/// What the source sends, of the first flow: [`LENGTH`] bytes.
#[unsafe(no_mangle)]
static FRAME: Global<[u64; 8]> = Global::new([0; 8]);
/// The interface that frames leave by.
#[unsafe(no_mangle)]
static OUT: Global<u32> = Global::new(0);
/// How many flows, a power of two: each has a source port. 0: any of 2³¹, and the template's identification and
/// half of its source address have to be 0.
#[unsafe(no_mangle)]
static MANY: Global<u32> = Global::new(1);

/// How many frames are a round, as a power of two.
#[unsafe(no_mangle)]
static ROUND_BITS: Global<u32> = Global::new(0);
/// Rounds that can be told apart.
const ROUNDS: usize = 16;

/// Frames that were sent; then, in nanoseconds, when each round began.
#[btf_map]
static SENT: Array<[u64; 1 + ROUNDS], 1> = Array::new();

/// What [`look`] saw last.
#[btf_map]
static SEEN_LAST: Array<[u64; SEEN / 8], 1> = Array::new();

/// Sends a frame of a flow that is chosen at random.
#[xdp]
pub fn source(context: XdpContext) -> u32 {
    let start = context.data();
    if start + LENGTH > context.data_end() {
        return XDP_ABORTED;
    }
    let Some(sent) = SENT.get_ptr_mut(0) else { return XDP_ABORTED };
    // SAFETY: the map's value; one source sends at a time.
    note(unsafe { &mut *sent });
    // SAFETY: the helper has no conditions.
    let number = unsafe { bpf_get_prandom_u32() };
    let frame = Frame(start as *mut u8);
    // The frame is one that was sent before, as its receiver left it.
    frame.restore();
    let many = MANY.load();
    if many == 0 {
        let half = (number >> 16) as u16;
        // Port 20 opens no connections, neither here nor in IPVS.
        frame.put(SOURCE_PORT, Be16::new(number as u16 | 1024));
        frame.put(SOURCE_LOW, half);
        // What the header's checksum does not notice.
        frame.put(ID, !half);
    } else {
        frame.put(SOURCE_PORT, Be16::new(1024 + (number & (many - 1)) as u16));
    }
    redirect()
}

/// Ends a frame.
#[xdp]
pub fn sink(_: XdpContext) -> u32 {
    XDP_DROP
}

/// Ends a frame, and keeps how it began.
#[xdp]
pub fn look(context: XdpContext) -> u32 {
    let start = context.data();
    if start + SEEN > context.data_end() {
        return XDP_DROP;
    }
    let Some(seen) = SEEN_LAST.get_ptr_mut(0) else { return XDP_DROP };
    // SAFETY: the map's value.
    let seen = unsafe { &mut *seen };
    for (at, word) in seen.iter_mut().enumerate() {
        // SAFETY: within the frame. A frame may begin at any address.
        *word = unsafe { (start as *const u64).wrapping_add(at).read_unaligned() };
    }
    XDP_DROP
}

/// Gives a frame the link-layer addresses of [`FRAME`] and sends it on.
#[xdp]
pub fn floor(context: XdpContext) -> u32 {
    let start = context.data();
    if start + LENGTH > context.data_end() {
        return XDP_ABORTED;
    }
    let frame = Frame(start as *mut u8);
    for at in [0, 4, 8] {
        frame.put(at, template::<u32>(at));
    }
    redirect()
}

/// Counts the frame, and looks at the clock if it is the first of a round.
#[inline(always)]
fn note([count, begun @ ..]: &mut [u64; 1 + ROUNDS]) {
    let bits = ROUND_BITS.load() & (u64::BITS - 1);
    let round = *count >> bits;
    if round << bits == *count {
        let at = round as usize % ROUNDS;
        // SAFETY: the helper has no conditions.
        begun[at] = unsafe { bpf_ktime_get_ns() };
    }
    *count += 1;
}

#[inline(always)]
fn redirect() -> u32 {
    // SAFETY: the helper has no conditions.
    unsafe { bpf_redirect(OUT.load(), 0) as u32 }
}

/// [`LENGTH`] bytes of a frame.
#[derive(Clone, Copy)]
struct Frame(*mut u8);

impl Frame {
    #[inline(always)]
    fn restore(self) {
        for at in 0..DOUBLES {
            self.put(at * 8, template::<u64>(at * 8));
        }
        self.put(DOUBLES * 8, template::<u32>(DOUBLES * 8));
    }

    #[inline(always)]
    fn put<T>(self, at: usize, value: T) {
        // SAFETY: within the frame, and the kernel's frames begin where a page of theirs does and 256 bytes.
        unsafe { self.0.wrapping_add(at).cast::<T>().write_volatile(value) }
    }
}

#[inline(always)]
fn template<T: Copy>(at: usize) -> T {
    let bytes = (&raw const FRAME).cast::<u8>().wrapping_add(at);
    // SAFETY: within the template, at a multiple of the width.
    unsafe { bytes.cast::<T>().read_volatile() }
}
