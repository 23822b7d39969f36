//! `lvs-ctl run` and `lvs-ctl detach`: everything, put together.

#![forbid(unsafe_code)]

mod claim;
mod martians;

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};

use self::claim::Claim;
use crate::{
    api::server,
    dataplane::kernel::{Kernel, attach::Hook, load},
    director::{self, Director, StateDir},
    netlink::{
        Rtnetlink,
        facts::{self, LinkFacts, PeerFacts},
        mode,
        sysctl::Sysctl,
    },
    resolve,
    sweep::Sweeping,
};

/// Where one director keeps its things.
#[derive(Args, Clone, Debug)]
pub struct Places {
    /// Directory on a bpffs for the program's maps and links
    #[arg(long, value_name = "DIR", env = "LVS_PIN_DIR", default_value = "/sys/fs/bpf/lvs")]
    pub pin_dir: PathBuf,
    /// Directory for the rules, so that the next controller has them
    #[arg(long, value_name = "DIR", env = "LVS_STATE_DIR", default_value = "/run/lvs/state")]
    pub state_dir: PathBuf,
}

/// What `lvs-ctl run` is told.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Interfaces that clients, and in NAT real servers, are reached by
    #[arg(long = "interface", short, value_name = "IF", required = true, num_args = 1..)]
    pub interfaces: Vec<String>,
    /// Where in the interface the program stands
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Connections expected at a time; the table has room for twice as many
    #[arg(long, value_name = "N", default_value_t = 131_072,
          value_parser = clap::value_parser!(u32).range(1..=134_217_728))]
    pub connections: u32,
    /// The same of IPv6 [default: as many]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=67_108_864))]
    pub connections6: Option<u32>,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// The XDP mode asked for.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Native where frames will arrive, else generic; `lvs-ctl status` says why
    Auto,
    /// In the driver, or not at all
    Native,
    /// At the stack's entry
    Generic,
}

/// Runs the controller until it is told to stop. Forwarding goes on after it.
///
/// # Errors
/// Something could not be set up.
pub async fn run(args: RunArgs, socket: &Path) -> anyhow::Result<()> {
    // First of all: another controller may be at work here.
    let listener = listen(socket)?;
    tracing::debug!(socket = %socket.display(), "listening");
    let done = control(&args, listener).await;
    fs::remove_file(socket).ok();
    done
}

async fn control(args: &RunArgs, listener: UnixListener) -> anyhow::Result<()> {
    let places = &args.places;
    // What is refused leaves nothing behind.
    for interface in &args.interfaces {
        look_at(interface).await?;
    }
    Kernel::is_place(&places.pin_dir)?;
    let _claim = Claim::take(&places.pin_dir)?;
    let options = load::Options {
        pin_dir: places.pin_dir.clone(),
        connections: args.connections,
        connections6: args.connections6.unwrap_or(args.connections),
    };
    let mut kernel = Kernel::new(&options).with_context(privileges)?;
    let reflecting = match put_in_place(&mut kernel, args).await {
        Ok(reflecting) => reflecting,
        Err(error) => {
            if !kernel.is_adopted() {
                Kernel::detach(&places.pin_dir).ok();
            }
            return Err(error);
        }
    };
    tracing::info!(adopted = kernel.is_adopted(), "the program is in place");

    let sweeper = kernel.sweeper();
    let _sweeping = Sweeping::start(move || {
        sweeper.sweep();
    })?;
    let host = director::ThisHost::new();
    let mut director = Director::new(kernel, Box::new(host), director::Options::default());
    director.keep_in(StateDir::open(&places.state_dir)?)?;
    let (handle, thread) = director::spawn(director);

    let resolver = Rtnetlink::start().context("cannot watch routes and neighbours")?;
    let reflects = move |interface| reflecting.get(&interface).copied().unwrap_or(false);
    let resolving = tokio::spawn(resolve::run(handle.clone(), resolver, reflects));
    tracing::info!("ready");
    axum::serve(listener, server::router(handle))
        .with_graceful_shutdown(stopped()?)
        .await
        .context("the API has ended")?;

    resolving.abort();
    resolving.await.ok();
    // The last handle is gone with the router; the thread writes nothing more.
    tokio::task::spawn_blocking(move || thread.join()).await.ok();
    Ok(())
}

/// Takes the program off all interfaces and forgets rules and connections.
///
/// # Errors
/// A controller is running, or something could not be removed.
pub fn detach(places: &Places, socket: &Path) -> anyhow::Result<()> {
    if UnixStream::connect(socket).is_ok() {
        bail!("a controller is running on {}: stop it first", socket.display());
    }
    // A directory that is not there is not to be made.
    let claim = places.pin_dir.exists().then(|| Claim::take(&places.pin_dir));
    let _claim = claim.transpose()?;
    Kernel::detach(&places.pin_dir)?;
    martians::restore(&Sysctl::default(), &places.state_dir)
        .context("cannot put accept_local back")?;
    remove(fs::remove_dir_all(&places.state_dir), &places.state_dir)?;
    remove(fs::remove_file(socket), socket)
}

fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    server::bind(socket).map_err(|error| match error.kind() {
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
async fn put_in_place(kernel: &mut Kernel, args: &RunArgs) -> anyhow::Result<HashMap<u32, bool>> {
    let mut reflecting = HashMap::new();
    for interface in &args.interfaces {
        let (index, reflects) = attach(kernel, interface, args.mode).await?;
        reflecting.insert(index, reflects);
        martians::accept(&Sysctl::default(), interface, &args.places.state_dir);
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
