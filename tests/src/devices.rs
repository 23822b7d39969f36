//! Devices and protocols that not every kernel has.
//!
//! A test that needs some asks [`are_here`] first and is over where they are not: another kernel runs it then
//! (`cargo xtask test --kernel 6.1`), one that has them all and is told so, so that there it fails instead.
#![forbid(unsafe_code)]

use std::{env, process::Command};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{lab::Lab, netns::Netns};

/// Set to `all` where the kernel has every one.
pub const COMPLETE: &str = "LVS_TESTS_DEVICES";

/// SCTP's number as a protocol of sockets.
pub const SCTP: i32 = 132;

/// A thing that kernels are built with or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A type of link, as `ip link add type` takes it.
    Link(&'static str),
    /// `ip fou`: what is behind a UDP header, taken out.
    Fou,
    /// Sockets of SCTP.
    Sctp,
}

/// Whether the kernel has all of these.
///
/// # Panics
///
/// When it has not, and is said to have every one ([`COMPLETE`]); when the process is not root.
#[must_use]
pub fn are_here(needed: &[Device]) -> bool {
    let lab = Lab::new().expect("a lab");
    let netns = Netns::new(&lab, "probe").expect("a namespace");
    let missing: Vec<_> = needed.iter().filter(|device| !is_in(&netns, **device)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(
        env::var_os(COMPLETE).is_none_or(|said| said != "all"),
        "this kernel is said to have everything, and lacks {missing:?}"
    );
    eprintln!(
        "not on this kernel, which lacks {missing:?}: `cargo xtask test --kernel 6.1` does it"
    );
    false
}

fn is_in(netns: &Netns, device: Device) -> bool {
    let succeeds =
        |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    match device {
        Device::Link(kind) => {
            let line = ["link", "add", "probe", "type", kind];
            // Where it is known, but wants to be told more, that is what is complained of.
            netns.command("ip").args(line).output().is_ok_and(|output| {
                output.status.success()
                    || !String::from_utf8_lossy(&output.stderr).contains("Unknown device type")
            })
        }
        Device::Fou => succeeds(netns.command("ip").args(["fou", "show"])),
        Device::Sctp => Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(SCTP))).is_ok(),
    }
}
