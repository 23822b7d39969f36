//! Connection states, transitions and timeouts (ip_vs_proto_tcp.c, ip_vs_proto_udp.c).

use crate::{map::TIMEOUTS, wire::Tcp};

/// State of a connection. TCP states have the kernel's numbers (IP_VS_TCP_S_*).
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State(u8);

/// What a segment tells: the first of RST, SYN, FIN, ACK that is set.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(u8);

/// Where a segment was seen.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction(u8);

/// One state's name, timeout and whether it counts as active.
struct Facts {
    name: &'static str,
    seconds: u32,
    active: bool,
}

impl State {
    /// No segment has been seen.
    pub const NONE: Self = Self(0);
    /// Data flows.
    pub const ESTABLISHED: Self = Self(1);
    /// The real server opens.
    pub const SYN_SENT: Self = Self(2);
    /// The client opens.
    pub const SYN_RECV: Self = Self(3);
    /// One side has closed.
    pub const FIN_WAIT: Self = Self(4);
    /// Both have closed.
    pub const TIME_WAIT: Self = Self(5);
    /// Reset.
    pub const CLOSE: Self = Self(6);
    /// The client has closed (NAT).
    pub const CLOSE_WAIT: Self = Self(7);
    /// The last acknowledgment is missing.
    pub const LAST_ACK: Self = Self(8);
    /// Expected by a helper.
    pub const LISTEN: Self = Self(9);
    /// secure_tcp's half-open state.
    pub const SYNACK: Self = Self(10);
    /// The one state of UDP.
    pub const UDP: Self = Self(11);

    /// The state of a number below sixteen, such as four bits of a connection word.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        Self(number & 15)
    }

    /// The state's number, below sixteen.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether a connection in this state counts as active.
    #[inline(always)]
    #[must_use]
    pub const fn is_active(self) -> bool {
        ACTIVE >> self.0 & 1 != 0
    }

    /// Whether a SYN in this state begins a new connection under conn_reuse_mode 1.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(self) -> bool {
        self.0 == Self::TIME_WAIT.0 || self.0 == Self::CLOSE.0
    }

    /// The name that `ipvsadm -Lc` shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        FACTS[(self.0 & 15) as usize].name
    }

    /// The state after an event.
    #[inline(always)]
    #[must_use]
    pub const fn next(self, direction: Direction, event: Event) -> Self {
        let row = ROWS[((direction.0 << 2 | event.0) & 15) as usize];
        Self((row >> (self.0 << 2) & 15) as u8)
    }
}

impl Event {
    const SYN: Self = Self(0);
    const FIN: Self = Self(1);
    const ACK: Self = Self(2);
    const RST: Self = Self(3);

    /// What a segment's control bits tell; `None` closes the connection, as in IPVS.
    #[inline(always)]
    #[must_use]
    pub const fn of(flags: u8) -> Option<Self> {
        if flags & Tcp::RST != 0 {
            Some(Self::RST)
        } else if flags & Tcp::SYN != 0 {
            Some(Self::SYN)
        } else if flags & Tcp::FIN != 0 {
            Some(Self::FIN)
        } else if flags & Tcp::ACK != 0 {
            Some(Self::ACK)
        } else {
            None
        }
    }
}

impl Direction {
    /// From the client, where the director sees replies as well (NAT).
    pub const INPUT: Self = Self(0);
    /// From the real server.
    pub const OUTPUT: Self = Self(1);
    /// From the client, where replies go another way (DR, TUN).
    pub const INPUT_ONLY: Self = Self(2);
}

/// The kernel's timeouts in ticks, by state number; the last is that of a connection without a
/// packet.
#[must_use]
pub const fn default_timeouts(ticks_per_second: u32) -> [u32; TIMEOUTS] {
    let mut ticks = [0; TIMEOUTS];
    let mut state = 0;
    while state < TIMEOUTS {
        ticks[state] = FACTS[state].seconds * ticks_per_second;
        state += 1;
    }
    ticks
}

const FACTS: [Facts; 16] = [
    fact("NONE", 2, false),
    fact("ESTABLISHED", 900, true),
    fact("SYN_SENT", 120, true),
    fact("SYN_RECV", 60, true),
    fact("FIN_WAIT", 120, false),
    fact("TIME_WAIT", 120, false),
    fact("CLOSE", 10, false),
    fact("CLOSE_WAIT", 60, false),
    fact("LAST_ACK", 30, false),
    fact("LISTEN", 120, false),
    fact("SYNACK", 120, true),
    fact("UDP", 300, false),
    fact("NONE", 2, false),
    fact("NONE", 2, false),
    fact("NONE", 2, false),
    fact("NONE", 2, false),
];

const fn fact(name: &'static str, seconds: u32, active: bool) -> Facts {
    Facts { name, seconds, active }
}

/// A bit for every state that counts as active.
const ACTIVE: u32 = {
    let mut bits = 0;
    let mut state = 0;
    while state < 16 {
        bits |= (FACTS[state].active as u32) << state;
        state += 1;
    }
    bits
};

