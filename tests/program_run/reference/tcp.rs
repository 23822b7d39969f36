//! TCP's states as kernel IPVS keeps them.

/// Who sent a packet, and whether the director sees both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Input,
    Output,
    InputOnly,
}

/// Names of the states, in the order of the columns below.
const NAMES: [&str; 9] = [
    "NONE",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
];

/// What a segment with SYN, FIN, ACK or RST makes of each state: three rows of four, by who sent it.
const AFTER: [[&str; 4]; 3] = [
    [
        "SR ES ES SR SR SR SR SR SR",
        "CL CW SS TW TW TW CL CW LA",
        "ES ES SS ES FW TW CL CW CL",
        "CL CL CL SR CL CL CL CL LA",
    ],
    [
        "SS ES SS SR SS SS SS SS SS",
        "TW FW SS TW FW TW CL TW LA",
        "ES ES SS ES FW TW CL CW LA",
        "CL CL SS CL CL TW CL CL CL",
    ],
    [
        "SR ES ES SR SR SR SR SR SR",
        "CL FW SS TW FW TW CL CW LA",
        "ES ES SS ES FW TW CL CW CL",
        "CL CL CL SR CL CL CL CL LA",
    ],
];

/// The state after a segment with these control bits.
pub(crate) fn after(state: &'static str, seen: Seen, flags: u8) -> &'static str {
    use lvs_tests::rig::packet::{ACK, FIN, RST, SYN};
    let row = match flags {
        _ if flags & RST != 0 => 3,
        _ if flags & SYN != 0 => 0,
        _ if flags & FIN != 0 => 1,
        _ if flags & ACK != 0 => 2,
        _ => return "CLOSE",
    };
    let column = NAMES.iter().position(|name| *name == state).expect("a state of TCP");
    let next = AFTER[seen as usize][row].split(' ').nth(column).expect("nine columns");
    match next {
        "ES" => "ESTABLISHED",
        "SS" => "SYN_SENT",
        "SR" => "SYN_RECV",
        "FW" => "FIN_WAIT",
        "TW" => "TIME_WAIT",
        "CL" => "CLOSE",
        "CW" => "CLOSE_WAIT",
        "LA" => "LAST_ACK",
        other => unreachable!("{other}"),
    }
}

/// Whether connections in it count as active.
pub(crate) fn is_active(state: &str) -> bool {
    matches!(state, "ESTABLISHED" | "SYN_SENT" | "SYN_RECV")
}

/// Seconds; `set` are the three of `ipvsadm --set`.
pub(crate) fn timeout(state: &str, set: [u64; 3]) -> u64 {
    match state {
        "NONE" => 2,
        "ESTABLISHED" => set[0],
        "FIN_WAIT" => set[1],
        "UDP" => set[2],
        "SYN_RECV" | "CLOSE_WAIT" => 60,
        "CLOSE" => 10,
        "LAST_ACK" => 30,
        _ => 120,
    }
}
