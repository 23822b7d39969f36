//! The set of options that were given, and which a command allows.

use super::{
    option::{Command, Name},
    refusal::{Refusal, usage},
};

/// A set of [`Name`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NameSet(u64);

/// What a command makes of options.
struct Rule {
    required: NameSet,
    allowed: NameSet,
    /// At most one of these.
    exclusive: NameSet,
}

impl NameSet {
    pub(super) fn has(self, name: Name) -> bool {
        self.0 & 1 << name as u64 != 0
    }

    /// Whether one of `names` is in it.
    pub(super) fn has_any(self, names: &[Name]) -> bool {
        self.0 & Self::of(names).0 != 0
    }

    /// Adds `name`, which must be new.
    pub(super) fn insert(&mut self, name: Name) -> Result<(), Refusal> {
        if self.has(name) {
            return usage(format!("multiple '{}' options specified", name.text()));
        }
        self.0 |= 1 << name as u64;
        Ok(())
    }

    pub(super) fn of(names: &[Name]) -> Self {
        Self(names.iter().fold(0, |set, name| set | 1 << *name as u64))
    }
}

/// Whether `command` may be given `options`.
pub(super) fn check(command: Command, options: NameSet) -> Result<(), Refusal> {
    let rule = rule(command);
    let command = command.text();
    let mut last: Option<Name> = None;
    for name in Name::all() {
        let text = name.text();
        if !options.has(name) {
            if rule.required.has(name) {
                return usage(format!(
                    "You need to supply the '{text}' option for the '{command}' command"
                ));
            }
        } else if rule.exclusive.has(name) {
            if let Some(last) = last {
                let last = last.text();
                return usage(format!(
                    "The option '{text}' conflicts with the '{last}' option in the '{command}' command"
                ));
            }
            last = Some(name);
        } else if !rule.required.has(name) && !rule.allowed.has(name) {
            return usage(format!("Illegal '{text}' option with the '{command}' command"));
        }
    }
    Ok(())
}

fn rule(command: Command) -> Rule {
    use Name as N;
    let (required, allowed, exclusive): (&[N], &[N], &[N]) = match command {
        Command::AddService | Command::EditService => (
            &[N::ServiceAddress],
            &[N::Scheduler, N::Persistent, N::Netmask, N::Ops, N::Pe, N::SchedFlags],
            &[],
        ),
        Command::DeleteService => (&[N::ServiceAddress], &[], &[]),
        Command::AddServer | Command::EditServer => (
            &[N::ServiceAddress, N::RealServer],
            &[
                N::ForwardingMethod,
                N::Weight,
                N::UThreshold,
                N::LThreshold,
                N::TunType,
                N::TunPort,
                N::TunNocsum,
                N::TunCsum,
                N::TunRemcsum,
            ],
            &[],
        ),
        Command::DeleteServer => (&[N::ServiceAddress, N::RealServer], &[], &[]),
        Command::List => (
            &[],
            &[
                N::Numeric,
                N::Stats,
                N::Rate,
                N::Thresholds,
                N::PersistentConn,
                N::Nosort,
                N::Syncid,
                N::Exact,
                N::TunInfo,
            ],
            &[N::Connection, N::ServiceAddress, N::Timeout, N::Daemon],
        ),
        Command::StartDaemon => (
            &[],
            &[
                N::McastInterface,
                N::Syncid,
                N::McastGroup,
                N::McastPort,
                N::McastTtl,
                N::SyncMaxlen,
            ],
            &[],
        ),
        Command::StopDaemon => (&[], &[N::Syncid], &[]),
        Command::Save => (&[], &[N::Numeric], &[]),
        Command::Zero => (&[], &[N::ServiceAddress], &[]),
        Command::Flush | Command::Set | Command::Restore => (&[], &[], &[]),
    };
    Rule {
        required: NameSet::of(required),
        allowed: NameSet::of(allowed),
        exclusive: NameSet::of(exclusive),
    }
}
