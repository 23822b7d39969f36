//! Lines of `ipvsadm -Lnc` and of `/proc/net/ip_vs_conn`, compared.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Seconds by which timers may differ.
const TOLERANCE: u32 = 2;

/// One connection or template, as either listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Line {
    /// Protocol.
    #[serde(rename = "pro", alias = "proto")]
    pub(crate) protocol: String,
    /// Client.
    #[serde(rename = "from", alias = "source")]
    pub(crate) source: String,
    /// Called address.
    #[serde(rename = "to", alias = "virtual")]
    pub(crate) to: String,
    /// Real server.
    #[serde(rename = "dest", alias = "destination")]
    pub(crate) dest: String,
    /// State.
    pub(crate) state: String,
    /// Seconds left.
    #[serde(rename = "expires", alias = "expires_s")]
    pub(crate) expires: u32,
}

/// The lines of a listing by `ipvsadm -Lnc`, without its two titles.
///
/// # Errors
/// A line that is none.
pub(crate) fn read(listing: &str) -> Result<Vec<Line>> {
    let line = |text: &str| {
        let mut words = text.split_whitespace();
        let mut next = || words.next().with_context(|| format!("`{text}` is no connection"));
        let (protocol, left, state) = (next()?, next()?, next()?);
        let (source, to, dest) = (next()?, next()?, next()?);
        let (minutes, seconds) = left.split_once(':').context("no time")?;
        let expires = minutes.parse::<u32>()? * 60 + seconds.parse::<u32>()?;
        let [protocol, source, to, dest, state] =
            [protocol, source, to, dest, state].map(str::to_owned);
        Ok(Line { protocol, source, to, dest, state, expires })
    };
    listing.lines().skip(2).map(line).collect()
}

/// Whether two listings agree, in whatever order. `closed_is_closed`: a recorded `CLOSE` stands for `TIME_WAIT` as
/// well, where the recorder's clients were real and closed as they liked.
pub(crate) fn agree(ours: &[Line], recorded: &[Line], closed_is_closed: bool) -> bool {
    let (ours, recorded) = (sorted(ours), sorted(recorded));
    let same = |(ours, theirs): (&Line, &Line)| {
        let who = |line: &Line| {
            [&line.protocol, &line.source, &line.to, &line.dest]
                .map(|text| text.replace(['[', ']'], ""))
        };
        let noise = closed_is_closed && ours.state == "TIME_WAIT" && theirs.state == "CLOSE";
        let in_time = ours.expires.abs_diff(theirs.expires) <= TOLERANCE;
        who(ours) == who(theirs) && (noise || ours.state == theirs.state && in_time)
    };
    ours.len() == recorded.len() && ours.iter().zip(&recorded).all(same)
}

/// Both listings, one line each connection.
pub(crate) fn side_by_side(ours: &[Line], recorded: &[Line]) -> String {
    let text = |lines: &[Line]| {
        let line = |line: Line| {
            let Line { protocol, source, to, dest, state, expires } = line;
            format!("\n     {protocol} {source} {to} {dest} {state} {expires}")
        };
        sorted(lines).into_iter().map(line).collect::<String>()
    };
    format!("  expected{}\n  got{}", text(recorded), text(ours))
}

fn sorted(lines: &[Line]) -> Vec<Line> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|line| {
        let who = [&line.protocol, &line.source, &line.to, &line.dest];
        who.map(|text| text.replace(['[', ']'], ""))
    });
    lines
}
