//! What the program at a real server's end of tunnels and the command that attaches it agree on.

/// Map: a VIP as [`Addr`](crate::net::Addr) to the UDP port that gue comes to, in host order.
pub const VIPS: &str = "VIPS";

/// VIPs that one interface takes out of tunnels at most.
pub const MAX_VIPS: usize = 1024;

/// Map: packets per [`Count`] and CPU.
pub const COUNTS: &str = "COUNTS";

/// What became of an outer packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Count {
    /// What it carried went on in its place.
    TakenOut,
    /// It carried a packet for another address: left to the host.
    NotOurs,
    /// It is a fragment, with nothing to be taken out before the host has put it together: left to it.
    Fragment,
    /// The kernel could not take its headers off: dropped.
    Refused,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TakenOut, Self::NotOurs, Self::Fragment, Self::Refused];

    /// The words for it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TakenOut => "taken out of a tunnel",
            Self::NotOurs => "for another address, left to the host",
            Self::Fragment => "fragments of tunnels' packets, left to the host",
            Self::Refused => "dropped: the kernel refused",
        }
    }
}
