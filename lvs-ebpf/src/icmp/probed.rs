//! Errors about health checks: noted, and told to whoever checks if they are about its own packet, not
//! about a tunnel's.

use lvs_common::{
    map::{ProbeFlow, ProbeKey, ProbedEnd},
    verdict::{Reason, Verdict},
    wire::Frame,
};

use super::{Error, quoted::Quoted, tunneled::Wrapping};
use crate::{
    ip::{End, Ip},
    probe::{Probes, back, is_taken},
};

/// Notes an error about a health check; none if it is about something else.
#[inline(always)]
pub fn complained<F: Frame, T: Probes>(frame: &mut F, tables: &mut T) -> Option<Verdict> {
    let error = Error::<T::Address>::read(frame).ok()?;
    if let Some(flow) = flow(&error.about, tables) {
        note(&error, &flow, (error.about.protocol, false), tables);
        return Some(tell(frame, &error, &flow, tables).unwrap_or_else(|refused| refused));
    }
    let wrapping = Wrapping::read(frame, &error.about)?;
    let inside = Quoted::<T::Address>::read(frame, wrapping.inside, &error.ip)?;
    let flow = flow(&inside, tables)?;
    note(&error, &flow, (inside.protocol, true), tables);
    // Nobody waits for it; the stack may have learnt the path's MTU.
    Some(Verdict::Pass(Reason::Unrelated))
}

/// The flow that a quoted packet is of.
#[inline(always)]
fn flow<T: Probes>(about: &Quoted<T::Address>, tables: &mut T) -> Option<ProbeFlow> {
    if !is_taken(about.source_port) {
        return None;
    }
    let key = ProbeKey {
        peer: about.destination.wide(),
        own: about.source.wide(),
        peer_port: about.destination_port,
        own_port: about.source_port,
        protocol: about.protocol,
        pad: [0; 3],
    };
    tables.probe(&key).map(|flow| *flow)
}

#[inline(always)]
fn note<T: Probes>(
    error: &Error<T::Address>,
    flow: &ProbeFlow,
    (protocol, in_tunnel): (u8, bool),
    tables: &mut T,
) {
    let end = ProbedEnd { dest: flow.dest, port: flow.port, protocol, pad: 0 };
    let Some(probed) = tables.probed(&end) else { return };
    (probed.kind, probed.code) = (error.icmp.kind, error.icmp.code);
    probed.from = error.ip.source.wide();
    if in_tunnel {
        probed.untunneled = 1;
    } else {
        probed.unreachable = 1;
    }
}

#[inline(always)]
fn tell<F: Frame, T: Probes>(
    frame: &mut F,
    error: &Error<T::Address>,
    flow: &ProbeFlow,
    tables: &T,
) -> Result<Verdict, Verdict> {
    error.verify(frame)?;
    let (near, stand_in) = (T::Address::narrow(flow.near), T::Address::narrow(flow.stand_in));
    error.rewrite(frame, End::Destination, near, flow.near_port)?;
    error.rewrite(frame, End::Source, stand_in, flow.port)?;
    back::home(frame, tables)
}
