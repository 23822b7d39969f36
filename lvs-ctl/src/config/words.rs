//! Rules and their differences in the file's words.

use super::{service::flags, switches::FileMark};
use crate::model::{
    Dest, MarkRule, Service, Timeouts,
    health::{AllDown, CheckSpec, DestHealth, OnDown, ServiceHealth},
};

/// What there is to say of something: names with values, and whether the value is the default.
type Fields = Vec<(&'static str, String, bool)>;

/// What is to be said of a new service.
pub(super) fn service(service: &Service) -> String {
    described(&fields_of_service(service))
}

/// How `new` differs from `old`; empty if it does not.
pub(super) fn service_difference(old: &Service, new: &Service) -> String {
    difference(fields_of_service(old), fields_of_service(new))
}

/// What is to be said of a new real server.
pub(super) fn dest(dest: &Dest) -> String {
    described(&fields_of_dest(dest))
}

/// How `new` differs from `old`; empty if it does not.
pub(super) fn dest_difference(old: &Dest, new: &Dest) -> String {
    difference(fields_of_dest(old), fields_of_dest(new))
}

/// How `new` differs from `old`; empty if it does not.
pub(super) fn timeouts_difference(old: Timeouts, new: Timeouts) -> String {
    let fields = |Timeouts { tcp_s, tcp_fin_s, udp_s }| {
        [("tcp", tcp_s), ("tcp_fin", tcp_fin_s), ("udp", udp_s)]
            .map(|(name, timeout)| (name, timeout.to_string(), false))
            .to_vec()
    };
    difference(fields(old), fields(new))
}

/// A rule that marks packets.
pub(super) fn mark(rule: &MarkRule) -> String {
    let FileMark { protocol, destination, ports, mark } = FileMark::new(rule);
    let protocol = protocol.map(|protocol| format!(" protocol {}", protocol.name()));
    let ports = ports.map(|ports| format!(" ports {ports}"));
    let [protocol, ports] = [protocol, ports].map(Option::unwrap_or_default);
    format!("{mark}{protocol} destination {destination}{ports}")
}

/// How `new` differs from `old`; empty if it does not.
pub(super) fn health_difference(old: &ServiceHealth, new: &ServiceHealth) -> String {
    difference(fields_of_health(old), fields_of_health(new))
}

/// How `new` differs from `old`; empty if it does not.
pub(super) fn dest_health_difference(old: &DestHealth, new: &DestHealth) -> String {
    let fields = |DestHealth { checks, backup }: &DestHealth| {
        let check = checks.as_deref().map_or_else(|| "as the service".to_owned(), check_words);
        vec![("check", check, checks.is_none()), ("backup", backup.to_string(), !backup)]
    };
    difference(fields(old), fields(new))
}

fn fields_of_health(health: &ServiceHealth) -> Fields {
    let ServiceHealth { checks, policy } = health;
    let on_down = match policy.on_down {
        OnDown::Quiesce => "quiesce",
        OnDown::Remove => "remove",
    };
    let all_down = match policy.all_down {
        AllDown::Closed => "closed",
        AllDown::Open => "open",
        AllDown::Sorry => "sorry",
    };
    let damping = policy.damping.map_or_else(
        || "none".to_owned(),
        |it| format!("{} in {}, {}", it.flaps, it.within, it.hold),
    );
    let sorry = policy.sorry_server.as_ref().map_or_else(
        || "none".to_owned(),
        |sorry| format!("{} ({})", sorry.addr, described(&fields_of_dest(sorry))),
    );
    let fields = [
        ("check", check_words(checks)),
        ("on_down", on_down.to_owned()),
        ("reset", policy.reset.to_string()),
        ("all_down", all_down.to_owned()),
        ("quorum", policy.quorum.max(1).to_string()),
        ("hysteresis", policy.hysteresis.to_string()),
        ("slow_start", policy.slow_start.to_string()),
        ("damping", damping),
        ("sorry_server", sorry),
        ("sorry_server.check", check_words(&policy.sorry_checks)),
    ];
    fields.into_iter().map(|(name, words)| (name, words, false)).collect()
}

/// All that a check says, on one line.
fn check_words(specs: &[CheckSpec]) -> String {
    let word = |spec: &CheckSpec| {
        spec.shorthand().unwrap_or_else(|| serde_json::to_string(spec).unwrap_or_default())
    };
    if specs.is_empty() {
        return "none".to_owned();
    }
    specs.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn fields_of_service(service: &Service) -> Fields {
    let flags = flags(service).collect::<Vec<_>>().join(",");
    let netmask = service.persistence.map(|persistence| persistence.netmask);
    let netmask = netmask.filter(|mask| !mask.is_host()).map(|mask| mask.to_string());
    let persistent = service.persistence.map(|persistence| persistence.timeout_s.to_string());
    let or = |name, value: Option<String>, default: &str| {
        let is_default = value.is_none();
        (name, value.unwrap_or_else(|| default.to_owned()), is_default)
    };
    vec![
        ("scheduler", service.scheduler.clone(), false),
        or("flags", Some(flags).filter(|flags| !flags.is_empty()), "none"),
        or("persistent", persistent, "off"),
        or("netmask", netmask, "none"),
        or("engine", service.engine.clone(), "none"),
        ("one_packet", service.one_packet.to_string(), !service.one_packet),
    ]
}

fn fields_of_dest(dest: &Dest) -> Fields {
    let Dest { addr: _, method, weight, upper_threshold: upper, lower_threshold: lower } = dest;
    vec![
        ("method", method.to_string(), false),
        ("weight", weight.to_string(), false),
        ("upper", upper.to_string(), *upper == 0),
        ("lower", lower.to_string(), *lower == 0),
    ]
}

fn described(fields: &Fields) -> String {
    let said = fields.iter().filter(|(_, _, is_default)| !is_default);
    said.map(|(name, value, _)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn difference(old: Fields, new: Fields) -> String {
    let pairs = old.into_iter().zip(new).filter(|(old, new)| old.1 != new.1);
    let words = pairs.map(|((name, old, _), (_, new, _))| format!("{name} {old} -> {new}"));
    words.collect::<Vec<_>>().join(", ")
}
