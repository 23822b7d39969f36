//! Rates while traffic goes on: the recorder's and our estimators do not look in the same millisecond.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use lvs_tests::rig::{Rig, packet::Packet, way::Way};
use serde::Deserialize;

use super::traffic;

/// IP and UDP headers.
const HEADERS: usize = 28;

/// The estimators' period.
const PERIOD: f64 = 2.0;

/// Packets by which a number may differ.
const SLACK: f64 = 2.0;

/// A look at both listings.
#[derive(Deserialize)]
pub(super) struct Step {
    at_s: f64,
    sent_so_far: usize,
    rate: String,
    stats: String,
}

pub(super) fn play(
    rig: &mut Rig<'_>,
    words: &str,
    commands: &[String],
    steps: &[Step],
) -> Result<Vec<String>> {
    let [pace, bytes, every, ..] = traffic::numbers(words)[..] else {
        bail!("traffic that is not understood: `{words}`")
    };
    ensure!(words.starts_with("about "), "traffic that is not understood: `{words}`");
    let vip = traffic::vip(commands)?;
    let first = steps.first().context("no steps")?;
    let seen = *sums(&first.stats).get(1).context("no packets")?;
    // The recorded estimators looked when so many packets had passed; ours look at whole periods.
    #[expect(clippy::cast_precision_loss, reason = "a few dozen a second")]
    let (gap, phase) = (1.0 / pace as f64, seen / pace as f64);
    rig.wait(Duration::from_secs_f64(rig.until_tick().as_secs_f64() + PERIOD - phase % PERIOD));
    ensure!(steps.iter().all(|step| sums(&step.stats).len() == 5), "listings of another shape");
    let (mut now, mut sent) = (0.0, 0);
    let mut differences = Vec::new();
    for step in steps {
        while sent < step.sent_so_far {
            let port = u16::try_from(20_000 + sent / every)?;
            let client = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), port);
            let packet = Packet::udp(client, vip, &vec![0; bytes - HEADERS]);
            let gone = rig.request(&packet)?;
            ensure!(matches!(gone.way, Way::Forwarded(_)) && gone.wrong.is_none(), "{gone:?}");
            rig.wait(Duration::from_secs_f64(gap));
            now += gap;
            sent += 1;
        }
        rig.wait(Duration::from_secs_f64((step.at_s - now).max(0.0)));
        now = now.max(step.at_s);
        #[expect(clippy::cast_precision_loss, reason = "a datagram's length, a few packets")]
        let (of_bytes, unsummed) = (bytes as f64, step.sent_so_far as f64 - sums(&step.stats)[1]);
        for (option, recorded, packets) in
            [("--rate", &step.rate, 0.0), ("--stats", &step.stats, unsummed.max(0.0))]
        {
            let ours = rig.must(&format!("ipvsadm -Ln {option}"))?;
            if !near(&ours, recorded, packets, of_bytes) {
                differences.push(format!(
                    "at {} s, {option}: expected about\n{recorded} got\n{ours}",
                    step.at_s
                ));
            }
        }
    }
    Ok(differences)
}

/// The five numbers of the service.
fn sums(listing: &str) -> Vec<f64> {
    let line = listing.lines().find(|line| line.starts_with("UDP")).unwrap_or_default();
    line.split_whitespace().skip(2).filter_map(|number| number.parse().ok()).collect()
}

/// Whether the service's numbers are the recorded ones, but for a packet and a hundredth, and for so many packets
/// more that the kernel had not summed yet.
fn near(ours: &str, recorded: &str, packets: f64, bytes: f64) -> bool {
    let (ours, theirs) = (sums(ours), sums(recorded));
    let of = [1.0, 1.0, 1.0, bytes, bytes];
    let within = |((ours, theirs), of): ((&f64, &f64), f64)| {
        let noise = SLACK * of + theirs * 0.01;
        (theirs - noise..=theirs + packets * of + noise).contains(ours)
    };
    ours.len() == 5 && theirs.len() == 5 && ours.iter().zip(&theirs).zip(of).all(within)
}
