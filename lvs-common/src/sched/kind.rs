//! The schedulers by name and number.

use core::{error::Error, fmt};

/// A scheduler: who decides which real server a new connection goes to.
///
/// The number is what the service map holds and never changes; 0 is free for "no scheduler" (IPVS's
/// `none`), under which no connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Round robin.
    Rr = 1,
    /// Weighted round robin.
    Wrr = 2,
    /// Least connection.
    Lc = 3,
    /// Weighted least connection; IPVS's default.
    Wlc = 4,
    /// Locality-based least connection.
    Lblc = 5,
    /// Locality-based least connection with replication.
    Lblcr = 6,
    /// Destination hashing.
    Dh = 7,
    /// Source hashing.
    Sh = 8,
    /// Shortest expected delay.
    Sed = 9,
    /// Never queue.
    Nq = 10,
    /// Weighted failover.
    Fo = 11,
    /// Weighted overflow.
    Ovf = 12,
    /// Maglev hashing.
    Mh = 13,
    /// Power of two choices.
    Twos = 14,
}

/// A byte or a word that names no scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownScheduler;

impl Kind {
    /// Every scheduler, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Lblcr,
        Self::Dh,
        Self::Sh,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Mh,
        Self::Twos,
    ];

    /// The name as `ipvsadm -s` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Mh => "mh",
            Self::Twos => "twos",
        }
    }

    /// Whether it chooses from a table of buckets that the controller builds (dh, sh, mh).
    #[must_use]
    pub const fn needs_table(self) -> bool {
        matches!(self, Self::Dh | Self::Sh | Self::Mh)
    }

    /// Whether a choice depends on earlier choices, other than by the connections they made: rr and
    /// wrr keep a cursor, lblc and lblcr remember destination addresses.
    #[must_use]
    pub const fn is_stateful(self) -> bool {
        matches!(self, Self::Rr | Self::Wrr | Self::Lblc | Self::Lblcr)
    }
}

impl TryFrom<u8> for Kind {
    type Error = UnknownScheduler;

    #[inline(always)]
    fn try_from(number: u8) -> Result<Self, UnknownScheduler> {
        Ok(match number {
            1 => Self::Rr,
            2 => Self::Wrr,
            3 => Self::Lc,
            4 => Self::Wlc,
            5 => Self::Lblc,
            6 => Self::Lblcr,
            7 => Self::Dh,
            8 => Self::Sh,
            9 => Self::Sed,
            10 => Self::Nq,
            11 => Self::Fo,
            12 => Self::Ovf,
            13 => Self::Mh,
            14 => Self::Twos,
            _ => return Err(UnknownScheduler),
        })
    }
}

impl TryFrom<&str> for Kind {
    type Error = UnknownScheduler;

    fn try_from(name: &str) -> Result<Self, UnknownScheduler> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownScheduler)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for UnknownScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such scheduler")
    }
}

impl Error for UnknownScheduler {}

/// The scheduler flags of a service (`ipvsadm -b`), bit by bit as in a service's flags shifted
/// down: `flag-1`, `flag-2`, `flag-3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Flags(pub u8);

impl Flags {
    /// `sh-fallback`, `mh-fallback` (`flag-1`): an unavailable real server is passed over.
    pub const FALLBACK: Self = Self(1);
    /// `sh-port`, `mh-port` (`flag-2`): the client's port is hashed too.
    pub const PORT: Self = Self(2);

    /// Whether all flags of `other` are set.
    #[inline(always)]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl core::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_there_and_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::try_from(kind.name()), Ok(kind));
            assert_eq!(Kind::try_from(kind as u8), Ok(kind));
        }
    }

    #[test]
    fn numbers_stay_as_pinned_maps_hold_them() {
        let numbers = Kind::ALL.map(|kind| kind as u8);
        assert_eq!(numbers, core::array::from_fn(|index| u8::try_from(index + 1).unwrap()));
        assert_eq!(Kind::Mh.name(), Kind::try_from(13).unwrap().name());
    }

    #[test]
    fn other_words_and_bytes_are_no_schedulers() {
        for word in ["", "RR", "rr ", "none", "wlcc"] {
            assert_eq!(Kind::try_from(word), Err(UnknownScheduler));
        }
        for byte in [0, 15, 255] {
            assert_eq!(Kind::try_from(byte), Err(UnknownScheduler));
        }
    }
}
