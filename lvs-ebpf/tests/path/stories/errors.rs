//! ICMP errors: relayed ones, and the director's own.

use lvs_common::verdict::Verdict;

use super::{
    judge::{Outcome, check, equal, header_kept, is_right, octets},
    seen::{Part, SCTP, Seen, TCP, UDP},
    sums::{Sums, sum},
    world::{self, BEHIND, DIRECTOR_MAC, FIRST_PORT, NAT},
};

const ETHERNET: usize = 14;
const ICMP: usize = 8;

/// An error about what a VIP sent by NAT: it is for the real server, and about what that sent.
pub(super) fn toward_server(outcome: &Outcome<'_>, seen: &Seen, at: usize) -> Result<(), String> {
    let server = octets(world::server(seen.is_v4, NAT));
    rewritten(outcome, seen, at, 1, (1, &server, BEHIND))
}

/// An error that the client gets: of NAT about what it sent to the real server, or of a tunnel.
pub(super) fn toward_client(outcome: &Outcome<'_>, seen: &Seen, at: usize) -> Result<(), String> {
    let Outcome { before, after, verdict, .. } = *outcome;
    let hops = u8::from(!matches!(verdict, Verdict::Pass(_)));
    let vip = octets(world::vip(seen.is_v4));
    let is_wrapped = Seen::of(after).is_some_and(|is| is.bytes != seen.bytes);
    if !is_wrapped {
        return rewritten(outcome, seen, at, hops, (0, &vip, FIRST_PORT + 1));
    }
    let is = own(after, at)?;
    check(octets(is.source) == vip, "it does not come from the VIP")?;
    let quoted = &after[is.transport + ICMP..];
    let inside = &before[seen.transport + ICMP..];
    let has = quoted.is_empty() || inside.windows(quoted.len()).any(|part| part == quoted);
    check(has, "it quotes what was not there")?;
    let about = about(after, &is).ok_or("it quotes no packet")?;
    check((about.source, about.destination) == (is.destination, is.source), "it is told to others")
}

/// What the director itself has to say of a frame that it dropped.
pub(crate) fn told(before: &[u8], verdict: Verdict, after: &[u8]) -> Result<(), String> {
    let Some(seen) = Seen::of(before) else { return Err("nothing is to be told".to_owned()) };
    check(verdict == Verdict::Redirect(world::INGRESS), "it leaves elsewhere")?;
    check(after[..6] == before[6..12] && after[6..12] == before[..6], "to somebody else")?;
    check(after[ETHERNET..seen.at] == before[ETHERNET..seen.at], "with other tags")?;
    let is = own(after, seen.at)?;
    check((is.source, is.destination) == (seen.destination, seen.source), "between other ends")?;
    check(is.source == world::vip(seen.is_v4), "it does not come from the VIP")?;
    let quoted = &after[is.transport + ICMP..];
    let was = &before[seen.at..seen.at + quoted.len()];
    let may = |at: usize| if seen.is_v4 { [8, 10, 11].contains(&at) } else { at == 7 };
    let same = was.iter().zip(quoted).enumerate().all(|(at, (was, is))| was == is || may(at));
    check(same, "it quotes other bytes than were sent")
}

/// An error of the director's own.
fn own(after: &[u8], at: usize) -> Result<Seen, String> {
    let Some(is) = Seen::of(after) else { return Err("no error".to_owned()) };
    check(is.at == at && is.is_icmp() && is.part == Part::Whole, "no error")?;
    check(is.end() == after.len(), "it is longer or shorter than it says")?;
    check(is.hops(after) == 64, "it lives another time")?;
    check(is.bytes <= if is.is_v4 { 576 } else { 1280 }, "too long for an error")?;
    check(after[6..12] == DIRECTOR_MAC.bytes() || after.len() > ETHERNET, "from somebody else")?;
    check(is_right(after, &is), "a wrong checksum")?;
    Ok(is)
}

/// The packet that an error quotes.
fn about(frame: &[u8], error: &Seen) -> Option<Seen> {
    let at = error.transport + ICMP;
    if error.is_v4 { Seen::v4(frame, at) } else { Seen::v6(frame, at) }
}

/// The error has another address at one end, the packet that it quotes at the other one, and another port there.
fn rewritten(
    outcome: &Outcome<'_>,
    seen: &Seen,
    at: usize,
    hops: u8,
    (end, address, port): (usize, &[u8], u16),
) -> Result<(), String> {
    let Outcome { before, after, .. } = *outcome;
    let (was, is) = (&before[seen.at..], &after[at..]);
    check(was.len() == is.len(), "another length")?;
    // A header's checksum is for the next who gets it.
    check(Sums::of(before, seen).transport == Some(true), "what was wrong is relayed")?;
    let about = about(before, seen).ok_or("it is about nothing")?;
    check(matches!(about.protocol, TCP | UDP | SCTP), "it is about something else")?;
    let width = address.len();
    let first = if seen.is_v4 { 12 } else { 8 };
    let hop = if seen.is_v4 { 8 } else { 7 };
    let (icmp, quoted) = (seen.transport - seen.at, about.at - seen.at);
    let place = first + end * width;
    let other = quoted + first + (1 - end) * width;
    let ports = about.transport - seen.at + (1 - end) * 2;
    check(is[place..place + width] == *address, "it has another address")?;
    check(is[other..other + width] == *address, "it quotes another address")?;
    check(is[ports..ports + 2] == port.to_be_bytes(), "it quotes another port")?;
    check(was[hop].checked_sub(hops) == Some(is[hop]), "another age")?;
    let may = |at: usize| {
        at == hop
            || seen.is_v4 && ((10..12).contains(&at) || (quoted + 10..quoted + 12).contains(&at))
            || (icmp + 2..icmp + 4).contains(&at)
            || (place..place + width).contains(&at)
            || (other..other + width).contains(&at)
            || (ports..ports + 2).contains(&at)
    };
    let same = was.iter().zip(is).enumerate().all(|(at, (was, is))| was == is || may(at));
    check(same, "more than addresses and a port is different")?;
    header_kept(was, is, seen.is_v4)?;
    if seen.is_v4 {
        let words = quoted + usize::from(was[quoted] & 15) * 4;
        let kept = equal(sum(&[&was[quoted..words]]), sum(&[&is[quoted..words]]));
        check(kept, "the quoted header's checksum did not follow")?;
    }
    let after_it = Seen::of(after).ok_or("no error")?;
    check(is_right(after, &after_it) || !is_right(before, seen), "a wrong checksum of the error")
}
