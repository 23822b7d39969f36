//! Whether what went into a tunnel is as IPVS would have written it.

use lvs_common::{map::tunnel, verdict::Verdict};

use super::{
    judge::{Outcome, aged, check, is_right},
    seen::{Part, Seen, TCP, UDP, tags},
    sums::{Sums, pseudo, sum},
    world::{self, GUE_PORT, MTU, WAYS},
};

const GRE: u8 = 47;
/// Headers of UDP and GUE.
const GUE_BYTES: usize = 12;

/// The packet inside, and the one around it. `by_stack`: the stack is to cut it, and takes a hop off it.
pub(super) fn check_wrapped(
    outcome: &Outcome<'_>,
    seen: &Seen,
    at: usize,
    way: usize,
    by_stack: bool,
) -> Result<(), String> {
    let Outcome { before, after, verdict, .. } = *outcome;
    let Some(outer) = Seen::of(after) else { return Err("nothing is around it".to_owned()) };
    let server = world::server(seen.is_v4, way);
    let wrap = WAYS[way].tunnel;
    let is_summed = wrap & tunnel::CHECKSUM != 0;
    let behind = match (wrap & tunnel::KIND, is_summed) {
        (tunnel::GUE, _) => GUE_BYTES,
        (tunnel::GRE, true) => 8,
        (tunnel::GRE, false) => 4,
        _ => 0,
    };
    let room = if server.is_ipv4() { 20 } else { 40 } + behind;
    let ends = (world::dip(server.is_ipv4()), server);
    check((outer.source, outer.destination) == ends, "between other ends")?;
    check(outer.at == at && outer.part == Part::Whole, "a fragment")?;
    check(outer.transport + behind == outer.at + room, "with options")?;
    check(outer.bytes == seen.bytes + room, "the outer packet has another length")?;
    let fits = outer.bytes <= usize::try_from(MTU).expect("a few");
    check(fits || by_stack || verdict == Verdict::Transmit, "too long")?;
    aged(&before[seen.at..], &after[at + room..], seen.is_v4, 1)?;
    header(outcome, seen, &outer, room, by_stack)?;
    let ether = if seen.is_v4 { [8, 0] } else { [0x86, 0xdd] };
    let carried = if seen.is_v4 { 4 } else { 41 };
    let head = &after[outer.transport..outer.transport + behind];
    let is_right_inside = is_promised(before, seen);
    match wrap & tunnel::KIND {
        tunnel::GUE => {
            check(outer.protocol == UDP, "not GUE")?;
            check(outer.ports(after).is_some_and(|(_, to)| to == GUE_PORT), "another port")?;
            let length = u16::try_from(seen.bytes + GUE_BYTES).expect("a packet");
            check(head[4..6] == length.to_be_bytes(), "another length of UDP")?;
            check(head[8..12] == [0, carried, 0, 0], "another header of GUE")?;
            check(
                is_summed == (head[6..8] != [0, 0]),
                "a checksum that is not asked for, or none",
            )?;
            let right = Sums::of(after, &outer).transport.unwrap_or(true);
            check(right || !is_right_inside, "a wrong outer checksum")
        }
        tunnel::GRE => {
            check(outer.protocol == GRE && head[2..4] == ether, "not GRE")?;
            check(head[..2] == [if is_summed { 0x80 } else { 0 }, 0], "other flags of GRE")?;
            let right = !is_summed || sum(&[&after[outer.transport..outer.end()]]) == 0xffff;
            check(right || !is_right_inside, "a wrong checksum of GRE")
        }
        _ => check(outer.protocol == carried, "another protocol"),
    }
}

/// The outer IP header says what it takes over.
fn header(
    outcome: &Outcome<'_>,
    seen: &Seen,
    outer: &Seen,
    room: usize,
    by_stack: bool,
) -> Result<(), String> {
    let after = outcome.after;
    let inner = Seen { at: outer.at + room, ..*seen };
    let hops = inner.hops(after).saturating_add(u8::from(by_stack));
    check(outer.hops(after) == hops, "it lives another time")?;
    let (inside, outside) = (tos(after, &inner), tos(after, outer));
    let expected = if inside & 3 == 3 { inside & !3 | 2 } else { inside };
    check(outside == expected, "another type of service")?;
    check(tags(after).is_some_and(|(_, of)| (of == 0x0800) == outer.is_v4), "another ethertype")?;
    if !outer.is_v4 {
        return Ok(());
    }
    check(Sums::of(after, outer).header, "a wrong checksum of the outer header")?;
    let flags = after[outer.at + 6] & 0xe0;
    let is_fixed = seen.is_v4 && after[inner.at + 6] & 0x40 != 0;
    check(
        flags == if is_fixed { 0x40 } else { 0 },
        "it may be cut, or not, unlike what is inside",
    )?;
    let id = &after[outer.at + 4..outer.at + 6];
    check(!is_fixed || id == [0, 0], "an identification of what is never cut")
}

fn tos(frame: &[u8], seen: &Seen) -> u8 {
    let [first, second] = [frame[seen.at], frame[seen.at + 1]];
    if seen.is_v4 { second } else { first << 4 | second >> 4 }
}

/// Whether the outer checksum can be right: it is made of what the inner ones promise, if there are some.
fn is_promised(before: &[u8], seen: &Seen) -> bool {
    let is_segment = seen.part == Part::Whole && matches!(seen.protocol, TCP | UDP);
    if !is_segment {
        return true;
    }
    let data = &before[seen.transport..seen.end()];
    if seen.protocol == UDP && data[6..8] == [0, 0] {
        return true;
    }
    // A fragment's header of a whole packet is taken for a fragment, and read.
    let beside = pseudo(seen.source, seen.destination, seen.protocol, data.len());
    is_right(before, seen) && !beside.is_empty()
}
