//! An ICMP error of the director's own (`icmp_send`): the VIP's word to the client, about its packet.

use lvs_common::{
    net::{Be16, Be32, checksum::fold},
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame, Icmp},
};

use super::BROKEN;
use crate::{
    forward::send,
    ip::{Carried, Head, Header, Ip, NETWORK},
    tables::{Route, Tables},
};

/// Hops that it may take.
const TTL: u8 = 64;

/// An error.
#[derive(Clone, Copy)]
pub struct Answer<A> {
    /// Type and code.
    pub(super) what: (u8, u8),
    pub(super) info: Be32,
    /// The VIP.
    pub(super) from: A,
    /// The client.
    pub(super) to: A,
    /// Of the client's packet.
    pub(super) tos: u8,
    /// Identification of its fragments, which it never has.
    pub(super) id: Be16,
    /// Bytes of the client's packet that it quotes.
    pub(super) quoted: u16,
}

/// As much as an error may quote of what lies in a packet from an offset on.
#[inline(always)]
pub(super) fn quotable<A: Ip>(of: &Header<A>, at: usize) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "offsets of headers")]
    let before = (at - NETWORK) as u16;
    of.bytes.wrapping_sub(before).min(A::ERROR_BYTES - headers::<A>())
}

/// Takes away what stands before the packet at an offset, but for room for an error's headers.
#[inline(always)]
pub(super) fn bare<A: Ip, F: Frame>(
    frame: &mut F,
    at: usize,
    ethernet: Ethernet,
) -> Result<(), Verdict> {
    let before = NETWORK + usize::from(headers::<A>());
    if !frame.shrink(at.wrapping_sub(before)) {
        return Err(BROKEN);
    }
    *frame.at_mut::<Ethernet>(0).ok_or(BROKEN)? = ethernet;
    Ok(())
}

/// Writes the error before the packet that it quotes, and sends it to whom it is for.
///
/// # Errors
/// It goes no further.
#[inline(always)]
pub fn send<F: Frame, T: Tables>(
    frame: &mut F,
    answer: &Answer<T::Address>,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    write(frame, answer)?;
    match tables.route(answer.from, answer.to) {
        Route::Hop(hop) => send::out(frame, &hop),
        Route::NoNeighbour => Ok(Verdict::Pass(Reason::ByStack)),
        Route::None => Err(Verdict::Drop(Reason::NoRoute)),
    }
}

/// Writes the error's headers before the packet that it quotes, and ends the frame behind it.
#[inline(always)]
pub(super) fn write<F: Frame, A: Ip>(frame: &mut F, answer: &Answer<A>) -> Result<(), Verdict> {
    let bytes = headers::<A>() + answer.quoted;
    if !frame.cut(NETWORK + usize::from(bytes)) {
        return Err(BROKEN);
    }
    let head = Head {
        source: answer.from,
        destination: answer.to,
        protocol: A::ICMP,
        bytes,
        carried: Carried {
            tos: A::error_tos(answer.tos),
            ttl: TTL,
            dont_fragment: false,
            id: answer.id,
        },
    };
    A::write(frame, &head)?;
    let at = NETWORK + usize::from(A::BYTES);
    let Answer { what: (kind, code), info, .. } = *answer;
    let icmp = Icmp { kind, code, check: Be16::new(0), info };
    *frame.at_mut::<Icmp>(at).ok_or(BROKEN)? = icmp;
    let message = bytes - A::BYTES;
    let sum = frame.sum(at, usize::from(message)).ok_or(BROKEN)?;
    let pseudo = A::icmp_pseudo(answer.from, answer.to, message);
    let check = Be16::from_raw(!fold(u64::from(sum) + u64::from(pseudo)));
    *frame.at_mut::<Icmp>(at).ok_or(BROKEN)? = Icmp { check, ..icmp };
    Ok(())
}

const _: () = assert!(size_of::<Icmp>() == 8);

/// Bytes of an error's headers.
#[inline(always)]
pub(super) const fn headers<A: Ip>() -> u16 {
    A::BYTES + 8
}
