//! The feeder.
//!
//! `BPF_PROG_TEST_RUN` does not restore the packet between its repetitions: a program that rewrites
//! packets would see its own output from the second one on, and one packet is always one flow. So
//! the kernel is given this program: it puts the packet back, writes the next flow's address and port
//! into it, and tail-calls the program under test, all within one run. Its key is constant, so the JIT
//! makes the call a jump. The same feeder before [`stub`] is what to subtract.

use core::{arch::asm, mem::size_of};

use aya_ebpf::{
    EbpfContext as _, Global,
    bindings::xdp_action::{XDP_ABORTED, XDP_TX},
    btf_maps::{Array, ProgramArray},
    helpers::generated::bpf_xdp_adjust_head,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lvs_common::net::{Be16, Be32};

/// Bytes of a packet's headers that are put back: Ethernet, IPv4, TCP and the rest of the shortest
/// frame; or Ethernet, IPv6, TCP.
const HEADERS: usize = 64;
/// See [`HEADERS`].
const HEADERS6: usize = 74;
/// Bytes before the template, which align its network header.
const PAD: usize = 2;

/// The program under test.
#[btf_map]
static TARGET: ProgramArray<1> = ProgramArray::new();

/// The number of the next flow, or the state of the random numbers.
#[btf_map]
static STATE: Array<u64, 1> = Array::new();

// Constants once loaded: the verifier leaves no trace of a read.

/// [`PAD`] bytes, then [`HEADERS`] or [`HEADERS6`] bytes of the packet.
#[unsafe(no_mangle)]
static TEMPLATE: Global<[u64; 10]> = Global::new([0; 10]);
/// 1: packets of IPv6.
#[unsafe(no_mangle)]
static V6: Global<u32> = Global::new(0);
/// Bytes of the packet.
#[unsafe(no_mangle)]
static LENGTH: Global<u32> = Global::new(64);
/// How many flows there are.
#[unsafe(no_mangle)]
static FLOWS: Global<u32> = Global::new(1);
/// 1: any flow at random; 0: one after the other.
#[unsafe(no_mangle)]
static RANDOM: Global<u32> = Global::new(0);
/// 0: the flow is in the packet's source. A power of two: it is in the destination, and the source is
/// the one of so many real servers that round robin gave the flow to, from the template's downward.
#[unsafe(no_mangle)]
static REAL_SERVERS: Global<u32> = Global::new(0);

/// Puts the packet back, of the next flow, and goes on in the program under test.
#[xdp(frags)]
pub fn feed(context: XdpContext) -> u32 {
    // Always called, so that the run to be subtracted pays for it as well.
    let grown = number(context.data_end().wrapping_sub(context.data())) as i32;
    let grown = grown.wrapping_sub(LENGTH.load() as i32);
    // SAFETY: the context is valid while the program runs.
    if unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), grown) } != 0 {
        return XDP_ABORTED;
    }
    let start = context.data();
    let v6 = V6.load() != 0;
    let headers = if v6 { HEADERS6 } else { HEADERS };
    if start + headers > context.data_end() {
        return XDP_ABORTED;
    }
    let packet = Packet(start as *mut u8);
    if v6 {
        packet.restore6();
    } else {
        packet.restore();
    }
    let Some(number) = next() else { return XDP_ABORTED };
    if v6 {
        packet.direct6(number);
    } else {
        packet.direct(number);
    }
    // SAFETY: nothing here waits to be dropped.
    unsafe { TARGET.tail_call(&context, 0) };
    XDP_ABORTED
}

/// What to subtract: the same way into a program that does nothing.
#[xdp(frags)]
pub fn stub(_: XdpContext) -> u32 {
    XDP_TX
}

/// The difference of two pointers as a number.
#[inline(always)]
fn number(mut difference: usize) -> usize {
    // verifier: refuses arithmetic with half a pointer, which the compiler would make of this.
    // SAFETY: moves a register onto itself.
    unsafe { asm!("{v} = {v}", v = inout(reg) difference, options(pure, nomem, nostack)) };
    difference
}

