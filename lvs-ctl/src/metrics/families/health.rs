//! Real servers that are checked.

use std::{fmt, iter, time::Duration};

use super::{Label, Page};
use crate::metrics::gather::{Check, Checked, Gathered, Service};

/// All of them together, and one by one.
pub(super) fn health(gathered: &Gathered, page: &mut Page<'_>) -> fmt::Result {
    let help = "Real servers that are checked, sorry servers included";
    page.number("lvs_checked_real_servers", help, gathered.checked)?;
    let help = "Those that are down";
    page.number("lvs_checked_real_servers_down", help, gathered.down)?;
    services(&gathered.services, page)?;
    real_servers(&gathered.services, page)?;
    checks(&gathered.services, page)
}

fn services(services: &[Service], page: &mut Page<'_>) -> fmt::Result {
    let all = || {
        let with_health = services.iter().filter_map(|it| Some((it, it.standing.as_ref()?)));
        with_health.map(|(service, standing)| ([("service", service.name.as_str())], standing))
    };
    let up = all().map(|(of, it)| (of, it.up));
    let help = "Real servers of a service that are not down; unknown ones count";
    page.gauges("lvs_service_real_servers_up", help, up)?;
    let lost = all().map(|(of, it)| (of, u64::from(it.lost)));
    let help = "1 while a service has lost its quorum, backup servers included";
    page.gauges("lvs_service_quorum_lost", help, lost)?;
    let sorry = all().map(|(of, it)| (of, u64::from(it.sorry)));
    page.gauges("lvs_service_sorry", "1 while the sorry server takes all connections", sorry)
}

fn real_servers(services: &[Service], page: &mut Page<'_>) -> fmt::Result {
    let all = || checked(services);
    let up = all().map(|(of, it)| (of, u64::from(it.report.health.is_up())));
    let help =
        "1 while the checks of a real server succeed, or none has decided; 0 while it is down";
    page.gauges("lvs_real_server_up", help, up)?;
    let gets = all().map(|(of, it)| (of, it.gets));
    let help = "Weight that a real server gets: the operator's, seen through its health";
    page.gauges("lvs_real_server_effective_weight", help, gets)?;
    let downs = all().map(|(of, it)| (of, it.report.downs));
    page.counters("lvs_real_server_downs", "How often a real server went down", downs)?;
    let faults = all().filter_map(|(of, it)| {
        let cause = it.report.cause.as_ref()?;
        Some(((of, [("cause", cause.code())]), 1))
    });
    page.gauges("lvs_real_server_fault", "What is wrong with the way to a real server", faults)
}

fn checks(services: &[Service], page: &mut Page<'_>) -> fmt::Result {
    let all = || {
        checked(services).flat_map(|(of, it)| {
            let checks = iter::repeat(of).zip(&it.checks);
            checks.map(|(of, it)| ((of, [("check", it.name.as_str())]), it))
        })
    };
    page.counters("lvs_checks", "Checks made", all().map(|(of, it)| (of, it.runs)))?;
    let failures = all().flat_map(|(of, Check { failures, .. })| {
        failures.iter().map(move |(cause, count)| ((of, [("cause", cause.as_str())]), *count))
    });
    page.counters("lvs_check_failures", "Checks that failed, and why", failures)?;
    let latency = all().filter_map(|(of, it)| Some((of, Duration::from_micros(it.latency_us?))));
    page.durations("lvs_check_latency_seconds", "How long the last check took", latency)
}

fn checked(services: &[Service]) -> impl Iterator<Item = ([Label<'_>; 2], &Checked)> {
    services.iter().flat_map(|service| {
        let dests = service.dests.iter().filter_map(|dest| Some((dest, dest.checked.as_ref()?)));
        dests.map(move |(dest, checked)| {
            ([("service", service.name.as_str()), ("real_server", dest.name.as_str())], checked)
        })
    })
}
