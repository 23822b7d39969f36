//! The options that say how real servers are checked, and what follows.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::api::types::{AllDown, CheckSpec, DestHealth, OnDown, ServiceHealth, Span, Via};

/// The word for no check at all.
const NONE: &str = "none";
/// The word for those of the service.
const SERVICE: &str = "service";

/// Which checks.
#[derive(Debug, Args)]
pub(super) struct Checks {
    #[arg(
        long = "check",
        short = 'k',
        value_name = "CHECK",
        help = "\
        Check by this: http:/path, https://host/path, tcp, tcp:8080, udp, dns:NAME/A, icmp, smtp, redis, \
        mysql, postgres, exec:/program; again for more checks. `none' for none, and for a backend \
        `service' for those of its service"
    )]
    words: Vec<String>,
    /// From one check to the next: 500ms, 5s, 1m [default: 5s]
    #[arg(long, value_name = "TIME")]
    check_interval: Option<Span>,
    /// A check that takes longer has failed [default: 3s]
    #[arg(long, value_name = "TIME")]
    check_timeout: Option<Span>,
    /// Successes in a row that bring a real server back [default: 1]
    #[arg(long, value_name = "N")]
    rise: Option<u32>,
    /// Failures in a row that take it out [default: 2]
    #[arg(long, value_name = "N")]
    fall: Option<u32>,
    /// Check through the service's forwarding method, or the real server's own address
    #[arg(long, value_enum)]
    via: Option<ViaArgument>,
}

/// How a service's real servers are checked, and what follows.
#[derive(Debug, Args)]
pub(super) struct ServiceChecks {
    #[command(flatten)]
    checks: Checks,
    /// A real server that is down gets weight 0, or leaves the list [default: quiesce]
    #[arg(long, value_enum)]
    on_down: Option<OnDownArgument>,
    /// End the connections of a real server that goes down
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    reset_on_down: Option<bool>,
    /// The sum of weights that has to be up [default: 1]
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u32).range(1..))]
    quorum: Option<u32>,
    /// While it is lost only what is up gets connections, or all [default: closed]
    #[arg(long, value_enum)]
    all_down: Option<AllDownArgument>,
    /// A real server that comes back gets its full weight after this time [default: 0s]
    #[arg(long, value_name = "TIME")]
    slow_start: Option<Span>,
}

/// How one real server is checked.
#[derive(Debug, Args)]
pub(super) struct BackendChecks {
    #[command(flatten)]
    checks: Checks,
    /// New connections only while the others do not reach the quorum
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    backup: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ViaArgument {
    Service,
    Direct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnDownArgument {
    Quiesce,
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AllDownArgument {
    Closed,
    Open,
}

impl Checks {
    /// Whether anything is named.
    fn is_named(&self) -> bool {
        !self.words.is_empty() || self.is_timed()
    }

    fn is_timed(&self) -> bool {
        let Self { words: _, check_interval, check_timeout, rise, fall, via } = self;
        let spans = [check_interval, check_timeout].into_iter().any(Option::is_some);
        spans || rise.is_some() || fall.is_some() || via.is_some()
    }

    /// What is named here, over `before`.
    fn applied_to(&self, before: &[CheckSpec]) -> Result<Vec<CheckSpec>, Failure> {
        let mut specs = match &self.words[..] {
            [] => before.to_vec(),
            [word] if word == NONE => Vec::new(),
            words => words.iter().map(|word| read(word)).collect::<Result<_, _>>()?,
        };
        if specs.is_empty() && self.is_timed() {
            return Err(Failure::new("there is no check to time: --check says which"));
        }
        for spec in &mut specs {
            spec.interval = self.check_interval.or(spec.interval);
            spec.timeout = self.check_timeout.or(spec.timeout);
            spec.rise = self.rise.or(spec.rise);
            spec.fall = self.fall.or(spec.fall);
            spec.via = self.via.map(Via::from).or(spec.via);
            spec.read().map_err(|wrong| {
                let word = spec.label();
                Failure::new(format!("check {word}: {wrong}"))
            })?;
        }
        Ok(specs)
    }
}

impl ServiceChecks {
    /// `health` with everything that is named here, if anything is.
    pub(super) fn applied_to(
        &self,
        mut health: ServiceHealth,
    ) -> Result<Option<ServiceHealth>, Failure> {
        let before = health.clone();
        if self.checks.words == [SERVICE] {
            return Err(Failure::new("`service' is for a backend"));
        }
        if self.checks.is_named() {
            health.checks = self.checks.applied_to(&health.checks)?;
        }
        let policy = &mut health.policy;
        policy.on_down = self.on_down.map_or(policy.on_down, OnDown::from);
        policy.reset = self.reset_on_down.unwrap_or(policy.reset);
        policy.quorum = self.quorum.unwrap_or(policy.quorum);
        policy.all_down = self.all_down.map_or(policy.all_down, AllDown::from);
        policy.slow_start = self.slow_start.unwrap_or(policy.slow_start);
        Ok((health != before).then_some(health))
    }
}

impl BackendChecks {
    /// `health` with everything that is named here, if anything is; `inherited` are the service's
    /// checks.
    pub(super) fn applied_to(
        &self,
        mut health: DestHealth,
        inherited: &[CheckSpec],
    ) -> Result<Option<DestHealth>, Failure> {
        let before = health.clone();
        if self.checks.words == [SERVICE] {
            if self.checks.is_timed() {
                return Err(Failure::new("the service says when its checks are made"));
            }
            health.checks = None;
        } else if self.checks.is_named() {
            let own = health.checks.as_deref().unwrap_or(inherited);
            health.checks = Some(self.checks.applied_to(own)?);
        }
        health.backup = self.backup.unwrap_or(health.backup);
        Ok((health != before).then_some(health))
    }
}

impl From<ViaArgument> for Via {
    fn from(via: ViaArgument) -> Self {
        match via {
            ViaArgument::Service => Self::Service,
            ViaArgument::Direct => Self::Direct,
        }
    }
}

impl From<OnDownArgument> for OnDown {
    fn from(on_down: OnDownArgument) -> Self {
        match on_down {
            OnDownArgument::Quiesce => Self::Quiesce,
            OnDownArgument::Remove => Self::Remove,
        }
    }
}

impl From<AllDownArgument> for AllDown {
    fn from(all_down: AllDownArgument) -> Self {
        match all_down {
            AllDownArgument::Closed => Self::Closed,
            AllDownArgument::Open => Self::Open,
        }
    }
}

fn read(word: &str) -> Result<CheckSpec, Failure> {
    word.parse().map_err(|wrong| Failure::new(format!("check {word}: {wrong}")))
}
