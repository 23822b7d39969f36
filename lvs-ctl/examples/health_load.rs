//! How much the checks of many real servers cost.
//!
//! ```text
//! cargo run --release -p lvs-ctl --example health_load -- [tcp|http] [CHECKS] [INTERVAL_S] [SECONDS]
//! ```
//!
//! Real servers are addresses of the loopback, answered by a second process, so what is measured is
//! the checks alone. Printed are the share of one core, the memory, how many checks were made and
//! failed, and how much longer than asked for the time from one check of a real server to its next
//! one was at most.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use lvs_ctl::{
    dataplane::memory::Memory,
    director::{self, ChangeRequest, Director, Handle, Options},
    health::{
        self, Board,
        ways::{Direct, Ways},
    },
    model::{
        Change, Dest, DestAddr, LoopbackOnly, Method, Protocol, SchedulerFlags, Service, ServiceId,
        health::{Cause, CheckSpec, Errand, Health, NoWay, Policy, ServiceHealth, Span, Target},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Real servers of a service.
const POOL: usize = 100;

/// Notes when each real server is asked for a way, which is when its check begins.
#[derive(Default)]
struct Noted(Mutex<HashMap<DestAddr, (Instant, Duration)>>);

/// The second process; it ends with this one.
struct Server {
    child: Child,
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let word = |index: usize, default: &str| {
        words.get(index).cloned().unwrap_or_else(|| default.to_owned())
    };
    if word(0, "") == "serve" {
        return serve().await;
    }
    let check = if word(0, "http") == "tcp" { "tcp" } else { "http:/healthz" };
    let count: usize = word(1, "5000").parse().context("how many checks?")?;
    let interval_s: u64 = word(2, "5").parse().context("how often?")?;
    let seconds: u64 = word(3, "60").parse().context("how long?")?;

    let server = Server::start()?;
    let plane = Memory::default();
    let director = Director::new(plane, Box::new(LoopbackOnly), Options::default());
    let (handle, _thread) = director::spawn(director);
    let board = Board::default();
    let noted = Arc::new(Noted::default());
    let checking = tokio::spawn(health::run(handle.clone(), noted.clone(), board.clone()));
    let spec = CheckSpec { interval: Some(Span::seconds(interval_s)), ..check.parse()? };
    declare(&handle, count, server.port, &spec).await?;

    // All have begun by then.
    tokio::time::sleep(Duration::from_secs(interval_s + 1)).await;
    noted.forget_gaps();
    let runs = |board: &Board| -> u64 {
        board.show().iter().flat_map(|dest| &dest.checks).map(|check| check.runs).sum()
    };
    let (begun, before, cpu) = (Instant::now(), runs(&board), cpu_s()?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (took, made, cpu) = (begun.elapsed(), runs(&board) - before, cpu_s()? - cpu);
    let down = board.show().iter().filter(|dest| dest.health == Health::Down).count();
    let longest = noted.longest();
    checking.abort();

    let (took_s, asked) = (took.as_secs_f64(), Duration::from_secs(interval_s));
    let late = 100.0 * (longest.as_secs_f64() / asked.as_secs_f64() - 1.0);
    print(&format!("{count} checks {check}, every {interval_s} s, for {took_s:.0} s"));
    print(&format!("CPU      {:.1} % of one core", 100.0 * cpu / took_s));
    print(&format!("memory   {}", memory()?));
    let rate = made / took.as_secs().max(1);
    print(&format!("made     {made} ({rate} a second), real servers down {down}"));
    print(&format!(
        "longest  {:.3} s from one check to the next ({late:+.1} %)",
        longest.as_secs_f64()
    ));
    Ok(())
}

async fn declare(handle: &Handle, count: usize, port: u16, spec: &CheckSpec) -> anyhow::Result<()> {
    let addresses = (0..count).map(|index| {
        let [.., high, middle, low] = u32::try_from(index).unwrap_or_default().to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(127, 1 + high, middle, low))
    });
    let addresses: Vec<IpAddr> = addresses.collect();
    for (index, pool) in addresses.chunks(POOL).enumerate() {
        let vip_port = 1 + u16::try_from(index)?;
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let id = ServiceId::Address { protocol: Protocol::Tcp, address, port: vip_port };
        let service = Service {
            id,
            scheduler: "wlc".into(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: None,
            engine: None,
            one_packet: false,
        };
        let dest = |address: &IpAddr| Dest {
            addr: DestAddr { address: *address, port },
            method: Method::Masq,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let health = ServiceHealth { checks: vec![spec.clone()], policy: Policy::default() };
        let mut changes = vec![Change::AddService(service)];
        changes.extend(pool.iter().map(|it| Change::AddDest { service: id, dest: dest(it) }));
        changes.push(Change::SetHealth { service: id, health });
        let request = ChangeRequest { changes, all_or_nothing: true, if_revision: None };
        handle.change(request).await?;
    }
    Ok(())
}

impl Ways for Noted {
    fn way(&self, errand: &Errand) -> Result<Target, NoWay> {
        let now = Instant::now();
        let mut noted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (last, gap) = noted.entry(errand.dest.addr).or_insert((now, Duration::ZERO));
        *gap = (*gap).max(now.duration_since(*last));
        *last = now;
        Direct.way(errand)
    }

    fn diagnose<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Option<Cause>> {
        Direct.diagnose(errand)
    }
}

impl Noted {
    fn forget_gaps(&self) {
        let mut noted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        noted.values_mut().for_each(|(_, gap)| *gap = Duration::ZERO);
    }

    /// The longest time from one check to the next, or since the last one.
    fn longest(&self) -> Duration {
        let noted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        noted.values().map(|(last, gap)| (*gap).max(last.elapsed())).max().unwrap_or_default()
    }
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no answer")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { child, port: line.trim().parse()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Answers every request until standard input ends.
async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 0))).await?;
    print(&listener.local_addr()?.port().to_string());
    // The other process holds the writing end, and lets go of it when it ends.
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    tokio::select! {
        _ = ended => Ok(()),
        error = accept(listener) => error,
    }
}

async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    let mut request = [0; 1024];
    if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
        stream.write_all(ANSWER).await.ok();
    }
}

/// Seconds of CPU that this process has used.
fn cpu_s() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| -> anyhow::Result<f64> {
        Ok(fields.get(index).context("a short /proc/self/stat")?.parse()?)
    };
    // utime and stime, in USER_HZ, which is 100 everywhere.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn memory() -> anyhow::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.context("no VmRSS")?.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn print(line: &str) {
    println!("{line}");
}
