//! A story, and how it is written down: a line a frame, with the hook that it comes by, the seconds since the one
//! before, and its bytes; behind a hash, what it is.

use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Frames one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Story(pub(crate) Vec<Event>);

/// A frame that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// By a generic hook, not by a driver's.
    pub(crate) is_generic: bool,
    /// Seconds since the one before.
    pub(crate) seconds: u32,
    pub(crate) frame: Vec<u8>,
}

impl Event {
    /// One that comes at once, by a driver.
    pub(crate) fn new(frame: Vec<u8>) -> Self {
        Self { is_generic: false, seconds: 0, frame }
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let is_generic = match words.next()? {
            "driver" => false,
            "generic" => true,
            _ => return None,
        };
        let seconds = words.next()?.parse().ok()?;
        let digits = words.next().unwrap_or_default().as_bytes();
        let mut frame = Vec::with_capacity(digits.len() / 2);
        for pair in digits.chunks(2) {
            frame.push(value(pair[0])? << 4 | value(*pair.get(1)?)?);
        }
        words.next().is_none().then_some(Self { is_generic, seconds, frame })
    }
}

impl Story {
    /// The story of a text; none if a line tells none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).map(Event::read).collect::<Option<_>>().map(Self)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.0 {
            let mut text = String::with_capacity(2 * event.frame.len());
            for byte in &event.frame {
                text.push(char::from(DIGITS[usize::from(byte >> 4)]));
                text.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            let hook = if event.is_generic { "generic" } else { "driver" };
            writeln!(f, "{hook} {} {text}", event.seconds)?;
        }
        Ok(())
    }
}

/// Of a digit.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