/// One row of the transition table, four bits a state, from the two-letter codes of its columns
/// NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN,
/// SYNACK.
const fn row(codes: &str) -> u64 {
    let codes = codes.as_bytes();
    let (mut packed, mut column) = (0, 0);
    while column < 11 {
        let state = match (codes[column * 3], codes[column * 3 + 1]) {
            (b'E', b'S') => State::ESTABLISHED,
            (b'S', b'S') => State::SYN_SENT,
            (b'S', b'R') => State::SYN_RECV,
            (b'F', b'W') => State::FIN_WAIT,
            (b'T', b'W') => State::TIME_WAIT,
            (b'C', b'L') => State::CLOSE,
            (b'C', b'W') => State::CLOSE_WAIT,
            (b'L', b'A') => State::LAST_ACK,
            (b'L', b'I') => State::LISTEN,
            (b'S', b'A') => State::SYNACK,
            _ => State::NONE,
        };
        packed |= (state.0 as u64) << (column * 4);
        column += 1;
    }
    packed
}

/// tcp_states of the kernel: by direction and event.
static ROWS: [u64; 16] = [
    //   NO ES SS SR FW TW CL CW LA LI SA
    row("SR ES ES SR SR SR SR SR SR SR SR "), // INPUT SYN
    row("CL CW SS TW TW TW CL CW LA LI TW "), // INPUT FIN
    row("ES ES SS ES FW TW CL CW CL LI ES "), // INPUT ACK
    row("CL CL CL SR CL CL CL CL LA LI SR "), // INPUT RST
    row("SS ES SS SR SS SS SS SS SS LI SR "), // OUTPUT SYN
    row("TW FW SS TW FW TW CL TW LA LI TW "), // OUTPUT FIN
    row("ES ES SS ES FW TW CL CW LA ES ES "), // OUTPUT ACK
    row("CL CL SS CL CL TW CL CL CL CL CL "), // OUTPUT RST
    row("SR ES ES SR SR SR SR SR SR SR SR "), // INPUT_ONLY SYN
    row("CL FW SS TW FW TW CL CW LA LI TW "), // INPUT_ONLY FIN
    row("ES ES SS ES FW TW CL CW CL LI ES "), // INPUT_ONLY ACK
    row("CL CL CL SR CL CL CL CL LA LI CL "), // INPUT_ONLY RST
    0,
    0,
    0,
    0,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a connection through segments of (direction, flags).
    fn walk(steps: &[(Direction, u8)]) -> &'static str {
        let after = steps.iter().fold(State::NONE, |state, (direction, flags)| {
            Event::of(*flags).map_or(State::CLOSE, |event| state.next(*direction, event))
        });
        after.name()
    }

    const C: Direction = Direction::INPUT;
    const S: Direction = Direction::OUTPUT;
    const D: Direction = Direction::INPUT_ONLY;
    const SYN: u8 = Tcp::SYN;
    const ACK: u8 = Tcp::ACK;
    const FIN_ACK: u8 = Tcp::FIN | Tcp::ACK;

    #[test]
    fn a_nat_connection_opens_and_closes_as_in_the_kernel() {
        assert_eq!(walk(&[(C, SYN), (S, SYN | ACK)]), "SYN_RECV");
        assert_eq!(walk(&[(C, SYN), (S, SYN | ACK), (C, ACK)]), "ESTABLISHED");
        let open = [(C, SYN), (S, SYN | ACK), (C, ACK)];
        assert_eq!(walk(&[&open[..], &[(C, FIN_ACK)]].concat()), "CLOSE_WAIT");
        assert_eq!(walk(&[&open[..], &[(C, FIN_ACK), (S, FIN_ACK)]].concat()), "TIME_WAIT");
        assert_eq!(walk(&[&open[..], &[(S, FIN_ACK)]].concat()), "FIN_WAIT");
        assert_eq!(walk(&[&open[..], &[(S, FIN_ACK), (C, FIN_ACK)]].concat()), "TIME_WAIT");
    }

    #[test]
    fn a_direct_routed_connection_stays_in_fin_wait() {
        assert_eq!(walk(&[(D, SYN), (D, ACK), (D, FIN_ACK), (D, ACK)]), "FIN_WAIT");
        assert_eq!(walk(&[(D, SYN), (D, ACK), (D, Tcp::RST)]), "CLOSE");
        assert_eq!(walk(&[(D, SYN), (D, Tcp::RST)]), "SYN_RECV");
        assert_eq!(walk(&[(D, SYN), (D, FIN_ACK)]), "TIME_WAIT");
    }

    #[test]
    fn a_segment_that_tells_nothing_closes() {
        assert_eq!(walk(&[(D, SYN), (D, ACK), (D, Tcp::PSH)]), "CLOSE");
    }

    #[test]
    fn half_open_counts_as_active_and_udp_does_not() {
        assert!(State::SYN_RECV.is_active());
        assert!(!State::FIN_WAIT.is_active());
        assert!(!State::UDP.is_active());
    }
}
