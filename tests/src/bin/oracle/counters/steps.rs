//! Commands after this or that, compared to the byte.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lvs_tests::rig::Rig;
use serde::Deserialize;

use super::traffic::{self, Traffic};
use crate::conns;

/// The kernel sums counters every two seconds; the recorder waited for it.
const SUMMED: Duration = Duration::from_secs(3);

/// A command after something was done; consecutive ones after the same thing follow it once.
#[derive(Deserialize)]
pub(super) struct Step {
    after: String,
    argv: Vec<String>,
    stdout: String,
    stderr: String,
    exit: u8,
}

pub(super) fn play(
    rig: &mut Rig<'_>,
    words: &str,
    commands: &[String],
    steps: &[Step],
) -> Result<Vec<String>> {
    let traffic = Traffic::read(words, commands)?;
    let mut differences = Vec::new();
    let (mut done, mut sent) = (None, 0);
    for step in steps {
        if done != Some(&step.after) {
            act(rig, &traffic, &step.after, &mut sent)?;
            rig.wait(SUMMED);
            done = Some(&step.after);
        }
        let line = step.argv.join(" ");
        let said = rig.type_in(&line);
        let same = if step.argv.iter().any(|word| word.starts_with("-L") && word.contains('c')) {
            conns::agree(&conns::read(&said.output)?, &conns::read(&step.stdout)?, false)
        } else if step.argv.iter().any(|word| word == "--rate") {
            same_mix(&said.output, &step.stdout)
        } else {
            said.output == step.stdout
        };
        if !same || said.error != step.stderr || said.exit != step.exit {
            differences.push(format!(
                "after {}, `{line}`:\n expected\n{}{} got exit {}\n{}{}",
                step.after, step.stdout, step.stderr, said.exit, said.output, said.error
            ));
        }
    }
    Ok(differences)
}

fn act(rig: &mut Rig<'_>, traffic: &Traffic, what: &str, sent: &mut usize) -> Result<()> {
    if what == "traffic" {
        return traffic.send(rig);
    }
    if what == "-Z of the service" {
        return rig.must(&format!("ipvsadm -Z -u {}", traffic.vip)).map(drop);
    }
    if what == "-Z of everything" {
        return rig.must("ipvsadm -Z").map(drop);
    }
    if what.starts_with("one more datagram from each client port") {
        traffic.once_more(rig)?;
        if what.contains("-Z at once") {
            rig.must("ipvsadm -Z")?;
        }
        return Ok(());
    }
    if what.contains(" packets, ") {
        let total = *traffic::numbers(what).first().context("how many packets?")?;
        let more = total.saturating_sub(*sent);
        *sent = total;
        return traffic.packets(rig, more);
    }
    bail!("nobody knows what `{what}` is")
}

/// Whether two listings of rates differ by no more than when the kernel happened to look: the same words, and as
/// many bytes to a packet.
fn same_mix(ours: &str, recorded: &str) -> bool {
    let shape = |text: &str| {
        let words = text.split_whitespace().filter(|word| number(word).is_none());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mix = |line: &str| {
        let numbers: Vec<f64> = line.split_whitespace().filter_map(number).collect();
        if let [_, packets, _, bytes, _] = numbers[..] { bytes / packets } else { 0.0 }
    };
    let near = |(ours, theirs): (&str, &str)| {
        let (ours, theirs) = (mix(ours), mix(theirs));
        theirs == 0.0 || (ours / theirs - 1.0).abs() < 0.02
    };
    shape(ours) == shape(recorded) && ours.lines().zip(recorded.lines()).all(near)
}

/// A number as ipvsadm prints it: in thousands or millions where it is long.
fn number(word: &str) -> Option<f64> {
    let (digits, scale) = match word.strip_suffix(['K', 'M']) {
        Some(digits) => (digits, if word.ends_with('K') { 1e3 } else { 1e6 }),
        None => (word, 1.0),
    };
    digits.parse::<u64>().ok()?;
    digits.parse::<f64>().ok().map(|number| number * scale)
}
