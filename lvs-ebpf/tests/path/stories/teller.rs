//! The director that a story is told to: what becomes of each frame, and of its accounts.

use lvs_common::{
    conntable::word,
    map::Load,
    net::{Addr, Addr6, Be32},
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};
use lvs_ebpf::{host::MemTables, icmp::own::TOLD, ip::Ip, packet::Packet};

use super::{
    errors,
    judge::{Outcome, judge},
    seen::{Part, SCTP, Seen, TCP, UDP, tags},
    story::{Event, Story},
    world,
};

/// Extension headers, and the last offset that a payload may begin at, that the path looks behind.
const EXTENSIONS_MAX: usize = 4;
const FARTHEST: usize = 255;

/// Tells a story: in words without numbers, what came of each of its frames.
///
/// # Errors
/// Something that must not come of one.
pub(crate) fn tell(story: &Story) -> Result<Vec<String>, String> {
    let mut tables = world::director();
    let mut effects = Vec::new();
    for (number, event) in story.0.iter().enumerate() {
        let effect = one(&mut tables, event);
        effects.push(effect.map_err(|wrong| format!("frame {number}: {wrong}"))?);
    }
    Ok(effects)
}

fn one(tables: &mut MemTables, event: &Event) -> Result<String, String> {
    agree(&event.frame)?;
    let maps = &mut tables.maps;
    maps.is_generic = event.is_generic;
    maps.now = maps.now.wrapping_add(event.seconds * maps.tunables.ticks_per_second);
    let (reasons, claims) = (maps.reasons, claims(tables));
    let mut frame = VecFrame::new(&event.frame, world::INGRESS);
    let verdict = tables.direct(&mut frame);
    counted(tables, verdict, &reasons)?;
    consistent(tables, claims)?;
    let (before, is_generic) = (&event.frame[..], event.is_generic);
    let effect = judge(&Outcome { before, after: frame.bytes(), verdict, is_generic })
        .map_err(|wrong| shown(&wrong, verdict, before, frame.bytes()))?;
    let Verdict::Drop(reason) = verdict else { return Ok(effect) };
    if !TOLD.contains(&reason) {
        return Ok(effect);
    }
    let Some(told) = tables.tell(&mut frame, reason) else { return Ok(format!("{effect} untold")) };
    consistent(tables, claims)?;
    errors::told(before, told, frame.bytes())
        .map_err(|wrong| shown(&wrong, told, before, frame.bytes()))?;
    Ok(format!("{effect} told"))
}

fn shown(wrong: &str, verdict: Verdict, before: &[u8], after: &[u8]) -> String {
    format!("{wrong}\n{verdict:?}\nwas {before:02x?}\nis  {after:02x?}")
}

/// The path's parser and etherparse see the same packet.
fn agree(frame: &[u8]) -> Result<(), String> {
    let untagged = tags(frame).filter(|(tags, _)| *tags == 0);
    match untagged {
        Some((_, 0x0800)) => agree_on::<Be32>(frame),
        Some((_, 0x86dd)) => agree_on::<Addr6>(frame),
        _ => Ok(()),
    }
}

fn agree_on<A: Ip>(frame: &[u8]) -> Result<(), String> {
    let ours = lvs_ebpf::packet::<A, _>(&VecFrame::new(frame, world::INGRESS));
    let seen = Seen::of(frame);
    let Ok(Packet { source, destination, source_port, destination_port, .. }) = ours else {
        let must = seen.is_some_and(|seen| must_be_read(frame, &seen));
        return if must { Err(format!("not read: {ours:?}, {seen:?}")) } else { Ok(()) };
    };
    let Some(seen) = seen else { return Err(format!("read what is none: {ours:?}")) };
    let packet = ours.expect("it is there");
    let ends = (Addr::from(seen.source), Addr::from(seen.destination))
        == (source.wide(), destination.wide());
    let ports = seen.ports(frame) == Some((source_port.get(), destination_port.get()));
    let rest = (usize::from(packet.bytes), packet.transport, packet.protocol, Part::Whole)
        == (seen.bytes, seen.transport, seen.protocol, seen.part);
    if ends && ports && rest { Ok(()) } else { Err(format!("{packet:?} is read, {seen:?} seen")) }
}

