//! Waiting for what must become true.
#![forbid(unsafe_code)]

use std::{thread, time::Duration};

use anyhow::{Result, bail};

/// How long to wait between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Looks again and again until there is something to see, and returns it.
///
/// # Errors
///
/// When the deadline is over: says what was waited for, and how long.
pub fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let mut waited = Duration::ZERO;
    loop {
        let begun = std::time::Instant::now();
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if waited >= deadline {
            bail!("not within {deadline:?}: {what}");
        }
        thread::sleep(STEP);
        waited += begun.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_at_the_third_look_is_returned() {
        let mut looks = 0;
        let seen = eventually("three looks", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(seen.unwrap(), 3);
    }

    #[test]
    fn the_error_says_what_was_not_seen() {
        let error = eventually("a miracle", Duration::ZERO, || None::<()>).unwrap_err();
        assert_eq!(error.to_string(), "not within 0ns: a miracle");
    }
}
