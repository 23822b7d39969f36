//! Connection states, transitions and timeouts (`ip_vs_proto_tcp.c`, `ip_vs_proto_udp.c`).

use crate::{map::TIMEOUTS, wire::Tcp};

/// State of a connection. TCP states have the kernel's numbers (`IP_VS_TCP_S_*`).
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State(u8);

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
    /// `secure_tcp`'s half-open state.
    pub const SYNACK: Self = Self(10);
    /// UDP, as far as the client is concerned.
    pub const UDP: Self = Self(11);
    /// UDP, once the real server has answered; shown as [`Self::UDP`].
    pub const UDP_ANSWERED: Self = Self(12);

    /// The states of SCTP begin here: no packet has been seen.
    pub const SCTP_NONE: Self = Self(16);
    /// SCTP: data flows.
    pub const SCTP_ESTABLISHED: Self = Self(24);
    /// SCTP: over.
    pub const SCTP_CLOSED: Self = Self(29);

    /// The state of a number below 32: four bits of a connection word, and 16 in SCTP.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        Self(number & 31)
    }

    /// The state's number, below 32.
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

    /// Whether a SYN or INIT in this state begins a new connection under `conn_reuse_mode` 1.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(self) -> bool {
        OVER >> self.0 & 1 != 0
    }

    /// Whether a connection in this state lets its template last (`ip_vs_control_assure_ct`).
    #[inline(always)]
    #[must_use]
    pub const fn assures(self) -> bool {
        ASSURES >> self.0 & 1 != 0
    }

    /// The name that `ipvsadm -Lc` shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        FACTS[(self.0 & 31) as usize].name
    }
}

/// What a segment does to a connection: the state after it, for every state before; four bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transitions(u64);

impl Transitions {
    /// A datagram's to the real server.
    pub const UDP: Self = Self(
        Self::to(State::UDP).0
            ^ (((State::UDP.0 ^ State::UDP_ANSWERED.0) as u64) << (4 * State::UDP_ANSWERED.0)),
    );
    /// A datagram's from the real server.
    pub const UDP_REPLY: Self = Self::to(State::UDP_ANSWERED);

    /// Four bits for every state before.
    #[must_use]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// To this state, whatever it was.
    #[must_use]
    pub const fn to(state: State) -> Self {
        Self(0x1111_1111_1111_1111 * state.0 as u64)
    }

    /// A TCP segment's: the first of RST, SYN, FIN, ACK that is set tells; one with none of them
    /// closes the connection, as in IPVS.
    ///
    /// `secure` is 1 under `secure_tcp`, else 0: then the client alone establishes nothing.
    // verifier: a table look-up, since a branch for each bit is walked for each that follows.
    #[inline(always)]
    #[must_use]
    pub const fn of(direction: Direction, flags: u8, secure: u32) -> Self {
        let bits = flags & (Tcp::FIN | Tcp::SYN | Tcp::RST) | (flags & Tcp::ACK) >> 1;
        let event = (EVENTS >> (bits << 2) & 7) as usize;
        Self(ROWS[(((secure & 1) as usize) << 5 | (direction.0 as usize) << 3 | event) & 63])
    }

    /// The state after the segment.
    #[inline(always)]
    #[must_use]
    pub const fn after(self, state: State) -> State {
        State((self.0 >> ((state.0 & 15) << 2) & 15) as u8 | state.0 & 16)
    }
}

