//! 6. What is counted: traffic and connections of real servers, and reasons.
//!
//! As in IPVS, a packet is counted and moves the state machine before it is sent, so one that then
//! dies of its TTL counts.

use lvs_common::{
    conntable::{Entry, word},
    map::Load,
    tcp_state::State,
    verdict::Verdict,
};

use crate::{packet::Packet, tables::Tables};

/// One added to a count, and one taken off.
const UP: u64 = 1;
const DOWN: u64 = 1u64.wrapping_neg();

/// A request's packet and bytes (`ip_vs_in_stats`).
#[inline(always)]
pub(crate) fn request<T: Tables>(packet: &Packet<T::Address>, dest: u32, tables: &mut T) {
    if let Some(counters) = tables.counters(dest) {
        let (packets, bytes) = packet.traffic();
        counters.in_packets += packets;
        counters.in_bytes += bytes;
    }
}

/// A reply's packet and bytes (`ip_vs_out_stats`).
#[inline(always)]
pub(crate) fn reply<T: Tables>(packet: &Packet<T::Address>, dest: u32, tables: &mut T) {
    if let Some(counters) = tables.counters(dest) {
        let (packets, bytes) = packet.traffic();
        counters.out_packets += packets;
        counters.out_bytes += bytes;
    }
}

/// A new connection (`ip_vs_bind_dest`, `ip_vs_conn_stats`).
#[inline(always)]
pub(crate) fn opened<T: Tables>(dest: u32, state: State, tables: &mut T) {
    if let Some(counters) = tables.counters(dest) {
        counters.connections += 1;
    }
    let total = tables.add_load(dest, Load::TOTAL, UP).wrapping_add(1);
    if state.is_active() {
        tables.add_load(dest, Load::ACTIVE, UP);
    }
    tables.weigh(dest, total);
}

/// A connection of one packet: counted, but nobody's load.
#[inline(always)]
pub(crate) fn one_packet<T: Tables>(dest: u32, tables: &mut T) {
    if let Some(counters) = tables.counters(dest) {
        counters.connections += 1;
    }
}

/// A new template.
#[inline(always)]
pub(crate) fn remembered<T: Tables>(dest: u32, tables: &mut T) {
    tables.add_load(dest, Load::PERSISTENT, UP);
}

/// A connection that has moved between states.
#[inline(always)]
pub(crate) fn moved<T: Tables>(dest: u32, before: State, after: State, tables: &mut T) {
    if before.is_active() != after.is_active() {
        tables.add_load(dest, Load::ACTIVE, if after.is_active() { UP } else { DOWN });
    }
}

/// A connection or template that is gone (`ip_vs_unbind_dest`).
#[inline(always)]
pub(crate) fn ended<T: Tables>(entry: &Entry, tables: &mut T) {
    let dest = entry.dest();
    if entry.protocol() == word::TEMPLATE {
        tables.add_load(dest, Load::PERSISTENT, DOWN);
        return;
    }
    let total = tables.add_load(dest, Load::TOTAL, DOWN).wrapping_sub(1);
    if entry.state().is_active() {
        tables.add_load(dest, Load::ACTIVE, DOWN);
    }
    tables.weigh(dest, total);
}

/// Why a frame was not forwarded.
#[inline(always)]
pub(crate) fn verdict<T: Tables>(verdict: Verdict, tables: &mut T) {
    if let Verdict::Pass(reason) | Verdict::Drop(reason) = verdict {
        tables.count_reason(reason);
    }
}
