//! The table: what was measured, beside what it is to be.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::bed::Began;

/// All that was measured.
#[derive(Default)]
pub struct Report(Vec<Row>);

struct Row {
    name: String,
    unit: &'static str,
    value: f64,
    /// The least and the most that was measured.
    span: Option<(f64, f64)>,
    /// It is to be no more.
    target: Option<f64>,
}

impl Report {
    /// Starts, of which the median counts; the target in milliseconds.
    pub fn starts(&mut self, name: &str, starts: &[Began], target: Option<f64>) {
        let in_order = |which: fn(&Began) -> Duration| {
            let mut times: Vec<_> = starts.iter().map(|it| which(it).as_secs_f64() * 1e3).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        for (what, times, target) in [
            ("", in_order(|it| it.took), target),
            ("; of the controller's CPU, until it answers", in_order(|it| it.cpu), None),
        ] {
            let (Some(least), Some(most)) = (times.first(), times.last()) else { return };
            let span = (times.len() > 1).then_some((*least, *most));
            self.row(&format!("{name}{what}"), "ms", times[times.len() / 2], span, target);
        }
    }

    /// A part of a processor, percent.
    pub fn share(&mut self, name: &str, percent: f64, target: Option<f64>) {
        self.row(name, "%", percent, None, target);
    }

    /// A number that says itself of what.
    pub fn number(&mut self, name: &str, value: f64, target: Option<f64>) {
        self.row(name, "", value, None, target);
    }

    /// For programs to read.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "name": row.name,
                "unit": row.unit,
                "value": row.value,
                "span": row.span,
                "target": row.target,
                "met": row.target.map(|target| row.value <= target),
            })
        };
        self.0.iter().map(row).collect()
    }

    fn row(
        &mut self,
        name: &str,
        unit: &'static str,
        value: f64,
        span: Option<(f64, f64)>,
        target: Option<f64>,
    ) {
        eprintln!("scale: {name}: {value:.1} {unit}");
        self.0.push(Row { name: name.to_owned(), unit, value, span, target });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | measured | target | |\n| --- | --- | --- | --- |")?;
        for Row { name, unit, value, span, target } in &self.0 {
            let span =
                span.map_or(String::new(), |(least, most)| format!(" ({least:.0}–{most:.0})"));
            let (target, met) = match target {
                Some(target) if value <= target => (format!("≤ {target} {unit}"), "met"),
                Some(target) => (format!("≤ {target} {unit}"), "missed"),
                None => (String::new(), ""),
            };
            writeln!(f, "| {name} | {value:.1} {unit}{span} | {target} | {met} |")?;
        }
        Ok(())
    }
}
