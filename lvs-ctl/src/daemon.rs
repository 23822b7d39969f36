//! `lvs-ctl run` and `lvs-ctl detach`: everything, put together.

#![forbid(unsafe_code)]

mod arguments;
mod claim;
pub mod logging;
mod martians;
mod place;
mod probing;
pub mod serving;
mod start;

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use anyhow::{Context as _, anyhow, bail};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub use self::arguments::{DetachArgs, Places, RunArgs};
use self::{claim::Claim, serving::Doors, start::Start};
use crate::{
    api::socket,
    config::{Mode, Overrides, Setup},
    dataplane::kernel::{Kernel, attach::Hook, load},
    director::{self, Director, Handle},
    netlink::{
        Rtnetlink,
        facts::{self, LinkFacts, PeerFacts},
        mode,
        sysctl::Sysctl,
    },
    notify,
    reload::Asked,
    resolve,
    sweep::Sweeping,
};

/// Runs the controller until it is told to stop. Forwarding goes on after it.
///
/// # Errors
/// Something could not be set up.
pub async fn run(args: RunArgs, socket: Option<PathBuf>) -> anyhow::Result<()> {
    let start = Start::read(args, socket)?;
    // First of all: another controller may be at work here.
    let listener = listen(&start)?;
    tracing::debug!(socket = %start.socket().display(), "listening");
    let done = control(&start, listener).await;
    fs::remove_file(start.socket()).ok();
    done
}

async fn control(start: &Start, listener: UnixListener) -> anyhow::Result<()> {
    let (setup, pin_dir) = (&start.setup, &start.pin_dir);
    // What is refused leaves nothing behind.
    for interface in &setup.interfaces {
        look_at(interface).await?;
    }
    let doors = Doors::open(setup).await?;
    Kernel::is_place(pin_dir)?;
    let _claim = Claim::take(pin_dir)?;
    let options = load::Options {
        pin_dir: pin_dir.clone(),
        connections: setup.connections,
        connections6: setup.connections6,
    };
    let mut kernel = Kernel::new(&options).with_context(privileges)?;
    let reflecting = match put_in_place(&mut kernel, setup).await {
        Ok(reflecting) => reflecting,
        Err(error) => {
            if !kernel.is_adopted() {
                Kernel::detach(pin_dir).ok();
            }
            return Err(error);
        }
    };
    let probing = probing::set_up(&mut kernel, pin_dir).await;
    let adopted = kernel.is_adopted();
    tracing::info!(adopted, "the program is in place");

    let sweeper = kernel.sweeper();
    let _sweeping = Sweeping::start(move || {
        sweeper.sweep();
    })?;
    let host = director::ThisHost::new();
    let mut director = Director::new(kernel, Box::new(host), director::Options::default());
    director.keep_in(place::open_state(setup)?)?;
    let (handle, thread) = director::spawn(director);
    if let Err(error) = start.declare(&handle).await {
        drop(handle);
        join(thread).await;
        if !adopted {
            Kernel::detach(pin_dir).ok();
            probing::remove(pin_dir).await.ok();
        }
        return Err(error);
    }

    let _ways = probing::ways(probing, &handle, reflecting.keys().copied().collect());

    let resolver = Rtnetlink::start().context("cannot watch routes and neighbours")?;
    let reflects = move |interface| reflecting.get(&interface).copied().unwrap_or(false);
    let resolving = tokio::spawn(resolve::run(handle.clone(), resolver, reflects));
    let (requests, reloading) = start.reloader(handle.clone()).spawn()?;
    answer(doors, listener, handle, requests).await?;

    resolving.abort();
    resolving.await.ok();
    reloading.abort();
    reloading.await.ok();
    join(thread).await;
    Ok(())
}

/// Answers until the process is told to stop.
async fn answer(
    doors: Doors,
    listener: UnixListener,
    handle: Handle,
    reload: mpsc::Sender<Asked>,
) -> anyhow::Result<()> {
    let stopped = stopped()?;
    let told = async {
        stopped.await;
        notify::stopping();
    };
    let watchdog = notify::watchdog(handle.clone());
    tracing::info!("ready");
    notify::ready();
    let done = doors.serve(listener, handle, reload, told).await;
    if let Some(watchdog) = watchdog {
        watchdog.abort();
        watchdog.await.ok();
    }
    done
}

