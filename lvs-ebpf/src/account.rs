//! 6. What is counted: traffic and connections of real servers, and reasons.
//!
//! As in IPVS, a packet is counted and moves the state machine before it is sent, so one that then
//! dies of its TTL counts.

use lvs_common::{conntable::Entry, map::Load, tcp_state::State, verdict::Verdict};

use crate::{connection::Connection, packet::Packet, tables::Tables};

/// One added to a count, and one taken off.
const UP: u64 = 1;
const DOWN: u64 = 1u64.wrapping_neg();

/// A request's packet and bytes (`ip_vs_in_stats`).
#[inline(always)]
pub(crate) fn request<B, T: Tables>(packet: &Packet, connection: &Connection<B>, tables: &mut T) {
    if let Some(counters) = tables.counters(connection.dest) {
        counters.in_packets += 1;
        counters.in_bytes += u64::from(packet.bytes);
    }
}

/// A reply's packet and bytes (`ip_vs_out_stats`).
#[inline(always)]
pub(crate) fn reply<B, T: Tables>(packet: &Packet, connection: &Connection<B>, tables: &mut T) {
    if let Some(counters) = tables.counters(connection.dest) {
        counters.out_packets += 1;
        counters.out_bytes += u64::from(packet.bytes);
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

/// A connection that has moved between states.
#[inline(always)]
pub(crate) fn moved<T: Tables>(dest: u32, before: State, after: State, tables: &mut T) {
    if before.is_active() != after.is_active() {
        tables.add_load(dest, Load::ACTIVE, if after.is_active() { UP } else { DOWN });
    }
}

/// A connection that is gone (`ip_vs_unbind_dest`).
#[inline(always)]
pub(crate) fn ended<T: Tables>(entry: &Entry, tables: &mut T) {
    let dest = entry.dest();
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
