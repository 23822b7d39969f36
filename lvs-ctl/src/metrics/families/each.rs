//! Services and real servers, one by one.

use std::{fmt, iter};

use super::{Label, Page, bytes, packets};
use crate::{
    metrics::gather::{Dest, Service},
    model::{Family, Load, ServiceId},
};

/// Services.
pub(super) fn services(services: &[Service], page: &mut Page<'_>) -> fmt::Result {
    let all = || services.iter().map(|it| (of_service(it), it));
    let infos = all().map(|(labels, it)| (labels, service_info(it)));
    page.info("lvs_service", "A virtual service", infos)?;
    let count = all().map(|(labels, it)| (labels, it.dests.len() as u64));
    page.gauges("lvs_service_real_servers", "Real servers of a service", count)?;
    let conns = all().map(|(labels, it)| (labels, it.counters.conns));
    let help = "Connections that a service scheduled";
    page.counters("lvs_service_scheduled_connections", help, conns)?;
    let packets = all().flat_map(|(labels, it)| packets(labels, it.counters));
    let help = "Packets of a service, from clients (in) and to them (out)";
    page.counters("lvs_service_packets", help, packets)?;
    let bytes = all().flat_map(|(labels, it)| bytes(labels, it.counters));
    page.counters("lvs_service_bytes", "Bytes of these packets, without link layer", bytes)?;
    let load = |of: fn(&Load) -> u32| all().map(move |(labels, it)| (labels, it.load(of)));
    let help = "Active connections of a service";
    page.gauges("lvs_service_active_connections", help, load(|it| it.active))?;
    let help = "Inactive connections of a service";
    page.gauges("lvs_service_inactive_connections", help, load(|it| it.inactive))?;
    let help = "Persistence templates of a service";
    page.gauges("lvs_service_persistent_connections", help, load(|it| it.persistent))
}

/// Real servers.
pub(super) fn real_servers(services: &[Service], page: &mut Page<'_>) -> fmt::Result {
    let all = || {
        services.iter().flat_map(|service| {
            let dests = iter::repeat(service).zip(&service.dests);
            dests.map(|(service, it)| (of_dest(service, it), it))
        })
    };
    page.info("lvs_real_server", "A real server", all().map(|(of, it)| (of, dest_info(it))))?;
    let weight = all().map(|(of, it)| (of, u64::from(it.rule.weight)));
    page.gauges("lvs_real_server_weight", "Weight of a real server; 0 is quiesced", weight)?;
    let conns = all().map(|(of, it)| (of, it.counters.conns));
    let help = "Connections scheduled to a real server";
    page.counters("lvs_real_server_scheduled_connections", help, conns)?;
    let packets = all().flat_map(|(of, it)| packets(of, it.counters));
    let help = "Packets of a real server, from clients (in) and to them (out)";
    page.counters("lvs_real_server_packets", help, packets)?;
    let bytes = all().flat_map(|(of, it)| bytes(of, it.counters));
    page.counters("lvs_real_server_bytes", "Bytes of these packets, without link layer", bytes)?;
    let load = |count: fn(&Load) -> u32| all().map(move |(of, it)| (of, count(&it.load).into()));
    let help = "Active connections of a real server";
    page.gauges("lvs_real_server_active_connections", help, load(|it| it.active))?;
    let help = "Inactive connections of a real server";
    page.gauges("lvs_real_server_inactive_connections", help, load(|it| it.inactive))?;
    let help = "Persistence templates of a real server";
    page.gauges("lvs_real_server_persistent_connections", help, load(|it| it.persistent))
}

fn of_service(service: &Service) -> [Label<'_>; 1] {
    [("service", &service.name)]
}

fn of_dest<'a>(service: &'a Service, dest: &'a Dest) -> [Label<'a>; 2] {
    [("service", &service.name), ("real_server", &dest.name)]
}

/// What a service's name consists of, for queries over parts of it.
fn service_info(service: &Service) -> Vec<(&'static str, String)> {
    let mut labels = match service.id {
        ServiceId::Address { protocol, address, port } => vec![
            ("protocol", protocol.name().to_owned()),
            ("address", address.to_string()),
            ("port", port.to_string()),
        ],
        ServiceId::Mark { mark, family } => {
            let family = if family == Family::Ipv4 { "ipv4" } else { "ipv6" };
            vec![("fwmark", mark.to_string()), ("family", family.to_owned())]
        }
    };
    labels.push(("scheduler", service.scheduler.clone()));
    labels
}

fn dest_info(dest: &Dest) -> [(&'static str, String); 3] {
    let addr = dest.rule.addr;
    [
        ("address", addr.address.to_string()),
        ("port", addr.port.to_string()),
        ("method", dest.rule.method.word().to_owned()),
    ]
}
