//! Devices and protocols that not every kernel has.
//!
//! A test that needs some is ignored unless it is asked for (`#[ignore = "in the guest: …"]`), and calls
//! [`demand`] first. `cargo xtask test --kernel 6.1` asks for them, on a kernel that has every one.
#![forbid(unsafe_code)]

use std::process::Command;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{lab::Lab, netns::Netns};

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

/// Returns if the kernel has all of these.
///
/// # Panics
///
/// When it has not; when the process is not root.
pub fn demand(needed: &[Device]) {
    let lab = Lab::new().expect("a lab");
    let netns = Netns::new(&lab, "probe").expect("a namespace");
    let missing: Vec<_> = needed.iter().filter(|device| !is_in(&netns, **device)).collect();
    assert!(
        missing.is_empty(),
        "this kernel lacks {missing:?}: `cargo xtask test --kernel 6.1` runs the test on one that has them"
    );
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