/// The last handle is gone; the thread writes nothing more.
async fn join(thread: JoinHandle<()>) {
    tokio::task::spawn_blocking(move || thread.join()).await.ok();
}

/// Takes the program off all interfaces and forgets connections and, unless told otherwise, rules.
///
/// # Errors
/// A controller is running, or something could not be removed.
pub fn detach(args: DetachArgs, socket: Option<PathBuf>) -> anyhow::Result<()> {
    let start = Start::of(args.places, Overrides { socket, ..Overrides::default() })?;
    let socket = start.socket();
    if UnixStream::connect(socket).is_ok() {
        bail!("a controller is running on {}: stop it first", socket.display());
    }
    // A directory that is not there is not to be made.
    let claim = start.pin_dir.exists().then(|| Claim::take(&start.pin_dir));
    let _claim = claim.transpose()?;
    Kernel::detach(&start.pin_dir)?;
    probing::remove_now(&start.pin_dir)?;
    for state_dir in place::state_dirs(&start.setup) {
        martians::restore(&Sysctl::default(), &state_dir)
            .context("cannot put accept_local back")?;
        let noted = state_dir.join(martians::FILE);
        remove(fs::remove_file(&noted), &noted)?;
        if !args.keep_rules {
            remove(fs::remove_dir_all(&state_dir), &state_dir)?;
        }
    }
    remove(fs::remove_file(socket), socket)
}

fn listen(start: &Start) -> anyhow::Result<UnixListener> {
    let socket = start.socket();
    socket::bind(socket, &start.access()).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!("another controller is running on {}", socket.display()),
        _ => anyhow!("cannot listen on {}: {error}", socket.display()),
    })
}

fn remove(result: std::io::Result<()>, path: &Path) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Puts the program on the interfaces that were asked for, and on no others: by number, whether frames
/// may leave them in the driver.
async fn put_in_place(kernel: &mut Kernel, setup: &Setup) -> anyhow::Result<HashMap<u32, bool>> {
    let mut reflecting = HashMap::new();
    for interface in &setup.interfaces {
        let (index, reflects) = attach(kernel, interface, setup.mode).await?;
        reflecting.insert(index, reflects);
        martians::accept(&Sysctl::default(), interface, &setup.state_dir());
    }
    kernel.drop_other_links()?;
    Ok(reflecting)
}

async fn look_at(interface: &str) -> anyhow::Result<(LinkFacts, Option<PeerFacts>)> {
    let found = facts::gather(interface).await;
    let found = found.with_context(|| format!("cannot look at interface {interface}"))?;
    found.with_context(|| format!("there is no interface {interface}"))
}

/// What is probably missing where the kernel refuses.
fn privileges() -> &'static str {
    if nix::unistd::geteuid().is_root() {
        "cannot set the program up"
    } else {
        "needs root, or the capabilities CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
    }
}

/// Puts the program on an interface: its number, and whether frames may leave it in the driver.
async fn attach(kernel: &mut Kernel, interface: &str, wanted: Mode) -> anyhow::Result<(u32, bool)> {
    let (facts, peer) = look_at(interface).await?;
    let (hook, why) = choose(wanted, &facts, peer.as_ref());
    let (hook, why) = match kernel.attach(interface, hook, why.clone()) {
        Ok(()) => (hook, why),
        Err(error) if wanted == Mode::Auto && hook == Hook::Native => {
            let (_, why) = mode::refused(&facts, &error);
            kernel.attach(interface, Hook::Generic, why.clone())?;
            (Hook::Generic, why)
        }
        Err(error) => return Err(error.into()),
    };
    tracing::info!(interface, mode = hook.name(), %why, "attached");
    // A veth takes frames back from its own program only if the peer has one as well.
    let reflects = hook == Hook::Generic || facts.link.kind.as_deref() != Some("veth");
    Ok((facts.link.index, reflects))
}

fn choose(wanted: Mode, facts: &LinkFacts, peer: Option<&PeerFacts>) -> (Hook, String) {
    match wanted {
        Mode::Native => (Hook::Native, "asked for".to_owned()),
        Mode::Generic => (Hook::Generic, "asked for".to_owned()),
        Mode::Auto => match mode::choose(facts, peer) {
            (mode::Mode::Native, why) => (Hook::Native, why),
            (mode::Mode::Generic, why) => (Hook::Generic, why),
        },
    }
}

/// Done when the process is told to stop.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
