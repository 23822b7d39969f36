//! Where the controller's log goes, and what it looks like.

#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, IsTerminal as _, Write},
};

use clap::{Args, ValueEnum};
use nix::sys::stat::fstat;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, LevelFilter},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::director::AUDIT;

/// The variable that says which events are wanted, such as `debug` or `lvs_ctl::api=debug`.
const FILTER: &str = "LVS_LOG";

/// How to log.
#[derive(Args, Clone, Copy, Debug)]
pub struct Logging {
    /// What the log looks like
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub log_format: Format,
}

/// What the log looks like.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// journald where it listens, else text
    Auto,
    /// Lines for people, on standard error
    Text,
    /// A JSON object a line, on standard error
    Json,
    /// For journald: it has the time itself, and takes the level from each line's beginning
    Journald,
}

/// Standard error as journald reads it (`sd-daemon(3)`): `<N>` before each line. Fields stay in the
/// line, where `journalctl` shows them; journald's own protocol would hide them beside it.
struct Journal;

/// One event on its way to journald.
struct Line {
    level: u8,
}

impl Logging {
    /// Begins to log. Audit lines are written whatever the filter says.
    pub fn start(self) {
        let audit: Option<Directive> = format!("{AUDIT}=info").parse().ok();
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .with_env_var(FILTER)
            .from_env_lossy();
        let filter = audit.into_iter().fold(filter, EnvFilter::add_directive);
        let plain = fmt::layer().with_ansi(false);
        let layer = match self.log_format.chosen() {
            Format::Json => plain.json().flatten_event(true).with_writer(io::stderr).boxed(),
            Format::Journald => plain.without_time().with_level(false).with_writer(Journal).boxed(),
            Format::Auto | Format::Text => {
                plain.with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed()
            }
        };
        tracing_subscriber::registry().with(layer).with(filter).init();
    }
}

impl Format {
    fn chosen(self) -> Self {
        match self {
            Self::Auto if is_journal(env::var("JOURNAL_STREAM").ok().as_deref()) => Self::Journald,
            Self::Auto => Self::Text,
            chosen => chosen,
        }
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { level: 6 }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        let level = match *event.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO if event.target() == AUDIT => 5,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        Line { level }
    }
}

impl Write for Line {
    /// A whole event, as the formatter writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut line = format!("<{}>", self.level).into_bytes();
        line.extend(event);
        io::stderr().lock().write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether standard error is the stream that `JOURNAL_STREAM` names by device and inode
/// (`systemd.exec(5)`).
fn is_journal(stream: Option<&str>) -> bool {
    let named = stream.and_then(|stream| {
        let (device, inode) = stream.split_once(':')?;
        Some((device.parse().ok()?, inode.parse().ok()?))
    });
    let own = fstat(io::stderr()).ok().map(|stat| (stat.st_dev, stat.st_ino));
    named.is_some() && named == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let stat = fstat(io::stderr()).unwrap();
        assert!(is_journal(Some(&format!("{}:{}", stat.st_dev, stat.st_ino))));
        assert!(!is_journal(Some(&format!("{}:{}", stat.st_dev, stat.st_ino + 1))));
        assert!(!is_journal(Some("nonsense")));
        assert!(!is_journal(None));
    }
}
