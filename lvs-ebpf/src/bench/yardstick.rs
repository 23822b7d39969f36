//! The yardstick: DR as lean as it can be written. Headers at fixed places, a connection in one cache
//! line, two counters, two addresses; no services, no states, no times to live, no reasons.

use aya_ebpf::{
    Global,
    bindings::{
        BPF_F_MMAPABLE,
        xdp_action::{XDP_DROP, XDP_PASS, XDP_TX},
    },
    btf_maps::{Array, PerCpuArray},
    helpers::bpf_jiffies64,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lvs_common::{net::Be16, wire::ETHERTYPE_IPV4};

const MAPPED: usize = BPF_F_MMAPABLE as usize;

/// Real servers that the table may name.
const REALS: usize = 4096;

/// One connection: two to a cache line.
#[repr(C)]
#[derive(Clone, Copy)]
struct Way {
    key: [u64; 2],
    real: u32,
    seen: u32,
    pad: u64,
}

/// A power of two of buckets, told by [`MASK`].
#[btf_map]
static TABLE: Array<[Way; 2], 2048, MAPPED> = Array::new();
/// Two link-layer addresses each.
#[btf_map]
static HOPS: Array<[u64; 4], REALS> = Array::new();
#[btf_map]
static COUNTS: PerCpuArray<[u64; 4], REALS> = PerCpuArray::new();

#[unsafe(no_mangle)]
static MASK: Global<u32> = Global::new(2047);

/// Sends a packet to the real server that its flow has.
#[xdp(frags)]
pub fn yardstick(context: XdpContext) -> u32 {
    let Some(packet) = Packet::parse(&context) else { return XDP_PASS };
    let key = packet.key();
    let Some(bucket) = TABLE.get_ptr_mut(hash(key) & MASK.load()) else { return XDP_DROP };
    // SAFETY: the bucket is a map value.
    let [first, second] = unsafe { &mut *bucket };
    // Which of the two it is, not whether.
    let way = if first.key == key { first } else { second };
    // SAFETY: the helper has no conditions.
    way.seen = unsafe { bpf_jiffies64() } as u32;
    let real = way.real & (REALS as u32 - 1);
    let Some(hop) = HOPS.get(real) else { return XDP_DROP };
    count(real);
    count(9);
    packet.address(*hop);
    XDP_TX
}

/// Puts a packet's flow into the table.
#[xdp(frags)]
pub fn yardstick_fill(context: XdpContext) -> u32 {
    let Some(packet) = Packet::parse(&context) else { return XDP_PASS };
    let key = packet.key();
    let hash = hash(key);
    let Some(bucket) = TABLE.get_ptr_mut(hash & MASK.load()) else { return XDP_DROP };
    // SAFETY: the bucket is a map value.
    let [first, second] = unsafe { &mut *bucket };
    let way = if hash >> 31 == 0 { first } else { second };
    way.key = key;
    way.real = (key[1] >> 8) as u32 & 15;
    XDP_TX
}

#[inline(always)]
fn count(index: u32) {
    let Some(counts) = COUNTS.get_ptr_mut(index) else { return };
    // SAFETY: this CPU's own value.
    let [packets, bytes, ..] = unsafe { &mut *counts };
    *packets += 1;
    *bytes += 64;
}

/// jhash's final mix.
#[inline(always)]
fn hash([addresses, rest]: [u64; 2]) -> u32 {
    const SEED: u32 = 0xdead_beef + 12;
    let mut a = (addresses as u32).wrapping_add(SEED);
    let mut b = ((addresses >> 32) as u32).wrapping_add(SEED);
    let mut c = (rest as u32).wrapping_add(SEED + (rest >> 32) as u32);
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// 54 bytes that lie within the packet: Ethernet, IPv4 without options, TCP.
#[derive(Clone, Copy)]
struct Packet(*mut u8);

impl Packet {
    #[inline(always)]
    fn parse(context: &XdpContext) -> Option<Self> {
        let start = context.data();
        if start + 54 > context.data_end() {
            return None;
        }
        let packet = Self(start as *mut u8);
        let ours = packet.at::<Be16>(12) == ETHERTYPE_IPV4
            && packet.at::<u8>(14) == 0x45
            && packet.at::<u16>(20) & Be16::new(0x3fff).raw() == 0
            && matches!(packet.at::<u8>(23), 6 | 17);
        ours.then_some(packet)
    }

    #[inline(always)]
    fn key(self) -> [u64; 2] {
        let (source, destination) = (self.at::<u32>(26), self.at::<u32>(30));
        let (source_port, destination_port) = (self.at::<u16>(34), self.at::<u16>(36));
        let ports = u64::from(source_port) | u64::from(destination_port) << 16;
        let protocol = u64::from(self.at::<u8>(23));
        [u64::from(source) | u64::from(destination) << 32, ports | protocol << 32]
    }

    /// Writes both link-layer addresses.
    #[inline(always)]
    fn address(self, hop: [u64; 4]) {
        self.put(0, hop[0] as u32);
        self.put(4, (hop[0] >> 32) as u16);
        self.put(6, hop[1] as u16);
        self.put(8, (hop[1] >> 16) as u32);
    }

    #[inline(always)]
    fn at<T: Copy>(self, offset: usize) -> T {
        // SAFETY: all offsets here are below 54.
        unsafe { *self.0.wrapping_add(offset).cast::<T>() }
    }

    #[inline(always)]
    fn put<T>(self, offset: usize, value: T) {
        // SAFETY: as above.
        unsafe { *self.0.wrapping_add(offset).cast::<T>() = value }
    }
}
