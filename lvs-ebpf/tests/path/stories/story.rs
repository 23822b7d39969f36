//! A story, and how it is written down: a line a frame, with the hook that it comes by, the seconds since the one
//! before, and its bytes; behind a hash, what it is.

use std::fmt::{self, Write as _};

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
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
        let frame = digits.chunks(2).map(byte).collect::<Option<_>>()?;
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
                write!(text, "{byte:02x}")?;
            }
            let hook = if event.is_generic { "generic" } else { "driver" };
            writeln!(f, "{hook} {} {text}", event.seconds)?;
        }
        Ok(())
    }
}
