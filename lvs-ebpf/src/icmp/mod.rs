//! The side road of ICMP errors (`ip_vs_in_icmp`, `ip_vs_out_icmp`): one that is about a packet of a
//! connection goes to whoever sent that packet, as if nobody stood between.
//!
//! | the error quotes a packet | it came from | it goes to | file |
//! |---|---|---|---|
//! | of the VIP's to a client | the client's side | the real server, by its connection's method | [`incoming`] |
//! | of a client's to a masqueraded real server | the real servers' side | the client, as the VIP's | [`outgoing`] |
//! | of a client's to the VIP (DR) | the real servers' side | the client, by the stack | [`outgoing`] |
//! | of the director's that carries one (TUN) | the real servers' side | the client, as the VIP's | [`tunneled`] |
//!
//! Neither state nor timer of the connection changes. What the director itself has to say: [`own`].

pub mod answer;
mod incoming;
pub mod limit;
mod outgoing;
pub mod own;
pub(crate) mod probed;
mod quoted;
mod tunneled;

use lvs_common::{
    conntable::Hit,
    net::{Be16, checksum::fold},
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame, Icmp, Udp},
};

use self::{answer::Answer, quoted::Quoted};
use crate::{
    Step,
    connection::Row,
    ip::{End, Header, Ip, NETWORK},
    packet::{Packet, Part},
    parse::MALFORMED,
    tables::Tables,
};

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);
/// No error that is about a packet, or none that quotes it.
const OTHER: Verdict = Verdict::Pass(Reason::OtherProtocol);
const UNRELATED: Verdict = Verdict::Pass(Reason::Unrelated);

/// An ICMP error.
struct Error<A> {
    ethernet: Ethernet,
    ip: Header<A>,
    icmp: Icmp,
    /// What it is about.
    about: Quoted<A>,
}

/// The way of a packet that is neither TCP nor UDP.
#[inline(always)]
pub fn relate<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Step<T::Address> {
    related(frame, tables).unwrap_or_else(Step::Done)
}

#[inline(always)]
fn related<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
) -> Result<Step<T::Address>, Verdict> {
    let error = Error::<T::Address>::read(frame)?;
    if let Some(step) = incoming::relay(frame, &error, tables)? {
        return Ok(step);
    }
    if let Some(verdict) = outgoing::relay(frame, &error, tables)? {
        return Ok(Step::Done(verdict));
    }
    let answer = tunneled::relay(frame, &error, tables)?;
    answer::send(frame, &answer, tables).map(Step::Done)
}

/// The first part of [`relate`]: an error about what the VIP sent; none if it is about something else.
///
/// # Errors
/// It goes no further.
#[inline(always)]
pub fn relate_incoming<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
) -> Result<Option<Step<T::Address>>, Verdict> {
    let error = Error::read(frame)?;
    incoming::relay(frame, &error, tables)
}

/// The second part of [`relate`]: an error about what the director forwarded; none if it is about something
/// else.
///
/// # Errors
/// It goes no further.
#[inline(always)]
pub fn relate_outgoing<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
) -> Result<Option<Verdict>, Verdict> {
    let error = Error::read(frame)?;
    outgoing::relay(frame, &error, tables)
}

/// The last part of [`relate`]: an error about what the director put into a tunnel; left is to
/// [send](answer::send) the client's.
///
/// # Errors
/// It goes no further.
#[inline(always)]
pub fn relate_tunneled<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
) -> Result<Answer<T::Address>, Verdict> {
    let error = Error::read(frame)?;
    tunneled::relay(frame, &error, tables)
}

impl<A: Ip> Error<A> {
    #[inline(always)]
    fn read<F: Frame>(frame: &F) -> Result<Self, Verdict> {
        // verifier: read before the frame's length is known, or it is by that that it is checked
        let ethernet = *frame.at::<Ethernet>(0).ok_or(MALFORMED)?;
        let ip = A::header(frame)?;
        if ip.protocol != A::ICMP {
            return Err(OTHER);
        }
        let icmp = *frame.at::<Icmp>(ip.payload).ok_or(MALFORMED)?;
        if !A::is_error(icmp.kind) {
            return Err(OTHER);
        }
        let about = Quoted::read(frame, ip.payload + size_of::<Icmp>(), &ip).ok_or(UNRELATED)?;
        if about.source != ip.destination {
            // Whoever sent a packet is told what is wrong with it, and nobody else.
            return Err(UNRELATED);
        }
        Ok(Self { ethernet, ip, icmp, about })
    }

    /// The packet that the error itself is.
    #[inline(always)]
    fn packet(&self) -> Packet<A> {
        Packet {
            source: self.ip.source,
            destination: self.ip.destination,
            source_port: Be16::new(0),
            destination_port: Be16::new(0),
            protocol: self.ip.protocol,
            flags: 0,
            bytes: self.ip.bytes,
            transport: self.ip.payload,
            part: Part::Whole,
        }
    }

    /// What is rewritten has to be right before.
    #[inline(always)]
    fn verify<F: Frame>(&self, frame: &F) -> Result<(), Verdict> {
        let bytes = (NETWORK + usize::from(self.ip.bytes)).wrapping_sub(self.ip.payload);
        let sum = frame.sum(self.ip.payload, bytes).ok_or(BROKEN)?;
        #[expect(clippy::cast_possible_truncation, reason = "less than the packet's length")]
        let pseudo = A::icmp_pseudo(self.ip.source, self.ip.destination, bytes as u16);
        if fold(u64::from(sum) + u64::from(pseudo)) == 0xffff {
            Ok(())
        } else {
            Err(Verdict::Drop(Reason::BadChecksum))
        }
    }

    /// Gives the error's `end`, and the other one of the quoted packet, another address and port.
    #[inline(always)]
    fn rewrite<F: Frame>(
        &self,
        frame: &mut F,
        end: End,
        address: A,
        port: Be16,
    ) -> Result<(), Verdict> {
        let about = &self.about;
        let (old, other, quoted_old) = match end {
            End::Source => (self.ip.source, End::Destination, about.destination),
            End::Destination => (self.ip.destination, End::Source, about.source),
        };
        let (outer, quoted) = (A::edit(old, address), A::edit(quoted_old, address));
        address.readdress(frame, end, outer)?;
        address.readdress_at(frame, about.at, other, quoted)?;
        let ports = frame.at_mut::<Udp>(about.transport).ok_or(BROKEN)?;
        let place = match other {
            End::Source => &mut ports.source,
            End::Destination => &mut ports.destination,
        };
        let old_port = core::mem::replace(place, port);
        // The quoted segment's own checksum stays: most of what it is over is not there.
        let edit = A::icmp_edit(outer, quoted).half(old_port, port);
        let icmp = frame.at_mut::<Icmp>(self.ip.payload).ok_or(BROKEN)?;
        icmp.check = edit.apply(icmp.check);
        Ok(())
    }
}

/// The connection of a request.
#[inline(always)]
fn find<T: Tables>(request: &Packet<T::Address>, tables: &T) -> Option<Hit<Row<T>>> {
    let key = request.key(tables);
    let hit = tables.find(key, &request.ends())?;
    (!hit.entry.is_expired(tables.now())).then_some(hit)
}
