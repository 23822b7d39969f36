//! The option table: what ipvsadm understands, and what popt may do with it.

/// One option of the command line; the commands are options too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opt {
    Command(Command),
    Help,
    Version,
    Tcp,
    Udp,
    Sctp,
    Fwmark,
    Ipv6,
    Sort,
    Forward(Forward),
    /// An option that is what its [`Name`] says.
    Named(Name),
}

/// A command as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    AddService,
    EditService,
    DeleteService,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    Set,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
}

/// A forwarding option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forward {
    Masquerading,
    Ipip,
    Gatewaying,
}

/// What messages call an option, in the order in which they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Numeric,
    Connection,
    ServiceAddress,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    ForwardingMethod,
    Weight,
    UThreshold,
    LThreshold,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    Nosort,
    Syncid,
    Exact,
    Ops,
    Pe,
    SchedFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunInfo,
    TunType,
    TunPort,
    TunNocsum,
    TunCsum,
    TunRemcsum,
}

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// It takes none.
    None,
    /// The rest of its word, or the next word.
    Required,
    /// The next word, unless it begins with `-`.
    Optional,
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) value: Value,
    pub(super) opt: Opt,
}

const fn spec(long: &'static str, short: Option<char>, value: Value, opt: Opt) -> Spec {
    Spec { long, short, value, opt }
}

const fn named(long: &'static str, short: Option<char>, value: Value, name: Name) -> Spec {
    spec(long, short, value, Opt::Named(name))
}

const fn command(long: &'static str, short: char, command: Command) -> Spec {
    spec(long, Some(short), Value::None, Opt::Command(command))
}

/// Every option.
pub(super) const SPECS: [Spec; 58] = [
    command("add-service", 'A', Command::AddService),
    command("edit-service", 'E', Command::EditService),
    command("delete-service", 'D', Command::DeleteService),
    command("clear", 'C', Command::Flush),
    command("list", 'L', Command::List),
    command("list", 'l', Command::List),
    command("zero", 'Z', Command::Zero),
    command("add-server", 'a', Command::AddServer),
    command("edit-server", 'e', Command::EditServer),
    command("delete-server", 'd', Command::DeleteServer),
    spec("set", None, Value::None, Opt::Command(Command::Set)),
    spec("help", Some('h'), Value::None, Opt::Help),
    spec("version", Some('v'), Value::None, Opt::Version),
    command("restore", 'R', Command::Restore),
    command("save", 'S', Command::Save),
    spec("start-daemon", None, Value::Required, Opt::Command(Command::StartDaemon)),
    spec("stop-daemon", None, Value::Required, Opt::Command(Command::StopDaemon)),
    spec("tcp-service", Some('t'), Value::Required, Opt::Tcp),
    spec("udp-service", Some('u'), Value::Required, Opt::Udp),
    spec("sctp-service", None, Value::Required, Opt::Sctp),
    spec("fwmark-service", Some('f'), Value::Required, Opt::Fwmark),
    named("scheduler", Some('s'), Value::Required, Name::Scheduler),
    named("persistent", Some('p'), Value::Optional, Name::Persistent),
    named("netmask", Some('M'), Value::Required, Name::Netmask),
    named("real-server", Some('r'), Value::Required, Name::RealServer),
    spec("masquerading", Some('m'), Value::None, Opt::Forward(Forward::Masquerading)),
    spec("ipip", Some('i'), Value::None, Opt::Forward(Forward::Ipip)),
    spec("gatewaying", Some('g'), Value::None, Opt::Forward(Forward::Gatewaying)),
    named("weight", Some('w'), Value::Required, Name::Weight),
    named("u-threshold", Some('x'), Value::Required, Name::UThreshold),
    named("l-threshold", Some('y'), Value::Required, Name::LThreshold),
    named("numeric", Some('n'), Value::None, Name::Numeric),
    named("connection", Some('c'), Value::None, Name::Connection),
    named("mcast-interface", None, Value::Required, Name::McastInterface),
    named("mcast-group", None, Value::Required, Name::McastGroup),
    named("mcast-port", None, Value::Required, Name::McastPort),
    named("mcast-ttl", None, Value::Required, Name::McastTtl),
    named("sync-maxlen", None, Value::Required, Name::SyncMaxlen),
    named("syncid", None, Value::Required, Name::Syncid),
    named("timeout", None, Value::None, Name::Timeout),
    named("daemon", None, Value::None, Name::Daemon),
    named("stats", None, Value::None, Name::Stats),
    named("rate", None, Value::None, Name::Rate),
    named("thresholds", None, Value::None, Name::Thresholds),
    named("persistent-conn", None, Value::None, Name::PersistentConn),
    named("nosort", None, Value::None, Name::Nosort),
    spec("sort", None, Value::None, Opt::Sort),
    named("exact", Some('X'), Value::None, Name::Exact),
    spec("ipv6", Some('6'), Value::None, Opt::Ipv6),
    named("ops", Some('o'), Value::None, Name::Ops),
    named("pe", None, Value::Required, Name::Pe),
    named("sched-flags", Some('b'), Value::Required, Name::SchedFlags),
    named("tun-info", None, Value::None, Name::TunInfo),
    named("tun-type", None, Value::Required, Name::TunType),
    named("tun-port", None, Value::Required, Name::TunPort),
    named("tun-nocsum", None, Value::None, Name::TunNocsum),
    named("tun-csum", None, Value::None, Name::TunCsum),
    named("tun-remcsum", None, Value::None, Name::TunRemcsum),
];

