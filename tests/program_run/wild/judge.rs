//! What may become of a frame: which bytes may differ, and how long it may be.

use lvs_tests::rig::{Action, packet::Mac, router};

use super::{
    frames::{ETHERNET, sum},
    world::{Method, method_of},
};

/// NAT and errors change nothing farther behind the link-layer header than this.
const REACH: usize = 480;

/// What became of frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) fed: u64,
    pub(super) forwarded: u64,
    /// Dropped, with a word to whoever sent them.
    pub(super) answered: u64,
    pub(super) passed: u64,
    /// Of these: rewritten for the stack.
    pub(super) changed: u64,
    pub(super) dropped: u64,
}

impl Tally {
    pub(super) fn add(&mut self, more: &Self) {
        self.fed += more.fed;
        self.forwarded += more.forwarded;
        self.answered += more.answered;
        self.passed += more.passed;
        self.changed += more.changed;
        self.dropped += more.dropped;
    }

    /// Counts what became of a frame.
    ///
    /// # Errors
    /// It cannot have become that.
    pub(super) fn judge(
        &mut self,
        before: &[u8],
        action: Action,
        after: &[u8],
    ) -> Result<(), String> {
        self.fed += 1;
        match action {
            Action::Dropped => self.dropped += 1,
            Action::Passed => {
                self.passed += 1;
                self.changed += u64::from(before != after);
            }
            Action::Sent if is_answer(before, after)? => self.answered += 1,
            Action::Sent => {
                self.forwarded += 1;
                forwarded(before, after)?;
            }
        }
        Ok(())
    }
}

/// Whether it is the director's own word about a frame, which is then checked.
fn is_answer(before: &[u8], after: &[u8]) -> Result<bool, String> {
    let (about, error) = (packet(before), packet(after));
    let Some((headers, at)) = icmp(error) else { return Ok(false) };
    let quoted = &error[headers..];
    let back = after[..6] == before[6..12] && after[6..12] == before[..6];
    if !back || quoted.is_empty() || !same_but_age(&quoted[..quoted.len().min(40)], about) {
        return Ok(false);
    }
    check(same_but_age(quoted, about), "it quotes other bytes than it was sent")?;
    check(error.len() == length(error), "it is longer or shorter than it says")?;
    check(at == 40 || sum(&error[..at]) == 0xffff, "a wrong header checksum")?;
    check(is_summed(error, at), "a wrong checksum of the error")?;
    Ok(true)
}

fn forwarded(before: &[u8], after: &[u8]) -> Result<(), String> {
    let mac: Mac = *after.first_chunk().ok_or("no frame")?;
    let (was, is) = (packet(before), &after[ETHERNET..]);
    match method_of(mac) {
        Some(Method::Direct) => check(same_length(was, is) && same_but_age(is, was), "DR"),
        Some(Method::Nat) => check(same_length(was, is) && translated(was, is), "NAT"),
        Some(Method::Tunnel { is_v4, bytes }) => {
            check(is.len() == was.len() + bytes, "TUN: another length")?;
            check(same_but_age(&is[bytes..], was), "TUN: another packet")?;
            check(length(is) == length(was) + bytes, "TUN: the outer header's length")?;
            let ethertype: &[u8] = if is_v4 { &[8, 0] } else { &[0x86, 0xdd] };
            check(after[12..14] == *ethertype, "TUN: the outer packet's family")?;
            check(!is_v4 || sum(&is[..20]) == 0xffff, "TUN: the outer header's checksum")
        }
        None if mac == router() && same_length(was, is) => check(translated(was, is), "a reply"),
        None if mac == router() => tunneled(was, is),
        None => Err("it goes to nobody".to_owned()),
    }
}

/// An error about a tunnel's packet, as the client gets it.
fn tunneled(was: &[u8], is: &[u8]) -> Result<(), String> {
    let (headers, at) = icmp(is).ok_or("a frame of another length")?;
    check(is.len() == length(is), "an error longer or shorter than it says")?;
    check(is_summed(is, at), "a wrong checksum of the error")?;
    let quoted = &is[headers..];
    let has = quoted.is_empty() || was.windows(quoted.len()).any(|part| part == quoted);
    check(has, "an error with bytes that were not there")
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// What is behind the link-layer header and its tags.
fn packet(frame: &[u8]) -> &[u8] {
    let mut at = 12;
    while let Some([0x81, 0] | [0x88, 0xa8]) = frame.get(at..at + 2) {
        at += 4;
    }
    frame.get(at + 2..).unwrap_or_default()
}

/// The length that a packet's header says.
fn length(packet: &[u8]) -> usize {
    let half = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    if packet[0] >> 4 == 4 { half(2) } else { 40 + half(4) }
}

/// The offsets of what an ICMP message without options quotes, and of itself.
fn icmp(packet: &[u8]) -> Option<(usize, usize)> {
    let at = match (packet.first()?, packet.get(9)?, packet.get(6)?) {
        (0x45, 1, _) => 20,
        (0x60..=0x6f, _, 58) => 40,
        _ => return None,
    };
    (packet.len() >= at + 8).then_some((at + 8, at))
}

fn is_summed(packet: &[u8], at: usize) -> bool {
    let message = &packet[at..];
    if at == 20 {
        return sum(message) == 0xffff;
    }
    let length = u16::try_from(message.len()).expect("a packet").to_be_bytes();
    sum(&[&packet[8..40], &length, &[0, 58], message].concat()) == 0xffff
}

fn same_length(was: &[u8], is: &[u8]) -> bool {
    was.len() == is.len()
}

/// Whether nothing but age, and the checksum that covers it, differs in what both have.
fn same_but_age(is: &[u8], was: &[u8]) -> bool {
    let is_v4 = was.first().is_some_and(|first| first >> 4 == 4);
    let ages = |at: usize| if is_v4 { [8, 10, 11].contains(&at) } else { at == 7 };
    is.len() <= was.len()
        && is.iter().zip(was).enumerate().all(|(at, (is, was))| is == was || ages(at))
}

/// Whether no more differs than addresses, ports, checksums and age; of errors, also in what they quote.
fn translated(was: &[u8], is: &[u8]) -> bool {
    let places = was.iter().zip(is).enumerate().filter(|(_, (was, is))| was != is);
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    let is_v4 = was.first().is_some_and(|first| first >> 4 == 4);
    let is_error = if is_v4 { was[9] == 1 } else { was[6] != 6 && was[6] != 17 };
    let most = match (is_v4, is_error) {
        (true, false) => 13,
        (true, true) => 17,
        (false, false) => 23,
        (false, true) => 40,
    };
    places.len() <= most && places.last().is_none_or(|last| *last < REACH)
}
