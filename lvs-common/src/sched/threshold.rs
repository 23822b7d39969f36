//! When a real server is overloaded: `ipvsadm -x` and `-y`.

/// The thresholds of a real server, in connections, active and inactive together; persistence
/// templates do not count.
///
/// ```text
/// upper 0:                 never overloaded
/// a connection comes:      overloaded from total = upper on
/// a connection goes:       no longer from total = clear - 1 on
/// thresholds are edited:   both rules; between them it stays as it was
/// clear = lower, or without one upper - upper / 4
/// ```
///
/// So just `upper` connections are admitted, and then none until the total is below `clear`. As
/// since the counters were reworked in August 2026 (stable 6.1.192, 6.12.117); before, an edit
/// cleared the flag only when `upper` was raised or taken away.
///
/// `ip_vs_dest_update_overload` and its callers in `ip_vs_conn.c`, `ip_vs_ctl.c`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// 0: none.
    pub upper: u32,
    /// 0: three quarters of `upper`. Never above `upper`.
    pub lower: u32,
}

impl Thresholds {
    /// The flag, 0 or 1, after a connection has come, gone, or the thresholds were edited.
    #[inline(always)]
    #[must_use]
    pub const fn overloaded(self, total: u32, before: u32) -> u32 {
        if self.upper == 0 || total < self.clear() {
            0
        } else if total >= self.upper {
            1
        } else {
            before
        }
    }

    /// Below so many it is no longer overloaded.
    #[inline(always)]
    const fn clear(self) -> u32 {
        if self.lower > 0 { self.lower } else { self.upper - self.upper / 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The totals at which it is overloaded, going up to `peak` and back to 0.
    fn overloaded_at(thresholds: Thresholds, peak: u32) -> (u32, u32) {
        let mut flag = 0;
        let mut first = u32::MAX;
        for total in 1..=peak {
            flag = thresholds.overloaded(total, flag);
            first = if flag == 1 { first.min(total) } else { first };
        }
        let mut last = u32::MAX;
        for total in (0..peak).rev() {
            flag = thresholds.overloaded(total, flag);
            last = if flag == 1 { total } else { last };
        }
        (first, last)
    }

    #[test]
    fn admits_the_upper_and_clears_below_the_lower() {
        assert_eq!(overloaded_at(Thresholds { upper: 6, lower: 2 }, 9), (6, 2));
    }

    #[test]
    fn clears_below_three_quarters_without_a_lower() {
        assert_eq!(overloaded_at(Thresholds { upper: 4, lower: 0 }, 4), (4, 3));
        assert_eq!(overloaded_at(Thresholds { upper: 1, lower: 0 }, 1), (1, u32::MAX));
        assert_eq!(overloaded_at(Thresholds { upper: 7, lower: 0 }, 7), (7, 6));
    }

    #[test]
    fn no_upper_no_overload() {
        assert_eq!(overloaded_at(Thresholds::default(), 100), (u32::MAX, u32::MAX));
        assert_eq!(Thresholds::default().overloaded(5, 1), 0);
    }

    #[test]
    fn an_edit_between_the_two_changes_nothing() {
        let edited = Thresholds { upper: 8, lower: 2 };
        assert_eq!(edited.overloaded(4, 1), 1);
        assert_eq!(edited.overloaded(4, 0), 0);
        assert_eq!(edited.overloaded(8, 0), 1);
        assert_eq!(edited.overloaded(1, 1), 0);
    }
}
