//! The options that describe a virtual service.

use clap::{Args, builder::PossibleValuesParser};

use super::{Failure, argument::ServiceArgument, check_options::ServiceChecks, service::Json};
use crate::api::types::{
    Netmask, Persistence, Protocol, SCHEDULERS, SchedulerFlags, Service, ServiceId,
};

/// A virtual service and what to say of it.
#[derive(Debug, Args)]
pub struct Describe {
    #[command(flatten)]
    pub(super) service: ServiceArgument,
    /// Who decides where connections go [default: wlc]
    #[arg(long, short, value_parser = PossibleValuesParser::new(SCHEDULERS))]
    scheduler: Option<String>,
    /// Flags of the scheduler: fallback, port, flag-1, flag-2, flag-3; or `none`
    #[arg(long, value_name = "FLAGS")]
    flags: Option<String>,
    /// Clients stay with their real server for this many seconds after their last connection; or `off`
    #[arg(long, short, value_name = "SECONDS|off")]
    persistent: Option<String>,
    /// Clients in one network count as one: a mask for IPv4, a prefix length for IPv6
    #[arg(long, value_name = "MASK")]
    netmask: Option<String>,
    /// Persistence engine: sip; or `none`
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// Schedule every UDP datagram by itself
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    one_packet: Option<bool>,
    #[command(flatten)]
    pub(super) health: ServiceChecks,
    #[command(flatten)]
    pub(super) json: Json,
}

impl Describe {
    /// `service` with everything that is named here.
    pub(super) fn applied_to(&self, mut service: Service) -> Result<Service, Failure> {
        if let Some(scheduler) = &self.scheduler {
            service.scheduler.clone_from(scheduler);
        }
        if let Some(list) = &self.flags {
            service.scheduler_flags = flags(list)?;
        }
        self.apply_persistence(&mut service)?;
        if let Some(engine) = &self.engine {
            service.engine = Some(engine.clone()).filter(|engine| engine != "none");
        }
        if let Some(one_packet) = self.one_packet {
            service.one_packet = one_packet;
        }
        if let ServiceId::Address { protocol, port, .. } = service.id {
            if port == 0 && service.persistence.is_none() {
                return Err(Failure::new("port 0 (every port) needs --persistent"));
            }
            if service.one_packet && protocol != Protocol::Udp {
                return Err(Failure::new("--one-packet is for UDP services"));
            }
        }
        Ok(service)
    }

    fn apply_persistence(&self, service: &mut Service) -> Result<(), Failure> {
        let before = service.persistence;
        if let Some(text) = &self.persistent {
            let netmask =
                before.map_or_else(|| Netmask::host(service.id.family()), |before| before.netmask);
            service.persistence = match (text.as_str(), text.parse()) {
                ("off", _) => None,
                (_, Ok(timeout_s @ 1..=2_678_400)) => Some(Persistence { timeout_s, netmask }),
                _ => {
                    return Err(Failure::new(format!(
                        "`{text}' is no persistence timeout: 1 to 2678400 seconds, or off"
                    )));
                }
            };
        }
        if let Some(text) = &self.netmask {
            let netmask = Netmask::read(text, service.id.family()).map_err(Failure::new)?;
            let Some(persistence) = &mut service.persistence else {
                return Err(Failure::new("--netmask needs --persistent"));
            };
            persistence.netmask = netmask;
        }
        Ok(())
    }
}

fn flags(list: &str) -> Result<SchedulerFlags, Failure> {
    let mut flags = SchedulerFlags::default();
    if list == "none" {
        return Ok(flags);
    }
    for flag in list.split(',') {
        if !flags.set(flag) {
            return Err(Failure::new(format!(
                "`{flag}' is no flag: fallback, port, flag-1, flag-2, flag-3"
            )));
        }
    }
    Ok(flags)
}
