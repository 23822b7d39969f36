//! Measures the control plane: commands, saving and restoring, over the data plane in the kernel.
//! `cargo xtask bench control` builds and runs this.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use lvs_tests::prelude::*;

mod rules;

use rules::{PROBE, Rules};

/// Between a client's requests, each of which takes a port: it has 31 000.
const PAUSE: Duration = Duration::from_millis(1);

/// Measures the control plane, in a lab of its own. Needs root.
#[derive(Parser)]
#[command(name = "lvs-control")]
struct Arguments {
    /// How often each command is run
    #[arg(long, default_value_t = 100)]
    runs: usize,
}

/// A director with the real servers of one service that is really asked.
struct Bed {
    director: Director,
    topology: Topology,
    _web: Vec<Web>,
    directory: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { runs } = Arguments::parse();
    let bed = Bed::new()?;
    println!(
        "| with 1 000 services, 10 000 real servers | median | longest |\n| --- | --- | --- |"
    );
    let thousand = Rules { services: 1_000, weight: 1 };
    bed.restore(thousand)?;
    for (name, lines) in COMMANDS {
        bed.commands(name, lines, runs)?;
    }
    println!(
        "\n| with 10 000 services, 100 000 real servers | seconds | of the controller's CPU | requests meanwhile |"
    );
    println!("| --- | --- | --- | --- |");
    bed.ipvsadm(&["-C"])?;
    let many = Rules { services: 10_000, weight: 1 };
    bed.large("restore, over nothing", || bed.restore(many))?;
    bed.large("restore, the same again", || bed.restore(many))?;
    bed.large("restore, other weights", || bed.restore(Rules { weight: 2, ..many }))?;
    bed.large("restore, half of it", || bed.restore(Rules { services: 5_000, ..many }))?;
    bed.large("restore, all of it", || bed.restore(many))?;
    bed.large("save -n", || bed.ipvsadm(&["-Sn"]).map(drop))?;
    bed.large("-Ln", || bed.ipvsadm(&["-Ln"]).map(drop))?;
    bed.large("-a, one", || {
        bed.ipvsadm(&["-a", "-t", "10.0.0.9:80", "-r", "10.200.0.1"]).map(drop)
    })?;
    bed.large("-d, it", || {
        bed.ipvsadm(&["-d", "-t", "10.0.0.9:80", "-r", "10.200.0.1"]).map(drop)
    })?;
    bed.large("-C", || bed.ipvsadm(&["-C"]).map(drop))?;
    Ok(())
}

/// `USER_HZ`, on every architecture that has XDP.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is typed: the first line is measured, the second puts back what it changed.
const COMMANDS: [(&str, [&str; 2]); 7] = [
    ("-A", ["-A -t 10.99.0.1:80 -s rr", "-D -t 10.99.0.1:80"]),
    ("-D", ["-D -t 10.0.0.9:80", "-A -t 10.0.0.9:80 -s wrr"]),
    ("-a", ["-a -t 10.0.0.8:80 -r 10.200.0.1", "-d -t 10.0.0.8:80 -r 10.200.0.1"]),
    ("-e", ["-e -t 10.0.0.7:80 -r 10.128.0.70 -w 3", "-e -t 10.0.0.7:80 -r 10.128.0.70 -w 1"]),
    ("-d", ["-d -t 10.0.0.7:80 -r 10.128.0.70", "-a -t 10.0.0.7:80 -r 10.128.0.70"]),
    ("-Ln -t", ["-Ln -t 10.0.0.7:80", "-v"]),
    ("-Ln", ["-Ln", "-v"]),
];

impl Bed {
    fn new() -> Result<Self> {
        let topology = Topology::dr(Offload::Prepared)?;
        let web = topology.serve(&Services::usual())?;
        // The many are behind one router.
        let host = topology.host("director");
        host.netns().ip(&[format!("route add 10.0.0.0/8 via {}", layout::DR_SERVERS[0].1)])?;
        let director = Director::start(host, Mode::Native)?;
        let directory = topology.lab().directory().to_owned();
        Ok(Self { director, topology, _web: web, directory })
    }

    fn restore(&self, rules: Rules) -> Result<()> {
        fs::write(self.directory.join("rules"), rules.text())?;
        self.director.shell("ipvsadm-restore < rules")?.ok().map(drop)
    }

    fn ipvsadm(&self, words: &[&str]) -> Result<Duration> {
        let mut command = self.director.command("ipvsadm");
        command.args(words).stdout(Stdio::null());
        let begun = Instant::now();
        let status = command.status().context("running ipvsadm")?;
        let took = begun.elapsed();
        ensure!(status.success(), "ipvsadm {}: {status}", words.join(" "));
        Ok(took)
    }

    /// Seconds of CPU that the controller has had: fields 14 and 15 of `/proc/PID/stat` (proc(5)).
    fn spent(&self) -> Result<f64> {
        let pid = self.director.pid().context("the controller runs")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks: u32 = ticks.sum::<Result<_, _>>()?;
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }

    fn commands(&self, name: &str, [line, back]: [&str; 2], runs: usize) -> Result<()> {
        let mut times = Vec::new();
        for _ in 0..runs {
            times.push(self.ipvsadm(&words_of(line))?);
            self.ipvsadm(&words_of(back))?;
        }
        times.sort_unstable();
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let longest = times.last().copied().unwrap_or_default();
        println!("| `ipvsadm {name}` | {} | {} |", ms(times[times.len() / 2]), ms(longest));
        Ok(())
    }

    /// Runs it while a client asks; no request may fail.
    fn large(&self, name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let over = AtomicBool::new(false);
        let client = self.topology.host("client").client();
        let has_probe = self.director.ipvsadm(&format!("-Ln -t {PROBE}")).is_ok();
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut asked = 0;
                while has_probe && name != "-C" && !over.load(Ordering::Relaxed) {
                    client
                        .get((layout::DR_VIP, 80), "/")
                        .with_context(|| format!("the request after {asked} others"))?;
                    asked += 1;
                    thread::sleep(PAUSE);
                }
                anyhow::Ok(asked)
            });
            let (begun, spent) = (Instant::now(), self.spent()?);
            let done = run();
            let (took, spent) = (begun.elapsed().as_secs_f64(), self.spent()? - spent);
            over.store(true, Ordering::Relaxed);
            let asked = asking.join().expect("the client does not panic")?;
            println!("| {name} | {took:.2} | {spent:.2} | {asked} |");
            done
        })
    }
}

fn words_of(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}