/// The number of the next flow.
#[inline(always)]
fn next() -> Option<u32> {
    let state = STATE.get_ptr_mut(0)?;
    let flows = u64::from(FLOWS.load());
    // SAFETY: the map's value; one packet is under way at a time.
    let mut x = unsafe { *state };
    let number = if RANDOM.load() != 0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ((x >> 32) * flows) >> 32
    } else {
        let number = x;
        x = if number + 1 >= flows { 0 } else { number + 1 };
        number
    };
    // SAFETY: as above.
    unsafe { *state = x };
    Some(number as u32)
}

/// [`HEADERS`] bytes that lie within the packet.
#[derive(Clone, Copy)]
struct Packet(*mut u8);

impl Packet {
    /// Puts the template back, by stores as wide as the header fields, so that no load of the program
    /// under test spans two of them: a stall that no real packet has.
    #[inline(always)]
    fn restore(self) {
        let words = [0, 8, 26, 30, 38, 42, 54, 58];
        let halves = [4, 6, 12, 14, 16, 18, 20, 22, 24, 34, 36, 46, 48, 50, 52, 62];
        for at in words {
            self.put(at, template::<u32>(at));
        }
        for at in halves {
            self.put(at, template::<u16>(at));
        }
    }

    /// Writes the flow of this number into it.
    #[inline(always)]
    fn direct(self, number: u32) {
        let (address, port) = (number >> 15, 1024 + (number & 0x7fff) as u16);
        let reals = REAL_SERVERS.load();
        let (address_at, port_at) = if reals == 0 { (26, 34) } else { (30, 36) };
        self.put(address_at, Be32::new(host(address_at).wrapping_add(address)));
        self.put(port_at, Be16::new(port));
        if reals != 0 {
            self.put(26, Be32::new(host(26).wrapping_sub(number & (reals - 1))));
        }
    }

    /// [`restore`](Self::restore) of IPv6, whose addresses are read as double words.
    #[inline(always)]
    fn restore6(self) {
        for at in [22, 30, 38, 46] {
            self.put(at, template::<u64>(at));
        }
        for at in [0, 8, 14, 58, 62] {
            self.put(at, template::<u32>(at));
        }
        for at in [4, 6, 12, 18, 20, 54, 56, 66, 68, 70, 72] {
            self.put(at, template::<u16>(at));
        }
    }

    /// [`direct`](Self::direct) of IPv6: the flow is in the address's last half.
    #[inline(always)]
    fn direct6(self, number: u32) {
        let (address, port) = (u64::from(number >> 15), 1024 + (number & 0x7fff) as u16);
        let reals = REAL_SERVERS.load();
        let (address_at, port_at) = if reals == 0 { (30, 54) } else { (46, 56) };
        self.put(address_at, low(address_at).wrapping_add(address).to_be());
        self.put(port_at, Be16::new(port));
        if reals != 0 {
            self.put(30, low(30).wrapping_sub(u64::from(number & (reals - 1))).to_be());
        }
    }

    #[inline(always)]
    fn put<T>(self, at: usize, value: T) {
        // SAFETY: all offsets are below the headers' end that was checked. Volatile: of just this width.
        unsafe { self.0.wrapping_add(at).cast::<T>().write_volatile(value) }
    }
}

/// The template's address at an offset, in host order.
#[inline(always)]
fn host(at: usize) -> u32 {
    template::<Be32>(at).get()
}

/// The last half of the template's IPv6 address that has it at an offset.
#[inline(always)]
fn low(at: usize) -> u64 {
    u64::from_be(template::<u64>(at))
}

#[inline(always)]
fn template<T: Copy>(at: usize) -> T {
    let bytes = (&raw const TEMPLATE).cast::<u8>().wrapping_add(PAD + at);
    debug_assert!(at + size_of::<T>() <= HEADERS6);
    // SAFETY: within the template, whose pad aligns all of its fields.
    unsafe { bytes.cast::<T>().read_volatile() }
}
