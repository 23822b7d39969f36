//! What is not built yet: the project's own recordings that are told apart until it is.

use crate::recordings::Case;

/// Group, what the case's name contains, and what it waits for.
const LATER: &[(&str, &str, &str)] = &[
    ("sched/v6", "", "IPv6"),
    ("sched/persist", "persist-v6", "IPv6"),
    ("state/tcp-tun", "", "tunneling"),
    ("state/udp", "(tunnel)", "tunneling"),
    ("state/counters", "(tunnel)", "tunneling"),
    ("state/counters", "", "counters as the kernel's snapshots of every two seconds"),
];

/// What stands in a case that needs something, and what it waits for.
const NEEDS: &[(&str, &str)] = &[
    ("\"fwmark\"", "firewall marks"),
    (" -f ", "firewall marks"),
    ("\"persist\"", "persistence"),
    (" -p ", "persistence"),
    (" -o", "one-packet scheduling"),
    ("\"ops\"", "one-packet scheduling"),
    ("lblc", "lblc and lblcr"),
    ("net.ipv4.vs.", "tunables"),
    ("\"sysctl\"", "tunables"),
];

/// What a case waits for.
pub(crate) fn later(case: &Case) -> Option<&'static str> {
    let waits = |entry: &&(&str, &str, &str)| case.group == entry.0 && case.name.contains(entry.1);
    let needs = |entry: &&(&str, &str)| case.text.contains(entry.0);
    let by_name = LATER.iter().find(waits).map(|entry| entry.2);
    by_name.or_else(|| NEEDS.iter().find(needs).map(|entry| entry.1))
}
