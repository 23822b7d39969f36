//! CPU and memory of a process, as the kernel counts them.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// What a controller takes.
pub struct Usage {
    /// Of a processor, percent: all of its threads.
    pub process: f64,
    /// The same of the thread that sweeps.
    pub sweeper: f64,
    /// What that thread has had of a processor.
    pub swept: Duration,
    /// Memory of its own that is resident, MB.
    pub own_mb: f64,
    /// Memory of maps that it has mapped, MB.
    pub mapped_mb: f64,
}

/// Processor time so far.
struct Spent {
    process: Duration,
    sweeper: Duration,
}

impl Usage {
    /// Of a process, over so long; no CPU over nothing.
    pub fn over(pid: u32, window: Duration) -> Result<Self> {
        let (begun, before) = (Instant::now(), Spent::of(pid)?);
        thread::sleep(window);
        let (took, after) = (begun.elapsed(), Spent::of(pid)?);
        let share = |spent: Duration| 100.0 * spent.as_secs_f64() / took.as_secs_f64();
        let swept = after.sweeper.saturating_sub(before.sweeper);
        let (own_mb, mapped_mb) = memory(pid)?;
        Ok(Self {
            process: share(after.process.saturating_sub(before.process)),
            sweeper: share(swept),
            swept,
            own_mb,
            mapped_mb,
        })
    }
}

/// Processor time that a process has had, of threads that have ended as well: fields 14 and 15 of
/// `/proc/PID/stat` (proc(5)), ticks of 10 ms.
pub fn spent(pid: u32) -> Result<Duration> {
    let stat = read(format!("/proc/{pid}/stat").as_ref())?;
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}

impl Spent {
    /// The first number of each thread's `schedstat` is what it has run, nanoseconds.
    fn of(pid: u32) -> Result<Self> {
        let mut spent = Self { process: Duration::ZERO, sweeper: Duration::ZERO };
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            let ran = read(&thread.join("schedstat"))?;
            let ran = ran.split(' ').next().context("a thread has run")?.parse()?;
            let ran = Duration::from_nanos(ran);
            spent.process += ran;
            if read(&thread.join("comm"))?.trim() == "sweeper" {
                spent.sweeper += ran;
            }
        }
        Ok(spent)
    }
}

/// Resident memory, MB: a process's own, and that of BPF maps.
fn memory(pid: u32) -> Result<(f64, f64)> {
    let smaps = read(format!("/proc/{pid}/smaps").as_ref())?;
    let (mut own, mut mapped, mut is_map) = (0.0, 0.0, false);
    for line in smaps.lines() {
        match line.strip_prefix("Rss:") {
            Some(size) => {
                let kib: f64 = size.trim().trim_end_matches(" kB").parse()?;
                *if is_map { &mut mapped } else { &mut own } += kib * 1024.0 / 1e6;
            }
            // A mapping's first line names what is mapped.
            None if line.contains('-') => is_map = line.ends_with("bpf-map"),
            None => {}
        }
    }
    Ok((own, mapped))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
