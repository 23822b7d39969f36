//! `lvs-ctl run` and `lvs-ctl detach`: everything, put together.

#![forbid(unsafe_code)]

mod arguments;
mod claim;
mod interfaces;
pub mod logging;
mod martians;
mod place;
mod probing;
pub mod serving;
mod start;

use std::{
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
    sync::{mpsc, watch},
};

pub use self::arguments::{DetachArgs, Places, RunArgs};
use self::{claim::Claim, interfaces::Interfaces, serving::Doors, start::Start};
use crate::{
    api::socket,
    config::Overrides,
    dataplane::{
        DataPlane as _,
        kernel::{Kernel, Whole, load},
    },
    director::{self, Director, Handle},
    health, held,
    netlink::{Rtnetlink, links::Links, sysctl::Sysctl},
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
    let mut interfaces = Interfaces::wanted(setup);
    interfaces.check().await?;
    let mut links = Links::open().context("cannot watch interfaces")?;
    if let Some(stand_ins) = setup.stand_ins {
        probing::refuse_taken(stand_ins).await?;
    }
    let doors = Doors::open(setup).await?;
    Kernel::is_place(pin_dir)?;
    let _claim = Claim::take(pin_dir)?;
    let options = load::Options {
        pin_dir: pin_dir.clone(),
        connections: setup.connections,
        connections6: setup.connections6,
    };
    let mut kernel = Kernel::begin(&options).with_context(privileges)?;
    let whole = kernel.whole();
    let placed = match interfaces.put_in_place(&mut kernel).await {
        Ok(()) => kernel.drop_other_links().map_err(anyhow::Error::from),
        refused => refused,
    };
    if let Err(error) = placed {
        if !kernel.is_adopted() {
            // What it pins is not to come after the end.
            whole.wait().ok();
            Kernel::detach(pin_dir).ok();
        }
        return Err(error);
    }
    let network = interfaces.network(&links.changed().await?);
    kernel.set_network(&network)?;
    let stand_ins = setup.stand_ins.unwrap_or_default();
    let probing = probing::set_up(&mut kernel, pin_dir, stand_ins).await;
    let holding = kernel.early_fragments().map(|early| tokio::spawn(held::run(early)));
    if let Err(error) = &holding {
        tracing::warn!(%error, "fragments that come before the first are dropped");
    }
    let adopted = kernel.is_adopted();
    tracing::info!(adopted, "the program is in place");

    let mut sweeper = kernel.sweeper();
    let signs = setup.passive.then(|| sweeper.signs());
    let _sweeping = Sweeping::start(move || sweeper.sweep().has_templates())?;
    let host = director::ThisHost::new();
    let mut director = Director::new(kernel, Box::new(host), director::Options::default());
    director.keep_in(place::open_state(setup)?)?;
    let (handle, thread) = director::spawn(director);
    if let Err(error) = start.declare(&handle).await {
        drop(handle);
        join(thread).await;
        if !adopted {
            rest(whole).await.ok();
            Kernel::detach(pin_dir).ok();
            probing::remove(pin_dir).await.ok();
        }
        return Err(error);
    }

    let resolver = Rtnetlink::start().context("cannot watch routes and neighbours")?;
    let (tell, told) = watch::channel(network);
    let ways = probing::ways(probing, &handle, told.clone());
    let following = tokio::spawn(interfaces.follow(links, handle.clone(), tell));
    let resolving = tokio::spawn(resolve::run(handle.clone(), resolver, told));
    if let Err(error) = rest(whole).await {
        if !adopted {
            Kernel::detach(pin_dir).ok();
            probing::remove(pin_dir).await.ok();
        }
        return Err(error);
    }
    let board = health::Board::default();
    // Ends with the sweeper, which it hears of.
    if let Some(signs) = signs {
        tokio::spawn(health::early::run(signs, board.clone()));
    }
    // Ends with the director.
    tokio::spawn(health::returned::run(handle.wanted(), board.clone()));
    let checking = tokio::spawn(health::run(handle.clone(), ways, board.clone()));
    let (hooks, hooked) = watch::channel(start.hooks());
    let telling = tokio::spawn(health::hooks::run(handle.clone(), hooked));
    let (requests, reloading) = start.reloader(handle.clone(), hooks).spawn()?;
    answer(doors, listener, handle, requests, board).await?;

    telling.abort();
    telling.await.ok();
    if let Ok(holding) = holding {
        holding.abort();
        holding.await.ok();
    }
    checking.abort();
    checking.await.ok();
    following.abort();
    following.await.ok();
    resolving.abort();
    resolving.await.ok();
    reloading.abort();
    reloading.await.ok();
    join(thread).await;
    Ok(())
}

/// Waits for the rest of the program: of what is answered from now on, all holds.
async fn rest(whole: Whole) -> anyhow::Result<()> {
    let waited = tokio::task::spawn_blocking(move || whole.wait()).await?;
    waited.context("cannot set the whole program up")
}

/// Answers until the process is told to stop.
async fn answer(
    doors: Doors,
    listener: UnixListener,
    handle: Handle,
    reload: mpsc::Sender<Asked>,
    board: health::Board,
) -> anyhow::Result<()> {
    let stopped = stopped()?;
    let told = async {
        stopped.await;
        notify::stopping();
    };
    let watchdog = notify::watchdog(handle.clone());
    tracing::info!("ready");
    notify::ready();
    let done = doors.serve(listener, handle, reload, board, told).await;
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

/// What is probably missing where the kernel refuses.
fn privileges() -> &'static str {
    if nix::unistd::geteuid().is_root() {
        "cannot set the program up"
    } else {
        "needs root, or the capabilities CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
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
