//! Columns for people.

use crate::api::types::{Counters, Rates};

/// Rows under a head, each column as wide as its widest cell.
pub(crate) fn table<R: AsRef<[String]>>(head: &[&str], rows: &[R]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let rows = rows.iter().map(|row| line(&mut row.as_ref().iter().map(String::as_str)));
    line(&mut head.iter().copied()) + &rows.collect::<String>()
}

/// A table whose last five columns are counters, or else rates.
pub(super) struct Numbers {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Numbers {
    /// An empty table of counters.
    pub(super) fn stats(names: &[&'static str]) -> Self {
        let numbers = ["CONNECTIONS", "IN-PACKETS", "OUT-PACKETS", "IN-BYTES", "OUT-BYTES"];
        Self { head: [names, &numbers].concat(), rows: Vec::new() }
    }

    /// An empty table of rates.
    pub(super) fn rates(names: &[&'static str]) -> Self {
        let numbers =
            ["CONNECTIONS/S", "IN-PACKETS/S", "OUT-PACKETS/S", "IN-BYTES/S", "OUT-BYTES/S"];
        Self { head: [names, &numbers].concat(), rows: Vec::new() }
    }

    /// Adds a row of names with whichever numbers there are.
    pub(super) fn push(
        &mut self,
        names: Vec<String>,
        stats: Option<Counters>,
        rates: Option<Rates>,
    ) {
        let numbers = match (stats, rates) {
            (Some(it), _) => [it.conns, it.in_packets, it.out_packets, it.in_bytes, it.out_bytes],
            (None, Some(it)) => [it.cps, it.in_pps, it.out_pps, it.in_bps, it.out_bps],
            (None, None) => [0; 5],
        };
        let numbers = numbers.iter().map(u64::to_string);
        self.rows.push(names.into_iter().chain(numbers).collect());
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        table(&self.head, &self.rows)
    }
}
