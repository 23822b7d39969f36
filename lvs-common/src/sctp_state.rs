//! Connection states of SCTP (`ip_vs_proto_sctp.c`): states 16 to 29 of
//! [`State`](crate::tcp_state::State).
//!
//! What a packet does is told by its first chunk, or by an ABORT behind COOKIE-ECHO or COOKIE-ACK.

use crate::{
    tcp_state::{Direction, Transitions, row_of},
    wire::chunk,
};

/// What happens to a connection by a packet.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(u8);

impl Event {
    /// Data, or anything else that changes no state by itself.
    pub const DATA: Self = Self(0);
    /// The client opens.
    pub const INIT: Self = Self(1);
    /// The end of everything, at once.
    pub const ABORT: Self = Self(9);

    /// The event of a first chunk's type.
    #[inline(always)]
    #[must_use]
    pub const fn of(chunk: u8) -> Self {
        // verifier: shifted out of a constant instead of ten branches.
        if chunk < 16 { Self((EVENTS >> (chunk * 4) & 15) as u8) } else { Self::DATA }
    }

    /// The event of a number, such as [`number`](Self::number) gives.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// A number below sixteen.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// What an event does to a connection of SCTP.
#[inline(always)]
#[must_use]
pub const fn transitions(direction: Direction, event: Event) -> Transitions {
    let row = (direction.number() as usize) << 4 | (event.0 & 15) as usize;
    Transitions::from_word(ROWS[if row < ROWS.len() { row } else { 0 }])
}

/// Events of the chunk types below sixteen, four bits each; others are data.
const EVENTS: u64 = 1 << (4 * chunk::INIT)
    | 2 << (4 * chunk::INIT_ACK)
    | 3 << (4 * chunk::COOKIE_ECHO)
    | 4 << (4 * chunk::COOKIE_ACK)
    | 5 << (4 * chunk::SHUTDOWN)
    | 6 << (4 * chunk::SHUTDOWN_ACK)
    | 7 << (4 * chunk::SHUTDOWN_COMPLETE)
    | 8 << (4 * chunk::ERROR)
    | 9 << (4 * chunk::ABORT);

/// Two letters of each state, in the order of their numbers.
const CODES: &[u8] = b"NOI1INCSCRCWCOCEESSSSRSARJCL";

const fn row(codes: &str) -> u64 {
    row_of(codes, CODES)
}

/// `sctp_states` of the kernel: by direction, sixteen rows each, and event.
static ROWS: [u64; 48] = {
    let rows = [
        //   NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
        row("ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL "), // INPUT DATA
        row("I1 IN IN CS CR CW CO CE ES SS SR SA IN IN "), // INPUT INIT
        row("CW CW CW CS CR CO CO CE ES SS SR SA RJ CL "), // INPUT INIT-ACK
        row("CR IN IN CR CR CW CO CE ES SS SR SA RJ CL "), // INPUT COOKIE-ECHO
        row("ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL "), // INPUT COOKIE-ACK
        row("SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL "), // INPUT SHUTDOWN
        row("CL IN IN CS CR CW CO CE ES CL SR CL RJ CL "), // INPUT SHUTDOWN-ACK
        row("CL CL CL CS CR CW CO CE ES SS SR CL RJ CL "), // INPUT SHUTDOWN-COMPLETE
        row("CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL "), // INPUT ERROR
        row("CL CL CL CL CL RJ CL CL CL CL CL CL CL CL "), // INPUT ABORT
        row("ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL "), // OUTPUT DATA
        row("CW CW CW CW CW CW CW CW ES CW CW CW CW CW "), // OUTPUT INIT
        row("CS CS CS CS CR CW CO CE ES SS SR SA RJ CL "), // OUTPUT INIT-ACK
        row("CE CE CE CE CE CE CE CE ES SS SR SA RJ CL "), // OUTPUT COOKIE-ECHO
        row("ES ES ES ES ES ES ES ES ES SS SR SA RJ CL "), // OUTPUT COOKIE-ACK
        row("SS SS SS SS SS SS SS SS SS SS SR SA RJ CL "), // OUTPUT SHUTDOWN
        row("SA SA SA SA SA CW CO CE ES SA SA SA RJ CL "), // OUTPUT SHUTDOWN-ACK
        row("CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL "), // OUTPUT SHUTDOWN-COMPLETE
        row("CL CL CL CL CL CW CO CE ES SS SR SA RJ CL "), // OUTPUT ERROR
        row("CL RJ CL CL CL CL CL CL CL CL CL CL CL CL "), // OUTPUT ABORT
        row("ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL "), // INPUT_ONLY DATA
        row("I1 IN IN IN IN IN CO CE ES SS SR SA IN IN "), // INPUT_ONLY INIT
        row("CE CE CE CE CE CE CO CE ES SS SR SA RJ CL "), // INPUT_ONLY INIT-ACK
        row("ES ES ES ES ES ES CO CE ES SS SR SA RJ CL "), // INPUT_ONLY COOKIE-ECHO
        row("ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL "), // INPUT_ONLY COOKIE-ACK
        row("SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL "), // INPUT_ONLY SHUTDOWN
        row("CL IN IN CS CR CW CO CE CL CL SR CL RJ CL "), // INPUT_ONLY SHUTDOWN-ACK
        row("CL CL CL CL CL CW CO CE ES SS CL CL RJ CL "), // INPUT_ONLY SHUTDOWN-COMPLETE
        row("CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL "), // INPUT_ONLY ERROR
        row("CL CL CL CL CL RJ CL CL CL CL CL CL CL CL "), // INPUT_ONLY ABORT
    ];
    let (mut all, mut i) = ([0; 48], 0);
    while i < 30 {
        all[i / 10 * 16 + i % 10] = rows[i];
        i += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp_state::State;

    fn walk(steps: &[(Direction, u8)]) -> &'static str {
        let after = steps.iter().fold(State::SCTP_NONE, |state, (direction, chunk)| {
            transitions(*direction, Event::of(*chunk)).after(state)
        });
        after.name()
    }

    const C: Direction = Direction::INPUT;
    const S: Direction = Direction::OUTPUT;
    const D: Direction = Direction::INPUT_ONLY;

    #[test]
    fn an_association_opens_and_closes_in_nat() {
        use chunk::{COOKIE_ACK, COOKIE_ECHO, INIT, INIT_ACK, SHUTDOWN, SHUTDOWN_ACK};
        let open = [(C, INIT), (S, INIT_ACK), (C, COOKIE_ECHO), (S, COOKIE_ACK)];
        assert_eq!(walk(&open[..1]), "INIT1");
        assert_eq!(walk(&open[..2]), "C-SENT");
        assert_eq!(walk(&open[..3]), "C-REPLIED");
        assert_eq!(walk(&open), "ESTABLISHED");
        assert_eq!(walk(&[&open[..], &[(C, SHUTDOWN)]].concat()), "S-RECEIVED");
        assert_eq!(walk(&[&open[..], &[(S, SHUTDOWN), (C, SHUTDOWN_ACK)]].concat()), "CLOSED");
    }

    #[test]
    fn a_direct_routed_association_is_established_by_its_cookie() {
        assert_eq!(walk(&[(D, chunk::INIT), (D, chunk::COOKIE_ECHO)]), "ESTABLISHED");
        assert_eq!(walk(&[(D, chunk::INIT), (D, chunk::ABORT)]), "CLOSED");
    }

    #[test]
    fn unknown_chunks_are_data() {
        for chunk in [0, 3, 12, 13, 15, 16, 0x81, 0xc0, 0xff] {
            assert_eq!(Event::of(chunk), Event::DATA, "{chunk}");
        }
    }

    #[test]
    fn only_established_ones_are_active() {
        let active = (16..32).map(State::from_number).filter(|state| state.is_active());
        assert_eq!(active.map(State::name).collect::<Vec<_>>(), ["ESTABLISHED"]);
    }
}
