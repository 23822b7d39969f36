//! Whether that may become of a frame that became of it.

use std::net::IpAddr;

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
};

use super::{
    errors,
    seen::{Part, SCTP, Seen, TCP, UDP, tags},
    sums::{Sums, crc, pseudo, sum},
    world::{self, BEHIND, CLIENT_MAC, DIRECTOR_MAC, FIRST_PORT, NAT, WAYS},
    wrapped,
};

const ETHERNET: usize = 14;
const TAG: usize = 4;

/// What became of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Outcome<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) after: &'a [u8],
    pub(crate) verdict: Verdict,
    pub(crate) is_generic: bool,
}

/// What became of it, in words.
///
/// # Errors
/// It must not.
pub(crate) fn judge(outcome: &Outcome<'_>) -> Result<String, String> {
    let Outcome { before, after, verdict, .. } = *outcome;
    let what = Seen::of(before).map_or_else(|| "nothing".to_owned(), |seen| kind(&seen));
    let way = match verdict {
        Verdict::Drop(reason) => reason.name(),
        Verdict::Pass(Reason::ByStack) => by_stack(outcome)?,
        Verdict::Pass(reason) => {
            check(before == after, "it is passed, but not as it was")?;
            reason.name()
        }
        Verdict::Transmit | Verdict::Redirect(_) => forwarded(outcome)?,
    };
    Ok(format!("{what}: {way}"))
}

pub(super) fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// A packet in words.
fn kind(seen: &Seen) -> String {
    let family = if seen.is_v4 { "four" } else { "six" };
    let part = match seen.part {
        Part::Whole => "",
        Part::First => ", first",
        Part::Later => ", later",
    };
    let protocol = match seen.protocol {
        TCP => "tcp",
        UDP => "udp",
        SCTP => "sctp",
        _ if seen.is_icmp() => "icmp",
        _ => "other",
    };
    format!("{protocol} {family}{part}")
}

