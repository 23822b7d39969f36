//! Errors about the director's own tunnel packets: the client, whose packet was inside, gets one about that.

use lvs_common::{
    map::{Dest, Method, tunnel},
    net::{Be16, Be32, protocol},
    verdict::Verdict,
    wire::{Frame, Gre, GreChecksum, Gue, Udp},
};

use super::{
    BROKEN, Error, UNRELATED,
    answer::{self, Answer},
    find,
    quoted::Quoted,
};
use crate::{account, forward::send, ip::Ip, tables::Tables};

/// A tunnel's headers as they were quoted.
pub(super) struct Wrapping {
    kind: u8,
    port: Be16,
    /// Offset of the packet inside.
    pub(super) inside: usize,
}

/// Makes the frame the packet that was inside, with room for the client's error before it: that error.
#[inline(always)]
pub(super) fn relay<F: Frame, T: Tables>(
    frame: &mut F,
    error: &Error<T::Address>,
    tables: &mut T,
) -> Result<Answer<T::Address>, Verdict> {
    let wrapping = Wrapping::read(frame, &error.about).ok_or(UNRELATED)?;
    let inside = Quoted::read(frame, wrapping.inside, &error.ip).ok_or(UNRELATED)?;
    let request = inside.packet().ok_or(UNRELATED)?;
    if !tables.is_vip(request.destination) {
        return Err(UNRELATED);
    }
    let hit = find(&request, tables).ok_or(UNRELATED)?;
    let slot = hit.entry.dest();
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    let its = T::Address::narrow(dest.address) == error.about.destination && wrapping.is_of(dest);
    if !its || hit.entry.method() != Method::TUNNEL {
        return Err(UNRELATED);
    }
    let hop = send::hop(dest.next_hop, tables)?;
    let (from, mtu) = (hop.from, hop.mtu);
    error.verify(frame)?;
    account::reply(&error.packet(), slot, tables);

    let carried = T::Address::carried(frame, inside.at)?;
    let mut info = error.icmp.info;
    if (error.icmp.kind, error.icmp.code) == T::Address::TOO_LONG {
        if T::Address::may_be_cut(carried) {
            // Nobody was to be told: it could have been cut.
            return Err(UNRELATED);
        }
        #[expect(clippy::cast_possible_truncation, reason = "two headers")]
        let headers = (inside.at - error.about.at) as u32;
        let told = (info.get() & T::Address::MTU_BITS).max(T::Address::LEAST_MTU).min(mtu);
        // Only of what went out, and was longer than what gets through.
        let outer = T::Address::quoted(frame, error.about.at).map_or(0, |outer| outer.bytes.into());
        if told < outer && outer <= mtu && from == error.about.source.wide() {
            tables.learn_path(slot, told);
        }
        info = Be32::new(told.saturating_sub(headers));
    }
    let quoted = answer::quotable::<T::Address>(&error.ip, inside.at);
    let answer = Answer {
        what: (error.icmp.kind, error.icmp.code),
        info,
        from: request.destination,
        to: request.source,
        tos: carried.tos,
        id: carried.id,
        quoted,
    };
    answer::bare::<T::Address, F>(frame, inside.at, error.ethernet)?;
    Ok(answer)
}

impl Wrapping {
    #[inline(always)]
    pub(super) fn read<A: Ip, F: Frame>(frame: &F, about: &Quoted<A>) -> Option<Self> {
        let at = about.transport;
        match about.protocol {
            protocol::UDP => {
                let port = frame.at::<Udp>(at)?.destination;
                let gue = frame.at::<Gue>(at + size_of::<Udp>())?;
                let inside = at + size_of::<Udp>() + size_of::<Gue>();
                let plain = gue.version_length == 0 && gue.protocol == A::CARRIED;
                plain.then_some(Self { kind: tunnel::GUE, port, inside })
            }
            protocol::GRE => {
                let gre = frame.at::<Gre>(at)?;
                let more = if gre.flags == Gre::CHECKSUM {
                    size_of::<GreChecksum>()
                } else if gre.flags == Be16::new(0) {
                    0
                } else {
                    return None;
                };
                let inside = at + size_of::<Gre>() + more;
                (gre.ethertype == A::ETHERTYPE).then_some(Self {
                    kind: tunnel::GRE,
                    port: Be16::new(0),
                    inside,
                })
            }
            other if other == A::CARRIED => {
                Some(Self { kind: tunnel::IPIP, port: Be16::new(0), inside: at })
            }
            _ => None,
        }
    }

    /// Whether packets to the real server are wrapped so.
    #[inline(always)]
    fn is_of(&self, dest: &Dest) -> bool {
        dest.tunnel & tunnel::KIND == self.kind
            && (self.kind != tunnel::GUE || dest.tunnel_port == self.port)
    }
}
