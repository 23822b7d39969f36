//! From the options of a line to what is asked of the controller.

use super::{
    given,
    line::{Line, Options},
    option::{Command, Forward, Name},
    refusal::{Refusal, usage},
    render::{Format, View},
    tunnel,
};
use crate::api::types::{
    Change, DEFAULT_SCHEDULER, Dest, DestAddr, Family, Method, Persistence, Protocol, Service,
    ServiceId, SyncRequest,
};

/// What a line asks for, ready to be carried out.
#[derive(Debug)]
pub(super) enum Ask {
    Help,
    Version,
    Change(Change),
    List(Option<ServiceId>, Format),
    Connections(Format),
    Timeouts,
    Daemons,
    Save { numeric: bool },
    Restore,
}

/// Checks the options against the command and each other.
pub(super) fn ask(line: Line) -> Result<Ask, Refusal> {
    let options = match line {
        Line::Help => return Ok(Ask::Help),
        Line::Version => return Ok(Ask::Version),
        Line::Command(options) => options,
    };
    given::check(options.command, options.given)?;
    let id = options.service.id;
    let change = match options.command {
        Command::List => return list(&options),
        Command::Save => return Ok(Ask::Save { numeric: options.given.has(Name::Numeric) }),
        Command::Restore => return Ok(Ask::Restore),
        Command::Flush => Some(Change::Flush),
        Command::Zero => Some(Change::Zero(id)),
        Command::Set => options.timeouts.map(Change::SetTimeouts),
        Command::StopDaemon => options.role.map(Change::StopDaemon),
        Command::StartDaemon => start_daemon(&options).map(Change::StartDaemon),
        Command::DeleteService => id.map(Change::DeleteService),
        Command::AddService => service(&options)?.map(Change::AddService),
        Command::EditService => service(&options)?.map(Change::EditService),
        Command::AddServer => {
            let dest = dest(&options)?;
            id.map(|service| Change::AddDest { service, dest })
        }
        Command::EditServer => {
            let dest = dest(&options)?;
            id.map(|service| Change::EditDest { service, dest })
        }
        Command::DeleteServer => {
            let dest = dest_addr(&options);
            id.map(|service| Change::DeleteDest { service, dest })
        }
    };
    // What is required was checked first, so nothing is missing here.
    change.map(Ask::Change).ok_or(Refusal::TryHelp)
}

fn service(options: &Options) -> Result<Option<Service>, Refusal> {
    let given = &options.service;
    let Some(id) = given.id else { return Ok(None) };
    if let ServiceId::Address { protocol, port, .. } = id {
        if port == 0 && given.persistent_s.is_none() {
            return usage("Zero port specified for non-persistent service");
        }
        if options.given.has(Name::Ops) && protocol != Protocol::Udp {
            return usage("One-Packet Scheduling is only for UDP virtual services");
        }
    }
    let scheduler = Some(given.scheduler.as_str()).filter(|name| !name.is_empty());
    let scheduler = scheduler.unwrap_or(DEFAULT_SCHEDULER);
    let netmask = given.netmask;
    Ok(Some(Service {
        id,
        scheduler: scheduler.into(),
        scheduler_flags: given.flags,
        persistence: given.persistent_s.map(|timeout_s| Persistence { timeout_s, netmask }),
        engine: Some(given.engine.clone()).filter(|name| !name.is_empty()),
        one_packet: options.given.has(Name::Ops),
    }))
}

fn dest_addr(options: &Options) -> DestAddr {
    DestAddr { address: options.server.address, port: options.server.port }
}

fn dest(options: &Options) -> Result<Dest, Refusal> {
    let server = &options.server;
    let mut addr = dest_addr(options);
    let tunneled = server.forward == Forward::Ipip;
    if let Some(ServiceId::Address { port, .. }) = options.service.id
        && server.forward != Forward::Masquerading
    {
        addr.port = port;
    }
    let family = options.service.id.map(ServiceId::family);
    if family != Some(Family::of(addr.address)) && !tunneled {
        return usage("Different address family is allowed only for tunneling servers");
    }
    if !tunneled && options.given.has_any(&tunnel::OPTIONS) {
        return usage("Tunnel options conflict with forward method");
    }
    let method = match server.forward {
        Forward::Masquerading => Method::Masq,
        Forward::Gatewaying => Method::DirectRoute,
        Forward::Ipip => Method::Tunnel(tunnel::tunnel(server, options.given)?),
    };
    Ok(Dest {
        addr,
        method,
        weight: server.weight,
        upper_threshold: server.upper,
        lower_threshold: server.lower,
    })
}

fn start_daemon(options: &Options) -> Option<SyncRequest> {
    let daemon = &options.daemon;
    let interface = Some(daemon.interface.as_str()).filter(|name| !name.is_empty());
    options.role.map(|role| SyncRequest {
        role,
        interface: interface.unwrap_or("eth0").into(),
        sync_id: daemon.sync_id,
        max_length: daemon.max_length,
        group: daemon.group,
        port: daemon.port,
        ttl: daemon.ttl,
    })
}

fn list(options: &Options) -> Result<Ask, Refusal> {
    let given = options.given;
    let special = given.has_any(&[Name::Connection, Name::Timeout, Name::Daemon]);
    let numbers = given.has_any(&[Name::Stats, Name::Rate, Name::Thresholds]);
    let settings = given.has_any(&[Name::Timeout, Name::Daemon]);
    if special && numbers || settings && given.has(Name::PersistentConn) {
        return usage("options conflicts in the list command");
    }
    let format = Format {
        numeric: given.has(Name::Numeric),
        exact: given.has(Name::Exact),
        nosort: given.has(Name::Nosort),
        view: view(options),
    };
    Ok(if given.has(Name::Connection) {
        Ask::Connections(format)
    } else if given.has(Name::ServiceAddress) {
        Ask::List(options.service.id, format)
    } else if given.has(Name::Timeout) {
        Ask::Timeouts
    } else if given.has(Name::Daemon) {
        Ask::Daemons
    } else {
        Ask::List(None, format)
    })
}

fn view(options: &Options) -> View {
    let views = [
        (Name::Stats, View::Stats),
        (Name::Rate, View::Rate),
        (Name::Thresholds, View::Thresholds),
        (Name::PersistentConn, View::PersistentConn),
        (Name::TunInfo, View::TunInfo),
    ];
    let chosen = views.into_iter().find(|(name, _)| options.given.has(*name));
    chosen.map_or(View::Default, |(_, view)| view)
}
