//! What ipvsadm prints of the table.

mod columns;
mod connections;
mod numbers;
mod settings;
mod sort;

use std::borrow::Cow;

use self::numbers::large;
pub(super) use self::{
    connections::{connection, connections_title},
    settings::{daemons, timeouts},
};
use crate::{
    api::types::{
        Checksum, Counters, Dest, DestEntry, Family, Listing, Method, Protocol, Rates, Service,
        ServiceEntry, ServiceId, Tunnel,
    },
    model::text::{self, Naming},
};

/// How a listing is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Format {
    pub(super) numeric: bool,
    pub(super) exact: bool,
    pub(super) nosort: bool,
    pub(super) view: View,
}

/// Which columns a listing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    #[default]
    Default,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    TunInfo,
}

/// The whole table.
pub(super) fn table(listing: &Listing, format: Format, names: &dyn Naming) -> String {
    let mut out = format!("IP Virtual Server version 1.2.1 (size={})\n", listing.size);
    out += &entries(&listing.services, format, names);
    out
}

/// Services under their titles.
pub(super) fn entries(services: &[ServiceEntry], format: Format, names: &dyn Naming) -> String {
    let mut out = columns::titles(format.view);
    for entry in sort::services(services, format.nosort) {
        out += &service_line(entry, format, names);
        out.push('\n');
        let seen: Vec<DestEntry> = entry.seen().collect();
        for dest in sort::dests(&seen, format.nosort) {
            out += &dest_line(entry.service.id, dest, format, names);
            out.push('\n');
        }
    }
    out
}

/// The table as the lines that restore it.
pub(super) fn save(services: &[ServiceEntry], names: &dyn Naming) -> String {
    let mut out = String::new();
    for entry in sort::services(services, false) {
        out += &text::service_line(&entry.service, names);
        out.push('\n');
        for dest in sort::dests(&entry.dests, false) {
            out += &text::dest_line(entry.service.id, &dest.dest, names);
            out.push('\n');
        }
    }
    out
}

fn service_line(entry: &ServiceEntry, format: Format, names: &dyn Naming) -> String {
    let name = service_name(entry.service.id, names);
    match format.view {
        View::Stats => format!("{name:<33}{}", stats(entry.stats, format.exact)),
        View::Rate => {
            let rates = entry.rates.unwrap_or_default();
            let Rates { cps, in_pps, out_pps, in_bps, out_bps } = rates;
            let numbers = [cps, in_pps, out_pps, in_bps, out_bps];
            format!("{name:<33}{}", numbers.map(|number| large(number, format.exact)).concat())
        }
        _ => format!("{name} {}", service_flags(&entry.service)),
    }
}

/// Protocol and address, or the firewall mark. IPv4 names are cut to the column.
fn service_name(id: ServiceId, names: &dyn Naming) -> String {
    match id {
        ServiceId::Mark { mark, family: Family::Ipv4 } => format!("FWM  {}", text::signed(mark)),
        ServiceId::Mark { mark, family: Family::Ipv6 } => {
            format!("FWM  {} IPv6", text::signed(mark))
        }
        ServiceId::Address { protocol, address, port } => {
            let protocol_name = match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
                Protocol::Sctp => "SCTP",
            };
            let endpoint = text::endpoint(address, port, Some(protocol), names);
            let mut name = format!("{protocol_name:<4} {endpoint}");
            if address.is_ipv4() {
                text::cut(&mut name, 33);
            }
            name
        }
    }
}

fn service_flags(service: &Service) -> String {
    let mut words = vec![service.scheduler.clone()];
    if !service.scheduler_flags.is_empty() {
        let flags = text::scheduler_flags(&service.scheduler, service.scheduler_flags);
        words.push(format!("({flags})"));
    }
    if let Some(persistence) = service.persistence {
        words.push(format!("persistent {}", persistence.timeout_s));
        if !persistence.netmask.is_host() {
            words.push(format!("mask {}", persistence.netmask));
        }
        if let Some(engine) = &service.engine {
            words.push(format!("pe {engine}"));
        }
    }
    if service.one_packet {
        words.push("ops".into());
    }
    words.join(" ")
}

fn dest_line(id: ServiceId, entry: &DestEntry, format: Format, names: &dyn Naming) -> String {
    let DestEntry { dest, load, .. } = entry;
    let mut name = text::endpoint(dest.addr.address, dest.addr.port, text::protocol(id), names);
    if dest.addr.address.is_ipv4() {
        text::cut(&mut name, 28);
    }
    let connections = format!("{:<10} {:<10}", load.active, load.inactive);
    let columns: Cow<'_, str> = match format.view {
        View::Default => format!("{:<7} {:<6} {connections}", forward(dest), dest.weight).into(),
        View::TunInfo => {
            let (forward, info) = (forward(dest), tunnel_info(dest));
            format!("{forward:<7} {info:<13} {:<6} {connections}", dest.weight).into()
        }
        View::Thresholds => {
            format!("{:<10} {:<10} {connections}", dest.upper_threshold, dest.lower_threshold)
                .into()
        }
        View::PersistentConn => {
            format!("{:<9} {:<11} {connections}", dest.weight, load.persistent).into()
        }
        View::Stats => return format!("  -> {name:<28}{}", stats(entry.stats, format.exact)),
        View::Rate => {
            let Rates { cps, in_pps, out_pps, in_bps, out_bps } = entry.rates.unwrap_or_default();
            let bytes = large(in_bps, format.exact) + &large(out_bps, format.exact);
            // Unlike a service's, these three are never abbreviated.
            return format!("  -> {name:<28} {cps:>8} {in_pps:>8} {out_pps:>8}{bytes}");
        }
    };
    format!("  -> {name:<28} {columns}")
}

fn stats(counters: Option<Counters>, exact: bool) -> String {
    let Counters { conns, in_packets, out_packets, in_bytes, out_bytes } =
        counters.unwrap_or_default();
    [conns, in_packets, out_packets, in_bytes, out_bytes]
        .map(|number| large(number, exact))
        .concat()
}

fn forward(dest: &Dest) -> &'static str {
    match dest.method {
        Method::Masq => "Masq",
        Method::DirectRoute => "Route",
        Method::Tunnel(_) => "Tunnel",
        Method::Local => "Local",
    }
}

fn tunnel_info(dest: &Dest) -> String {
    let checksum = |checksum| match checksum {
        Checksum::None => "-c",
        Checksum::Full => "+c",
        Checksum::Remote => "r+c",
    };
    match dest.method {
        Method::Tunnel(Tunnel::Ipip) => "ipip".into(),
        Method::Tunnel(Tunnel::Gue { port, checksum: sum }) => {
            format!("gue:{port}:{}", checksum(sum))
        }
        Method::Tunnel(Tunnel::Gre { checksum: sum }) => format!("gre:{}", checksum(sum)),
        _ => "n/a".into(),
    }
}
