//! What is not built yet: the project's own recordings that are told apart until it is.

use crate::recordings::Case;

/// Group, what the case's name contains, and what it waits for.
const LATER: &[(&str, &str, &str)] = &[
    ("sched/v6", "", "IPv6"),
    ("sched/persist", "persist-v6", "IPv6"),
    ("state/tcp-tun", "", "tunneling"),
    ("state/udp", "(tunnel)", "tunneling"),
    ("state/counters", "(tunnel)", "tunneling"),
];

/// What a case waits for.
pub(crate) fn later(case: &Case) -> Option<&'static str> {
    let waits = |entry: &&(&str, &str, &str)| case.group == entry.0 && case.name.contains(entry.1);
    LATER.iter().find(waits).map(|entry| entry.2)
}
