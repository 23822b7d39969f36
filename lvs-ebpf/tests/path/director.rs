//! The director under test: receives frames, and is looked at after each.

use std::{fmt::Write as _, net::SocketAddrV4};

use lvs_common::{
    conntable::Entry,
    map::Load,
    net::Be16,
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};
use lvs_ebpf::host::MemTables;

use crate::{
    frame::Frame,
    layout::{INGRESS, INSIDE, be32},
    stories::teller,
};

/// A director, its maps in the open.
pub(crate) struct Director {
    pub(crate) tables: MemTables,
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
}

/// The verdict of what goes to a real server.
pub(crate) const FORWARDED: Verdict = Verdict::Redirect(INSIDE);
/// The verdict of what goes back to a client.
pub(crate) const RETURNED: Verdict = Verdict::Redirect(INGRESS);

impl Director {
    pub(crate) fn new(tables: MemTables) -> Self {
        Self { tables }
    }

    /// Directs the frame, and checks what holds after every frame.
    #[track_caller]
    pub(crate) fn receives(&mut self, frame: &Frame) -> Outcome {
        self.receives_bytes(&frame.bytes())
    }

    #[track_caller]
    pub(crate) fn receives_bytes(&mut self, bytes: &[u8]) -> Outcome {
        let (reasons, claims) = (self.tables.maps.reasons, self.claims());
        let mut frame = VecFrame::new(bytes, INGRESS);
        let verdict = self.tables.direct(&mut frame);
        let outcome = Outcome { verdict, before: bytes.to_vec(), after: frame.bytes().to_vec() };
        self.has_counted(&outcome, &reasons);
        assert_eq!(self.claims(), claims, "{outcome}");
        self.is_consistent(&outcome);
        outcome
    }

    /// Directs frames, all of which must have this verdict; what became of them.
    #[track_caller]
    pub(crate) fn sends(&mut self, frames: &[Vec<u8>], verdict: Verdict) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for frame in frames {
            let outcome = self.receives_bytes(frame);
            outcome.is(verdict);
            sent.push(outcome.after);
        }
        sent
    }

    fn claims(&self) -> usize {
        self.tables.conns().claims() + self.tables.conns6().claims()
    }

    /// Seconds go by.
    pub(crate) fn waits(&mut self, seconds: u32) {
        let maps = &mut self.tables.maps;
        maps.now = maps.now.wrapping_add(seconds * maps.tunables.ticks_per_second);
    }

    /// The connection between these ends.
    pub(crate) fn connection(&self, client: SocketAddrV4, vip: SocketAddrV4) -> Option<Entry> {
        let end = |end: SocketAddrV4| (be32(*end.ip()), Be16::new(end.port()));
        let is_it =
            |entry: &Entry| entry.client() == end(client) && entry.virtual_end() == end(vip);
        self.tables.conns().entries().find(is_it)
    }

    /// The connection's state and the seconds that it has left; nothing when there is none.
    pub(crate) fn state(&self, client: SocketAddrV4, vip: SocketAddrV4) -> (&'static str, u32) {
        let Some(entry) = self.connection(client, vip) else { return ("", 0) };
        let maps = &self.tables.maps;
        let left = entry.expires().wrapping_sub(maps.now) / maps.tunables.ticks_per_second;
        (entry.state().name(), left)
    }

    /// Active and inactive connections of a real server, by its slot.
    pub(crate) fn load(&self, dest: u32) -> (u64, u64) {
        let load = &self.tables.maps.loads[dest as usize];
        (load.active, load.inactive())
    }

    /// A frame that is not forwarded counts one reason, its own; one that is counts none.
    #[track_caller]
    fn has_counted(&self, outcome: &Outcome, before: &[u64]) {
        let mut expected = before.to_vec();
        if let Verdict::Pass(reason) | Verdict::Drop(reason) = outcome.verdict {
            expected[reason as usize] += 1;
        }
        assert_eq!(self.tables.maps.reasons.as_slice(), expected, "reasons counted: {outcome}");
        let may_rewrite = match outcome.verdict {
            Verdict::Pass(reason) => reason == Reason::ByStack,
            Verdict::Drop(_) | Verdict::Transmit | Verdict::Redirect(_) => true,
        };
        assert!(
            may_rewrite || outcome.before == outcome.after,
            "touched what it passed: {outcome}"
        );
    }

    /// The loads are what the table holds.
    #[track_caller]
    fn is_consistent(&self, outcome: &Outcome) {
        let loads = teller::found(&self.tables);
        for (told, found) in self.tables.maps.loads.iter().zip(&loads) {
            let counts = |load: &Load| (load.total, load.active, load.persistent);
            let (told, found) = (counts(told), counts(found));
            assert_eq!(told, found, "total, active, templates, told and found: {outcome}");
        }
    }
}

impl Outcome {
    #[track_caller]
    pub(crate) fn is(&self, verdict: Verdict) -> &Self {
        assert_eq!(self.verdict, verdict, "{self}");
        self
    }

    /// The frame is now just this one.
    #[track_caller]
    pub(crate) fn carries(&self, expected: &Frame) -> &Self {
        self.carries_bytes(&expected.bytes())
    }

    /// The frame is now just these bytes.
    #[track_caller]
    pub(crate) fn carries_bytes(&self, expected: &[u8]) -> &Self {
        let table = rows(&[("received", &self.before), ("is", &self.after), ("should", expected)]);
        assert!(self.after == expected, "{:?}\n{table}", self.verdict);
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = rows(&[("received", &self.before), ("became", &self.after)]);
        write!(f, "{:?}\n{table}", self.verdict)
    }
}

/// Frames side by side, eight bytes a line, a star where the last two differ.
fn rows(frames: &[(&str, &[u8])]) -> String {
    const BYTES: usize = 8;
    let lines = frames.iter().map(|(_, frame)| frame.len().div_ceil(BYTES)).max().unwrap_or(0);
    let mut text = String::from("      ");
    for (name, _) in frames {
        write!(text, "  {name:<24}").unwrap();
    }
    for line in 0..lines {
        let part = |frame: &'_ [u8]| {
            let from = (line * BYTES).min(frame.len());
            frame[from..(from + BYTES).min(frame.len())].to_vec()
        };
        let parts: Vec<_> = frames.iter().map(|(_, frame)| part(frame)).collect();
        let differs = parts.windows(2).last().is_some_and(|last| last[0] != last[1]);
        write!(text, "\n{}{:04x} ", if differs { '*' } else { ' ' }, line * BYTES).unwrap();
        for part in parts {
            let hex: Vec<_> = part.iter().map(|byte| format!("{byte:02x}")).collect();
            write!(text, "  {:<24}", hex.join(" ")).unwrap();
        }
    }
    text
}