/// Whether the path has to know what it is.
fn must_be_read(frame: &[u8], seen: &Seen) -> bool {
    let least = match seen.protocol {
        TCP => 20,
        UDP => 8,
        SCTP => 16,
        _ => return false,
    };
    let before = seen.transport - seen.at;
    let is_plain = before == if seen.is_v4 { usize::from(frame[seen.at] & 15) * 4 } else { 40 };
    let is_summed = seen.protocol != UDP
        || seen.is_v4
        || frame.get(seen.transport + 6..seen.transport + 8) != Some(&[0, 0]);
    let near = seen.transport <= FARTHEST && extensions(frame, seen) <= EXTENSIONS_MAX;
    let is_whole = seen.part == Part::Whole && (is_plain || near && !has_fragment(frame, seen));
    is_whole && is_summed && seen.transport + least <= seen.end()
}

fn extensions(frame: &[u8], seen: &Seen) -> usize {
    walk(frame, seen).count()
}

fn has_fragment(frame: &[u8], seen: &Seen) -> bool {
    walk(frame, seen).any(|number| number == 44)
}

/// The numbers of a packet's extension headers.
fn walk<'a>(frame: &'a [u8], seen: &'a Seen) -> impl Iterator<Item = u8> + 'a {
    let mut next = (frame[seen.at + 6], seen.at + 40);
    std::iter::from_fn(move || {
        let (number, at) = next;
        if seen.is_v4 || at >= seen.transport {
            return None;
        }
        let bytes = if number == 44 { 8 } else { 8 + usize::from(frame[at + 1]) * 8 };
        next = (frame[at], at + bytes);
        Some(number)
    })
}

fn claims(tables: &MemTables) -> usize {
    tables.conns().claims() + tables.conns6().claims()
}

/// One reason is counted of a frame that is not forwarded, its own; none of one that is.
fn counted(tables: &MemTables, verdict: Verdict, before: &[u64]) -> Result<(), String> {
    let mut expected = before.to_vec();
    if let Verdict::Pass(reason) | Verdict::Drop(reason) = verdict {
        expected[reason as usize] += 1;
    }
    if tables.maps.reasons.as_slice() != expected {
        return Err(format!(
            "{verdict:?}, but counted are {:?} after {before:?}",
            tables.maps.reasons
        ));
    }
    if verdict == Verdict::Drop(Reason::Broken) { Err("broken".to_owned()) } else { Ok(()) }
}

/// The loads are what the connection tables hold, and nobody has kept a place.
fn consistent(tables: &MemTables, held: usize) -> Result<(), String> {
    if claims(tables) != held {
        return Err("a place of the connection table is kept".to_owned());
    }
    let found = found(tables);
    for (slot, (told, found)) in tables.maps.loads.iter().zip(&found).enumerate() {
        let counts = |load: &Load| (load.total, load.active, load.persistent);
        if counts(told) != counts(found) {
            return Err(format!("loads of {slot}: told {told:?}, found {found:?}"));
        }
    }
    Ok(())
}

/// What the connection tables hold of each real server.
pub(crate) fn found(tables: &MemTables) -> Vec<Load> {
    let mut loads = vec![Load::default(); tables.maps.loads.len()];
    for entry in tables.conns().entries().chain(tables.conns6().entries()) {
        let load = &mut loads[entry.dest() as usize];
        if entry.protocol() == word::TEMPLATE {
            load.persistent += 1;
            continue;
        }
        load.total += 1;
        load.active += u64::from(entry.state().is_active());
    }
    loads
}