/// The names as messages spell them, in the order of [`Name`].
const NAMES: [(Name, &str); 34] = [
    (Name::Numeric, "numeric"),
    (Name::Connection, "connection"),
    (Name::ServiceAddress, "service-address"),
    (Name::Scheduler, "scheduler"),
    (Name::Persistent, "persistent"),
    (Name::Netmask, "netmask"),
    (Name::RealServer, "real-server"),
    (Name::ForwardingMethod, "forwarding-method"),
    (Name::Weight, "weight"),
    (Name::UThreshold, "u-threshold"),
    (Name::LThreshold, "l-threshold"),
    (Name::McastInterface, "mcast-interface"),
    (Name::Timeout, "timeout"),
    (Name::Daemon, "daemon"),
    (Name::Stats, "stats"),
    (Name::Rate, "rate"),
    (Name::Thresholds, "thresholds"),
    (Name::PersistentConn, "persistent-conn"),
    (Name::Nosort, "nosort"),
    (Name::Syncid, "syncid"),
    (Name::Exact, "exact"),
    (Name::Ops, "ops"),
    (Name::Pe, "pe"),
    (Name::SchedFlags, "sched-flags"),
    (Name::McastGroup, "mcast-group"),
    (Name::McastPort, "mcast-port"),
    (Name::McastTtl, "mcast-ttl"),
    (Name::SyncMaxlen, "sync-maxlen"),
    (Name::TunInfo, "tun-info"),
    (Name::TunType, "tun-type"),
    (Name::TunPort, "tun-port"),
    (Name::TunNocsum, "tun-nocsum"),
    (Name::TunCsum, "tun-csum"),
    (Name::TunRemcsum, "tun-remcsum"),
];

impl Name {
    /// All, in the order in which they are checked.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// What messages call it.
    pub(super) fn text(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl Command {
    /// What messages call it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::AddService => "add-service",
            Self::EditService => "edit-service",
            Self::DeleteService => "delete-service",
            Self::Flush => "flush",
            Self::List => "list",
            Self::AddServer => "add-server",
            Self::DeleteServer => "delete-server",
            Self::EditServer => "edit-server",
            Self::Set => "set",
            Self::StartDaemon => "start-daemon",
            Self::StopDaemon => "stop-daemon",
            Self::Restore => "restore",
            Self::Save => "save",
            Self::Zero => "zero",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_at_its_own_place() {
        for (index, name) in Name::all().enumerate() {
            assert_eq!(name as usize, index);
        }
    }
}
