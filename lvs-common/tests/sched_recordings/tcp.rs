//! TCP as a director follows it: what each segment does to a connection's state.

/// States of connections; `Udp`, `None` and `Assured` are those of UDP and of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    None,
    Established,
    SynSent,
    SynRecv,
    FinWait,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Synack,
    Udp,
    Assured,
}

/// The flag of a segment that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Syn,
    Fin,
    Ack,
    Rst,
}

/// Who sent it, and whether the director sees both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Input,
    Output,
    InputOnly,
}

/// Rows by direction and segment (syn, fin, ack, rst), columns by the state before.
const TABLE: [[&str; 4]; 3] = [
    [
        "SR ES ES SR SR SR SR SR SR SR SR",
        "CL CW SS TW TW TW CL CW LA LI TW",
        "ES ES SS ES FW TW CL CW CL LI ES",
        "CL CL CL SR CL CL CL CL LA LI SR",
    ],
    [
        "SS ES SS SR SS SS SS SS SS LI SR",
        "TW FW SS TW FW TW CL TW LA LI TW",
        "ES ES SS ES FW TW CL CW LA ES ES",
        "CL CL SS CL CL TW CL CL CL CL CL",
    ],
    [
        "SR ES ES SR SR SR SR SR SR SR SR",
        "CL FW SS TW FW TW CL CW LA LI TW",
        "ES ES SS ES FW TW CL CW CL LI ES",
        "CL CL CL SR CL CL CL CL LA LI CL",
    ],
];

impl State {
    const TCP: [(Self, &str, &str); 11] = [
        (Self::None, "NO", "NONE"),
        (Self::Established, "ES", "ESTABLISHED"),
        (Self::SynSent, "SS", "SYN_SENT"),
        (Self::SynRecv, "SR", "SYN_RECV"),
        (Self::FinWait, "FW", "FIN_WAIT"),
        (Self::TimeWait, "TW", "TIME_WAIT"),
        (Self::Close, "CL", "CLOSE"),
        (Self::CloseWait, "CW", "CLOSE_WAIT"),
        (Self::LastAck, "LA", "LAST_ACK"),
        (Self::Listen, "LI", "LISTEN"),
        (Self::Synack, "SA", "SYNACK"),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Assured => "ASSURED",
            _ => Self::TCP.iter().find(|row| row.0 == self).unwrap().2,
        }
    }

    pub(crate) fn after(self, seen: Seen, segment: Segment) -> Self {
        let column = Self::TCP.iter().position(|row| row.0 == self).unwrap();
        let code = TABLE[seen as usize][segment as usize].split(' ').nth(column).unwrap();
        Self::TCP.iter().find(|row| row.1 == code).unwrap().0
    }

    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Established | Self::SynSent | Self::SynRecv | Self::Synack)
    }

    /// Seconds; `set` are the three of `ipvsadm --set`.
    pub(crate) fn timeout(self, set: [u64; 3]) -> u64 {
        match self {
            Self::None | Self::Assured => 2,
            Self::Established => set[0],
            Self::FinWait => set[1],
            Self::Udp => set[2],
            Self::SynRecv | Self::CloseWait => 60,
            Self::Close => 10,
            Self::LastAck => 30,
            Self::SynSent | Self::TimeWait | Self::Listen | Self::Synack => 120,
        }
    }
}
