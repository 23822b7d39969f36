//! The controller, the director as a whole, and its data plane.

use std::{fmt, time::Duration};

use super::{Label, Page, bytes, packets};
use crate::{metrics::gather::Gathered, model::PlaneStatus};

/// The controller.
pub(super) fn controller(gathered: &Gathered, page: &mut Page<'_>) -> fmt::Result {
    let status = &gathered.status;
    let abi = lvs_common::ABI_VERSION.to_string();
    let build = [("version", status.version.as_str()), ("abi", &abi)];
    page.info("lvs_build", "The controller's version, and that of its maps", [build])?;
    page.number("lvs_controller_revision", "Revision of the rules", status.revision)?;
    page.number(
        "lvs_controller_uptime_seconds",
        "How long the controller has been running",
        status.uptime_s,
    )?;
    let outcomes = [("applied", status.changes_applied), ("refused", status.changes_refused)];
    page.counters(
        "lvs_rule_changes",
        "Changes of rules, by what became of them",
        outcomes.map(|(outcome, changes)| ([("outcome", outcome)], changes)),
    )?;
    let requests = gathered.requests.iter().map(|((method, route, status), count)| {
        let status = [("status", status.to_string())];
        (([("method", *method), ("route", route.as_str())], status), *count)
    });
    page.counters("lvs_api_requests", "Requests to the API, by what became of them", requests)?;
    page.number(
        "lvs_metrics_max_series",
        "Series that services and real servers may have together (--metrics-max-series)",
        gathered.max_series,
    )?;
    page.number(
        "lvs_metrics_services_left_out",
        "Services without series of their own, since there would be too many",
        gathered.left_out,
    )
}

/// All services together.
pub(super) fn director(gathered: &Gathered, page: &mut Page<'_>) -> fmt::Result {
    let status = &gathered.status;
    let none: [Label<'_>; 0] = [];
    page.number("lvs_services", "Virtual services", status.services as u64)?;
    let help = "Real servers, counted in each service";
    page.number("lvs_real_servers", help, status.dests as u64)?;
    let help = "Connections scheduled by all services, deleted ones included";
    page.count("lvs_scheduled_connections", help, status.totals.conns)?;
    let help =
        "Packets of all services, deleted ones included, from clients (in) and to them (out)";
    page.counters("lvs_packets", help, packets(none, status.totals))?;
    let help = "Bytes of these packets, without link layer";
    page.counters("lvs_bytes", help, bytes(none, status.totals))?;
    let [active, inactive, persistent] = gathered.load;
    page.number("lvs_active_connections", "Active connections of all services", active)?;
    page.number("lvs_inactive_connections", "Inactive connections of all services", inactive)?;
    let help = "Persistence templates of all services";
    page.number("lvs_persistent_connections", help, persistent)
}

/// The data plane.
pub(super) fn plane(plane: &PlaneStatus, page: &mut Page<'_>) -> fmt::Result {
    let interfaces = plane.interfaces.iter();
    let interfaces =
        interfaces.map(|it| [("interface", it.name.as_str()), ("mode", it.mode.as_str())]);
    page.info("lvs_interface", "Interfaces that the program is on, and in which mode", interfaces)?;
    let reasons = plane.reasons.iter().map(|it| {
        let labels = [("reason", it.reason.as_str()), ("meaning", it.meaning.as_str())];
        (labels, it.packets)
    });
    page.counters("lvs_unforwarded_packets", "Packets not forwarded, and why", reasons)?;
    let hops = &plane.next_hops;
    let unresolved = hops.iter().filter(|hop| hop.unresolved.is_some()).count();
    page.number(
        "lvs_next_hops",
        "Real servers' addresses, each with a next hop",
        hops.len() as u64,
    )?;
    let help = "Those whose next hop is not known";
    page.number("lvs_next_hops_unresolved", help, unresolved as u64)?;
    tables(plane, page)?;
    sweeper(plane, page)
}

fn tables(plane: &PlaneStatus, page: &mut Page<'_>) -> fmt::Result {
    let tables = || plane.tables.iter().map(|table| ([("table", table.name.as_str())], table));
    let used = tables().map(|(labels, table)| (labels, table.used));
    page.gauges("lvs_table_entries", "Entries of a table in use", used)?;
    let capacity = tables().map(|(labels, table)| (labels, table.capacity));
    page.gauges("lvs_table_capacity", "Entries of a table that fit", capacity)?;
    let alarm = tables().map(|(labels, table)| (labels, u64::from(table.is_alarming())));
    page.gauges("lvs_table_alarm", "1 where six tenths of a table or more are in use", alarm)
}

fn sweeper(plane: &PlaneStatus, page: &mut Page<'_>) -> fmt::Result {
    // Before the first sweep nothing is known.
    let Some(sweeps) = &plane.sweeps else { return Ok(()) };
    let states = sweeps.states.iter();
    let states = states.map(|it| ([("state", it.state.as_str())], it.connections));
    page.gauges("lvs_connections", "Connections in the table at the last sweep, by state", states)?;
    page.count("lvs_sweeper_runs", "Sweeps of the connection table", sweeps.runs)?;
    let help = "Connections that sweeps ended";
    page.count("lvs_sweeper_expired_connections", help, sweeps.expired)?;
    let last = Duration::from_micros(sweeps.last_us);
    page.duration("lvs_sweeper_last_duration_seconds", "How long the last sweep took", last)
}