impl Direction {
    /// A number below three.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }

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

const FACTS: [Facts; 32] = [
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
    fact("UDP", 300, false),
    fact("NONE", 2, false),
    fact("NONE", 2, false),
    fact("NONE", 2, false),
    // SCTP
    fact("NONE", 2, false),
    fact("INIT1", 4, false),
    fact("INIT", 61, false),
    fact("C-SENT", 61, false),
    fact("C-REPLIED", 61, false),
    fact("C-WAIT", 61, false),
    fact("COOKIE", 61, false),
    fact("C-ECHOED", 61, false),
    fact("ESTABLISHED", 900, true),
    fact("S-SENT", 61, false),
    fact("S-RECEIVED", 61, false),
    fact("S-ACK-SENT", 61, false),
    fact("REJECTED", 4, false),
    fact("CLOSED", 61, false),
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
    while state < TIMEOUTS {
        bits |= (FACTS[state].active as u32) << state;
        state += 1;
    }
    bits
};

/// A bit for every state that is over: a SYN or INIT begins anew.
const OVER: u32 = 1 << State::TIME_WAIT.0 | 1 << State::CLOSE.0 | 1 << State::SCTP_CLOSED.0;
/// A bit for every state that lets a template last.
const ASSURES: u32 =
    1 << State::ESTABLISHED.0 | 1 << State::UDP_ANSWERED.0 | 1 << State::SCTP_ESTABLISHED.0;

/// Two letters of each state, in the order of their numbers.
const CODES: &[u8] = b"NOESSSSRFWTWCLCWLALISA";

/// One row of a transition table, four bits a state, from the codes of its columns, of which there is
/// one for each state that `states` has a code of.
pub(crate) const fn row_of(codes: &str, states: &[u8]) -> u64 {
    let codes = codes.as_bytes();
    let (mut packed, mut column) = (0, 0);
    while column < states.len() / 2 {
        let mut state = 0;
        while states[state * 2] != codes[column * 3]
            || states[state * 2 + 1] != codes[column * 3 + 1]
        {
            state += 1;
        }
        packed |= (state as u64) << (column * 4);
        column += 1;
    }
    packed
}

const fn row(codes: &str) -> u64 {
    row_of(codes, CODES)
}

/// Rows of a direction in [`ROWS`].
const SYN: u64 = 0;
const FIN: u64 = 1;
const ACK: u64 = 2;
const RST: u64 = 3;
const NOTHING: u64 = 4;

/// The row for every set of bits ACK, RST, SYN, FIN; four bits each.
const EVENTS: u64 = {
    let (mut events, mut bits) = (0, 0);
    while bits < 16 {
        let event = if bits & 4 != 0 {
            RST
        } else if bits & 2 != 0 {
            SYN
        } else if bits & 1 != 0 {
            FIN
        } else if bits & 8 != 0 {
            ACK
        } else {
            NOTHING
        };
        events |= event << (bits * 4);
        bits += 1;
    }
    events
};

/// `tcp_states` and `tcp_states_dos` of the kernel: by table, direction (eight rows each) and event.
static ROWS: [u64; 64] = {
    let rows = [
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
    ];
    let secure = [
        //   NO ES SS SR FW TW CL CW LA LI SA
        row("SR ES ES SR SR SR SR SR SR SR SA "), // INPUT SYN
        row("CL CW SS TW TW TW CL CW LA LI SA "), // INPUT FIN
        row("ES ES SS SR FW TW CL CW CL LI SA "), // INPUT ACK
        row("CL CL CL SR CL CL CL CL LA LI CL "), // INPUT RST
        row("SS ES SS SA SS SS SS SS SS LI SA "), // OUTPUT SYN
        row("TW FW SS TW FW TW CL TW LA LI TW "), // OUTPUT FIN
        row("ES ES SS ES FW TW CL CW LA ES ES "), // OUTPUT ACK
        row("CL CL SS CL CL TW CL CL CL CL CL "), // OUTPUT RST
        row("SA ES ES SR SA SA SA SA SA SA SA "), // INPUT_ONLY SYN
        row("CL FW SS TW FW TW CL CW LA LI TW "), // INPUT_ONLY FIN
        row("ES ES SS ES FW TW CL CW CL LI ES "), // INPUT_ONLY ACK
        row("CL CL CL SR CL CL CL CL LA LI CL "), // INPUT_ONLY RST
    ];
    let close = row("CL CL CL CL CL CL CL CL CL CL CL ");
    let (mut all, mut i) = ([close; 64], 0);
    while i < 12 {
        all[i / 4 * 8 + i % 4] = rows[i];
        all[32 + i / 4 * 8 + i % 4] = secure[i];
        i += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a connection through segments of (direction, flags).
    fn walk(steps: &[(Direction, u8)]) -> &'static str {
        walk_by(0, steps)
    }

    fn walk_by(secure: u32, steps: &[(Direction, u8)]) -> &'static str {
        let after = steps.iter().fold(State::NONE, |state, (direction, flags)| {
            Transitions::of(*direction, *flags, secure).after(state)
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
    fn under_secure_tcp_a_client_alone_establishes_nothing_in_nat() {
        assert_eq!(walk_by(1, &[(C, SYN), (S, SYN | ACK)]), "SYNACK");
        assert_eq!(walk_by(1, &[(C, SYN), (S, SYN | ACK), (C, ACK)]), "SYNACK");
        assert_eq!(walk_by(1, &[(C, SYN), (S, SYN | ACK), (C, ACK), (S, ACK)]), "ESTABLISHED");
        assert_eq!(walk_by(1, &[(D, SYN)]), "SYNACK");
        assert_eq!(walk_by(1, &[(D, SYN), (D, ACK)]), "ESTABLISHED");
    }

    #[test]
    fn udp_remembers_that_it_was_answered() {
        let opened = Transitions::UDP.after(State::NONE);
        assert_eq!((opened, Transitions::UDP.after(opened)), (State::UDP, State::UDP));
        let answered = Transitions::UDP_REPLY.after(opened);
        assert_eq!(answered, State::UDP_ANSWERED);
        assert_eq!(Transitions::UDP.after(answered), State::UDP_ANSWERED);
        assert_eq!(answered.name(), "UDP");
    }

    #[test]
    fn half_open_counts_as_active_and_udp_does_not() {
        assert!(State::SYN_RECV.is_active());
        assert!(!State::FIN_WAIT.is_active());
        assert!(!State::UDP.is_active());
    }
}