fn forwarded(outcome: &Outcome<'_>) -> Result<&'static str, String> {
    let Outcome { before, after, verdict, .. } = *outcome;
    let Some(seen) = Seen::of(before) else { return Err("it is no packet".to_owned()) };
    let (Some(to), Some(from)) = (after.first_chunk::<6>(), after.get(6..12)) else {
        return Err("it has no addresses".to_owned());
    };
    check(from == DIRECTOR_MAC.bytes(), "it comes from somebody else")?;
    let (tags, _) = tags(after).ok_or("it has no ethertype")?;
    let at = ETHERNET + tags * TAG;
    if *to == CLIENT_MAC.bytes() {
        check(verdict == Verdict::Redirect(world::INGRESS) && tags == 0, "it leaves elsewhere")?;
        if seen.is_icmp() {
            errors::toward_client(outcome, &seen, at)?;
            return Ok("told to the client");
        }
        translated(outcome, &seen, at, Direction::Reply, 1)?;
        return Ok("reply");
    }
    let Some((is_v4, way)) = world::way_to(*to) else { return Err("it goes to nobody".to_owned()) };
    check(seen.is_v4 == is_v4 && seen.destination == world::vip(is_v4), "it is not for a VIP")?;
    check((verdict == Verdict::Transmit) == (way == 0), "it leaves elsewhere")?;
    check(tags == usize::from(way == 4), "it has a tag that it must not have, or none")?;
    if let Some((_, port)) = seen.ports(before) {
        check(world::way_of(port) == Some(way), "it goes another service's way")?;
    }
    match WAYS[way].method {
        Method::DIRECT_ROUTE => aged(&before[seen.at..], &after[at..], seen.is_v4, 1)?,
        Method::MASQ if seen.is_icmp() => errors::toward_server(outcome, &seen, at)?,
        Method::MASQ => translated(outcome, &seen, at, Direction::Request, 1)?,
        _ => wrapped::check_wrapped(outcome, &seen, at, way, false)?,
    }
    Ok(WAYS[way].name)
}

/// What the stack gets to send: a packet that was translated, or wrapped, and loses its hop there.
fn by_stack(outcome: &Outcome<'_>) -> Result<&'static str, String> {
    let Outcome { before, after, .. } = *outcome;
    let Some(seen) = Seen::of(before) else { return Err("it is no packet".to_owned()) };
    if before == after {
        check(seen.is_icmp(), "it is left to the stack as it is")?;
        return Ok("to the stack");
    }
    check(before[..12] == after[..12], "other link-layer addresses")?;
    check(tags(before).map(|it| it.0) == tags(after).map(|it| it.0), "other tags")?;
    check(
        before[ETHERNET..seen.at.max(ETHERNET)]
            .get(..seen.at - ETHERNET - 2.min(seen.at - ETHERNET))
            == after[ETHERNET..seen.at.max(ETHERNET)]
                .get(..seen.at - ETHERNET - 2.min(seen.at - ETHERNET)),
        "other tags",
    )?;
    if after.len() > before.len() {
        let way = seen.ports(before).and_then(|(_, port)| world::way_of(port));
        let ways = 0..WAYS.len();
        let tried: Vec<_> = ways
            .filter(|number| way.is_none_or(|way| way == *number))
            .filter(|number| WAYS[*number].method == Method::TUNNEL)
            .map(|number| wrapped::check_wrapped(outcome, &seen, seen.at, number, true))
            .collect();
        check(!tried.is_empty(), "it became longer")?;
        return match tried.iter().find(|it| it.is_ok()) {
            Some(_) => Ok("wrapped by the stack"),
            None => Err(format!("by no tunnel: {tried:?}")),
        };
    }
    if seen.is_icmp() {
        errors::toward_client(outcome, &seen, seen.at)?;
        return Ok("told by the stack");
    }
    let is_request = seen.destination == world::vip(seen.is_v4);
    let direction = if is_request { Direction::Request } else { Direction::Reply };
    translated(outcome, &seen, seen.at, direction, 0)?;
    Ok("translated by the stack")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

/// Whether nothing but its age, and the checksum over that, is different.
pub(super) fn aged(was: &[u8], is: &[u8], is_v4: bool, hops: u8) -> Result<(), String> {
    check(was.len() == is.len(), "another length")?;
    let hop = if is_v4 { 8 } else { 7 };
    check(was[hop].checked_sub(hops) == Some(is[hop]), "another age")?;
    let may = |at: usize| at == hop || is_v4 && (10..12).contains(&at);
    let same = was.iter().zip(is).enumerate().all(|(at, (was, is))| was == is || may(at));
    check(same, "more than its age is different")?;
    header_kept(was, is, is_v4)
}

/// Whether the header's checksum says as much of it as before.
pub(super) fn header_kept(was: &[u8], is: &[u8], is_v4: bool) -> Result<(), String> {
    let words = usize::from(was[0] & 15) * 4;
    check(
        !is_v4 || equal(sum(&[&was[..words]]), sum(&[&is[..words]])),
        "the header's checksum did not follow",
    )
}

/// Of sums in one's complement, which has two zeros.
pub(super) fn equal(one: u16, other: u16) -> bool {
    one % 0xffff == other % 0xffff
}

/// NAT: the packet has another address and port at one end, and nothing else is different.
fn translated(
    outcome: &Outcome<'_>,
    seen: &Seen,
    at: usize,
    direction: Direction,
    hops: u8,
) -> Result<(), String> {
    let Outcome { before, after, is_generic, .. } = *outcome;
    let (was, is) = (&before[seen.at..], &after[at..]);
    check(was.len() == is.len(), "another length")?;
    let (server, vip) = (world::server(seen.is_v4, NAT), world::vip(seen.is_v4));
    let (from, to) = match direction {
        Direction::Request => ((vip, None), (server, BEHIND)),
        Direction::Reply => ((server, Some(BEHIND)), (vip, FIRST_PORT + 1)),
    };
    let end = usize::from(direction == Direction::Request);
    let width = if seen.is_v4 { 4 } else { 16 };
    let address = if seen.is_v4 { 12 } else { 8 } + end * width;
    check([seen.source, seen.destination][end] == from.0, "it was of another end")?;
    check(is[address..address + width] == octets(to.0), "it has another address")?;
    let transport = seen.transport - seen.at;
    let port = transport + end * 2;
    if seen.part != Part::Later {
        check(is[port..port + 2] == to.1.to_be_bytes(), "it has another port")?;
        let was = u16::from_be_bytes([was[port], was[port + 1]]);
        check(from.1.is_none_or(|from| from == was), "it was of another port")?;
    }
    let hop = if seen.is_v4 { 8 } else { 7 };
    check(was[hop].checked_sub(hops) == Some(is[hop]), "another age")?;
    let sums = match seen.protocol {
        TCP => 16..18,
        UDP => 6..8,
        _ => 8..12,
    };
    let may = |place: usize| {
        place == hop
            || seen.is_v4 && (10..12).contains(&place)
            || (address..address + width).contains(&place)
            || seen.part != Part::Later
                && ((port..port + 2).contains(&place)
                    || (transport + sums.start..transport + sums.end).contains(&place))
    };
    let same = was.iter().zip(is).enumerate().all(|(at, (was, is))| was == is || may(at));
    check(same, "more than an address and a port is different")?;
    header_kept(was, is, seen.is_v4)?;
    if seen.part == Part::Later {
        return Ok(());
    }
    let readdressed = match direction {
        Direction::Request => Seen { destination: to.0, ..*seen },
        Direction::Reply => Seen { source: to.0, ..*seen },
    };
    let (was, is) = (&was[transport..seen.bytes], &is[transport..seen.bytes]);
    segment_kept((seen, was), (&readdressed, is), is_generic)
}

/// Whether the checksum of what it carries says as much as before.
fn segment_kept(
    (before, was): (&Seen, &[u8]),
    (after, is): (&Seen, &[u8]),
    is_generic: bool,
) -> Result<(), String> {
    if before.protocol == SCTP {
        let crc_of = |data: &[u8]| {
            crc(data) ^ u32::from_le_bytes(*data[8..].first_chunk().expect("it has a header"))
        };
        return check(
            before.part != Part::Whole || crc_of(was) == crc_of(is),
            "the CRC did not follow",
        );
    }
    let stored = |data: &[u8]| {
        let at = if before.protocol == TCP { 16 } else { 6 };
        u16::from_be_bytes([data[at], data[at + 1]])
    };
    if before.protocol == UDP && stored(was) == 0 {
        return check(stored(is) == 0, "there was no checksum, and now is one");
    }
    check(before.protocol != UDP || stored(is) != 0, "there was a checksum, and now is none")?;
    let beside =
        |seen: &Seen, data: &[u8]| pseudo(seen.source, seen.destination, seen.protocol, data.len());
    let (beside_was, beside_is) = (beside(before, was), beside(after, is));
    if is_generic && before.part == Part::Whole && stored(was) == sum(&[&beside_was]) {
        return check(
            equal(stored(is), sum(&[&beside_is])),
            "what the sender's card is to finish did not follow",
        );
    }
    check(equal(sum(&[&beside_was, was]), sum(&[&beside_is, is])), "the checksum did not follow")
}

/// Whether all of a packet's checksums are right, as far as they can be told.
pub(super) fn is_right(frame: &[u8], seen: &Seen) -> bool {
    let sums = Sums::of(frame, seen);
    sums.header && sums.transport.unwrap_or(true)
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
