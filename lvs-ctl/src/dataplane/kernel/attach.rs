//! The program on interfaces: attached, replaced without missing a packet, detached.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{
        ProgramError, Xdp,
        links::{FdLink, PinnedLink},
        xdp::{XdpLink, XdpLinkId, XdpMode},
    },
};

use super::{
    KernelError,
    load::{self, Common},
    pins::Pins,
    programs::DIRECTOR,
};
pub use crate::model::Hook;

/// The kernel takes a link without pins off its interface a moment after the last pin has gone.
pub(super) const LEAVING: Duration = Duration::from_secs(2);
/// Between two attempts to take its place.
const STEP: Duration = Duration::from_millis(2);

/// Interfaces that carry the program.
#[derive(Default)]
pub(super) struct Links {
    /// The program for the generic hook, loaded when the first interface needs it.
    generic: Option<Ebpf>,
    held: BTreeMap<String, (Option<Hook>, String)>,
}

impl Links {
    /// Puts the program on an interface, or in the place of a former one. The link is pinned: it
    /// stays when the controller goes. `why` is kept for the status.
    pub(super) fn attach(
        &mut self,
        native: &mut Ebpf,
        pins: &Pins,
        common: Common,
        interface: &str,
        (hook, why): (Hook, String),
    ) -> Result<(), KernelError> {
        let ebpf = match hook {
            Hook::Native => native,
            Hook::Generic => match &mut self.generic {
                Some(generic) => generic,
                none => none.insert(load::program(pins, common, Hook::Generic)?),
            },
        };
        let mut patience = Duration::ZERO;
        for other in [Hook::Native, Hook::Generic] {
            let path = pins.link(other, interface);
            if path.exists() && (other != hook || !replace(&path, ebpf)?) {
                // On the other hook, or dead with its interface.
                unpin(&path)?;
                patience = LEAVING;
            }
        }
        let path = pins.link(hook, interface);
        if !path.exists() {
            attach(ebpf, hook, interface, &path, patience)?;
        }
        self.held.insert(interface.to_owned(), (Some(hook), why));
        Ok(())
    }

    /// An interface does not carry the program any more, and why.
    pub(super) fn lose(&mut self, interface: &str, why: String) {
        self.held.insert(interface.to_owned(), (None, why));
    }

    /// Takes the program off interfaces that another controller put it on and that are not held.
    pub(super) fn drop_others(&self, pins: &Pins) -> Result<(), KernelError> {
        for (hook, interface) in pins.links()? {
            if !self.held.contains_key(&interface) {
                unpin(&pins.link(hook, &interface))?;
            }
        }
        Ok(())
    }

    /// Interfaces, hooks and reasons.
    pub(super) fn held(&self) -> impl Iterator<Item = (&str, Option<Hook>, &str)> {
        self.held.iter().map(|(interface, (hook, why))| (interface.as_str(), *hook, why.as_str()))
    }
}

/// Puts the program in the place of the one on a pinned link; false if the link is dead. Each packet sees
/// the old one or the new one.
fn replace(path: &Path, ebpf: &mut Ebpf) -> Result<bool, KernelError> {
    let Ok(pinned) = PinnedLink::from_pin(path) else { return Ok(false) };
    let Ok(link) = XdpLink::try_from(FdLink::from(pinned)) else { return Ok(false) };
    Ok(load::xdp(ebpf, DIRECTOR)?.attach_to_link(link).is_ok())
}

/// Waits up to `patience` for another program to leave.
fn attach(
    ebpf: &mut Ebpf,
    hook: Hook,
    interface: &str,
    path: &Path,
    patience: Duration,
) -> Result<(), KernelError> {
    let program = load::xdp(ebpf, DIRECTOR)?;
    let id = patiently(program, interface, hook, patience)?;
    let refused = |error: ProgramError| KernelError::attach(interface, hook, &error);
    let link = program.take_link(id).map_err(refused)?;
    let link = FdLink::try_from(link)
        .map_err(|error| KernelError::call("link", interface, std::io::Error::other(error)))?;
    link.pin(path)
        .map_err(|error| KernelError::call("pin", interface, std::io::Error::other(error)))?;
    Ok(())
}

/// Puts a program on an interface; waits up to `patience` for another one to leave.
pub(super) fn patiently(
    program: &mut Xdp,
    interface: &str,
    hook: Hook,
    patience: Duration,
) -> Result<XdpLinkId, KernelError> {
    let begun = Instant::now();
    loop {
        match program.attach(interface, mode(hook)) {
            Err(error) if is_taken(&error) && begun.elapsed() < patience => thread::sleep(STEP),
            done => break done.map_err(|error| KernelError::attach(interface, hook, &error)),
        }
    }
}

/// Whether a program is already there, on this hook or the other one.
fn is_taken(error: &ProgramError) -> bool {
    let ProgramError::SyscallError(error) = error else { return false };
    matches!(error.io_error.raw_os_error(), Some(libc::EEXIST | libc::EBUSY))
}

const fn mode(hook: Hook) -> XdpMode {
    match hook {
        Hook::Native => XdpMode::Driver,
        Hook::Generic => XdpMode::Skb,
    }
}

fn unpin(path: &Path) -> Result<(), KernelError> {
    fs::remove_file(path).map_err(|source| KernelError::file("remove", path, source))
}
