//! Health checks that go the way of a service's packets.
//!
//! ```text
//!  a program of the host ── lvs-probe ══ lvs-probe-x ─▶ [`out`] ──▶ as the service's packets go ──▶ real server
//!   talks to a stand-in         ▲                                                                    │
//!                               └───────────────── [`back`] ◀── the director's interfaces ◀──────────┘
//! ```
//!
//! Neither the connection table nor a counter of the service sees such a flow: it has a table of its own.

pub mod back;
mod echo;
pub mod out;

use lvs_common::{
    map::{
        ProbeFlow, ProbeKey, Probed, ProbedEnd,
        probe::{FIRST_PORT, PORTS},
    },
    net::Be16,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use crate::{
    forward::nat,
    ip::{End, Ip},
    packet::Packet,
    parse,
    tables::Tables,
};

/// The tables of health checks.
pub trait Probes: Tables {
    /// A flow, as its answers have it.
    fn probe(&mut self, key: &ProbeKey) -> Option<&mut ProbeFlow>;
    /// A flow begins: remembers it, and that nothing has come of it yet.
    fn begin_probe(&mut self, key: &ProbeKey, flow: &ProbeFlow, end: &ProbedEnd);
    /// What became of the last flow to an end.
    fn probed(&mut self, end: &ProbedEnd) -> Option<&mut Probed>;
}

/// Whether a port may be one that flows have on their way.
#[inline(always)]
#[must_use]
pub const fn is_taken(port: Be16) -> bool {
    port.get() >= FIRST_PORT
}
const _: () = assert!(FIRST_PORT as u32 + PORTS as u32 == 1 << 16);

/// Whether a packet to nobody's VIP may be an answer.
#[inline(always)]
pub(crate) fn may_answer<T: Tables>(packet: &Packet<T::Address>, tables: &T) -> bool {
    is_taken(packet.destination_port) && tables.tunables().probes != 0
}

/// What the frame carries: as the packet's way reads it, or an ICMP echo.
#[inline(always)]
fn read<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    match parse::parse(frame) {
        Err(Verdict::Pass(Reason::OtherProtocol)) => echo::read(frame),
        parsed => parsed,
    }
}

/// Gives a packet other ends.
#[inline(always)]
fn translate<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    source: (T::Address, Be16),
    destination: (T::Address, Be16),
    tables: &T,
) -> Result<Packet<T::Address>, Verdict> {
    let halfway = Packet { source: source.0, source_port: source.1, ..*packet };
    if packet.protocol == T::Address::ICMP {
        echo::rewrite(frame, packet, source, destination)?;
    } else {
        nat::rewrite(frame, packet, End::Source, source.0, source.1, tables)?;
        nat::rewrite(frame, &halfway, End::Destination, destination.0, destination.1, tables)?;
    }
    Ok(Packet { destination: destination.0, destination_port: destination.1, ..halfway })
}

/// The end that a flow is to.
#[inline(always)]
const fn end(flow: &ProbeFlow, protocol: u8) -> ProbedEnd {
    ProbedEnd { dest: flow.dest, port: flow.port, protocol, pad: 0 }
}
