//! The map of datagrams that come in fragments, for both families.

use aya_ebpf::bindings::BPF_ANY;
use lvs_common::{
    map::{DATAGRAM_S, Datagram, DatagramKey},
    pieces::{Piece, Pieces},
    verdict::Reason,
};
use lvs_ebpf::fragment::{self, Trace};

use super::{
    atomic, clock, early,
    maps::{FRAGMENTS, TRACED, TUNABLES},
    pool::Moved,
};

/// What is asked of the map, and what it says.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Traced {
    key: DatagramKey,
    start: u32,
    end: u32,
    is_last: u32,
    pad: u32,
    /// What is known, or will be.
    pub datagram: Datagram,
}

impl Traced {
    /// What is asked about.
    #[inline(always)]
    pub fn key(&self) -> &DatagramKey {
        &self.key
    }

    /// Where the piece begins, units of eight bytes.
    #[inline(always)]
    pub fn start(&self) -> u32 {
        self.start
    }
}

/// `lvs_trace`: nothing known; known; or why not.
const UNKNOWN: u32 = 0;
const KNOWN: u32 = 1;
const DUPLICATE: u32 = 2;
const OVERLAPS: u32 = 3;
const SCATTERED: u32 = 4;
const BUSY: u32 = 5;

/// Attempts at a datagram that another CPU has in hand.
const TRIES: u32 = 64;

/// This CPU's value.
#[inline(always)]
pub fn traced() -> Option<&'static mut Traced> {
    // SAFETY: nobody else has this CPU's value while the packet is under way, and every function takes it
    // anew.
    TRACED.get_ptr_mut(0).map(|traced| unsafe { &mut *traced })
}

/// See [`Tables::trace`](lvs_ebpf::tables::Tables::trace).
#[inline(always)]
pub fn trace(key: &DatagramKey, piece: Piece) -> Trace {
    const BROKEN: Trace = Trace::Refused(Reason::Broken);
    let Some(asked) = traced() else { return BROKEN };
    asked.key = *key;
    (asked.start, asked.end) = (piece.start, piece.end);
    asked.is_last = piece.is_last.into();
    match lvs_trace() {
        UNKNOWN => Trace::Unknown,
        KNOWN => Trace::Known,
        DUPLICATE => Trace::Refused(Reason::FragmentDuplicate),
        OVERLAPS => Trace::Refused(Reason::FragmentOverlap),
        SCATTERED => Trace::Refused(Reason::FragmentEndless),
        BUSY => Trace::Refused(Reason::Racing),
        _ => BROKEN,
    }
}

/// Looks for the datagram that is asked for.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_trace() -> u32 {
    let (Some(asked), Some(tunables)) = (traced(), TUNABLES.get(0)) else { return u32::MAX };
    let now = clock::ticks().wrapping_add(tunables.clock_offset);
    // verifier: a piece within a datagram
    let (start, end) = (asked.start & 0x1fff, asked.end & 0x3fff);
    let piece = Piece { start, end, is_last: asked.is_last != 0 };
    if let Some(known) = FRAGMENTS.get_ptr_mut(&asked.key) {
        let found = locked(known, |known| {
            let found = fragment::trace::<Moved>(known, piece, now);
            asked.datagram = *known;
            found
        });
        let Some((traced, is_whole)) = found else { return BUSY };
        if is_whole {
            // Whoever was faster has removed it.
            _ = FRAGMENTS.remove(&asked.key);
        }
        match traced {
            Trace::Known => return KNOWN,
            Trace::Refused(Reason::FragmentDuplicate) => return DUPLICATE,
            Trace::Refused(Reason::FragmentOverlap) => return OVERLAPS,
            Trace::Refused(_) => return SCATTERED,
            Trace::Unknown => {}
        }
    }
    let datagram = &mut asked.datagram;
    *datagram = bytemuck::Zeroable::zeroed();
    datagram.expires = now.wrapping_add(DATAGRAM_S * tunables.ticks_per_second);
    datagram.pieces = Pieces::of(piece);
    UNKNOWN
}

/// See [`Tables::remember`](lvs_ebpf::tables::Tables::remember).
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_remember() -> u32 {
    let (Some(asked), Some(tunables)) = (traced(), TUNABLES.get(0)) else { return 0 };
    let now = clock::ticks().wrapping_add(tunables.clock_offset);
    let Some(known) = FRAGMENTS.get_ptr_mut(&asked.key) else {
        // Without a place for it, its other fragments will come too early.
        _ = FRAGMENTS.insert(&asked.key, &asked.datagram, BPF_ANY.into());
        early::tell(&asked.key);
        return 0;
    };
    let new = &asked.datagram;
    locked(known, |known| {
        if known.is_expired(now) {
            *known = Datagram { lock: known.lock, ..*new };
        }
    });
    early::tell(&asked.key);
    0
}

/// Changes a datagram while nobody else does; none if somebody will not let go of it.
#[inline(always)]
fn locked<R>(datagram: *mut Datagram, change: impl FnOnce(&mut Datagram) -> R) -> Option<R> {
    let lock = datagram.cast::<u64>();
    let mut tries = 0;
    // SAFETY: the first word of a map value.
    while unsafe { atomic::compare_exchange(lock, 0, 1) } != 0 {
        tries += 1;
        if tries == TRIES {
            return None;
        }
    }
    // SAFETY: the lock is this CPU's. A value that the map gives to another datagram meanwhile stays memory of the
    // map; that datagram is then judged by wrong pieces.
    let result = change(unsafe { &mut *datagram });
    // SAFETY: as above.
    unsafe { atomic::exchange(lock, 0) };
    Some(result)
}
