//! The kernel's checks of one rule (`ip_vs_add_service`, `ip_vs_add_dest`, `start_sync_thread`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Checksum, Daemons, Dest, ENGINES, Family, Host, Invalid, LinkFacts, Method, SCHEDULERS,
    Service, ServiceId, SyncDaemon, SyncRequest, SyncRole, Tunnel, VirtualService, Why,
};

/// What a kernel `int` holds.
const INT_MAX: u32 = i32::MAX as u32;

pub(super) fn service(service: &Service) -> Result<(), Invalid> {
    if matches!(service.id, ServiceId::Mark { mark: 0, .. }) {
        return Err(Invalid::InvalidOperation(Why::Mark));
    }
    if !SCHEDULERS.contains(&service.scheduler.as_str()) {
        return Err(Invalid::SchedulerNotFound);
    }
    if service.engine.as_deref().is_some_and(|engine| !ENGINES.contains(&engine)) {
        return Err(Invalid::SchedulerNotFound);
    }
    let fits = |netmask: super::Netmask| netmask.family() == service.id.family();
    if service.persistence.is_some_and(|persistence| !fits(persistence.netmask)) {
        return Err(Invalid::InvalidOperation(Why::Netmask));
    }
    Ok(())
}

pub(super) fn family(id: ServiceId, dest: &Dest, daemons: &Daemons) -> Result<(), Invalid> {
    if Family::of(dest.addr.address) == id.family() {
        return Ok(());
    }
    if !daemons.is_empty() {
        return Err(Invalid::InvalidOperation(Why::MixedFamilySync));
    }
    match dest.method {
        Method::Tunnel(_) => Ok(()),
        _ => Err(Invalid::InvalidOperation(Why::MixedFamily)),
    }
}

pub(super) fn ranges(dest: &Dest) -> Result<(), Invalid> {
    if dest.weight > INT_MAX || dest.lower_threshold > dest.upper_threshold {
        return Err(Invalid::OutOfRange);
    }
    match dest.method {
        Method::Tunnel(
            Tunnel::Gue { port: 0, .. } | Tunnel::Gre { checksum: Checksum::Remote },
        ) => Err(Invalid::InvalidOperation(Why::Tunnel)),
        _ => Ok(()),
    }
}

pub(super) fn new_dest(dest: &Dest, host: &dyn Host) -> Result<(), Invalid> {
    upper_threshold(dest)?;
    let unicast = match dest.addr.address {
        IpAddr::V4(address) => is_unicast_v4(address) && !host.is_broadcast(address),
        IpAddr::V6(address) => is_routable_unicast_v6(address) || host.is_own(address),
    };
    if unicast { Ok(()) } else { Err(Invalid::InvalidOperation(Why::NotUnicast)) }
}

pub(super) fn upper_threshold(dest: &Dest) -> Result<(), Invalid> {
    if dest.upper_threshold > INT_MAX {
        return Err(Invalid::InvalidOperation(Why::Threshold));
    }
    Ok(())
}

pub(super) fn has_mixed_family(entry: &VirtualService) -> bool {
    let family = entry.service.id.family();
    entry.pool.iter().any(|real| Family::of(real.dest.addr.address) != family)
}

/// The daemon that `request` makes, with the kernel's defaults and bounds.
pub(super) fn daemon(request: &SyncRequest, link: LinkFacts) -> Result<SyncDaemon, Invalid> {
    const ETHERNET_MTU: u32 = 1500;
    const UDP_HEADER: u32 = 8;
    let group = request.group.unwrap_or(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81)));
    let headers = UDP_HEADER + if group.is_ipv4() { 20 } else { 40 };
    let (mtu, shortest) = match request.role {
        SyncRole::Master => (ETHERNET_MTU, 1),
        SyncRole::Backup => (link.mtu.clamp(ETHERNET_MTU, 65535), 1024),
    };
    let longest = 65535 - headers;
    let length = match request.max_length {
        Some(length) if length > 0 => u32::from(length).clamp(shortest, longest),
        _ => mtu - headers,
    };
    // The master connects its socket to the group; the backup only joins it.
    let unreachable = !link.up || (link.loopback && group.is_ipv6());
    if request.role == SyncRole::Master && unreachable {
        return Err(Invalid::Unreachable);
    }
    Ok(SyncDaemon {
        interface: request.interface.clone(),
        sync_id: request.sync_id,
        max_length: u16::try_from(length).unwrap_or(u16::MAX),
        group,
        port: request.port.filter(|&port| port != 0).unwrap_or(8848),
        ttl: request.ttl.filter(|&ttl| ttl != 0).unwrap_or(1),
    })
}

/// `inet_addr_type` is unicast or local, attached broadcast addresses apart.
fn is_unicast_v4(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
}

/// `ipv6_addr_type` has `IPV6_ADDR_UNICAST` and not `IPV6_ADDR_LINKLOCAL`.
fn is_routable_unicast_v6(address: Ipv6Addr) -> bool {
    !address.is_unspecified()
        && !address.is_multicast()
        && !address.is_unicast_link_local()
        && address.to_ipv4_mapped().is_none()
}
