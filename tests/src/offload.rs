//! Offloads of an interface, by the ETHTOOL ioctl.
//!
//! An XDP frame arrives at a veth only if its peer receives by NAPI, which GRO turns on; and a frame
//! that XDP forwards leaves with the checksum it came with, which on a veth is unfinished unless the
//! sender's checksum offload is off. Both are matters of the *peer* of the interface with the program.

use std::{
    ffi::c_char,
    io,
    net::UdpSocket,
    os::fd::{AsRawFd as _, RawFd},
};

use anyhow::{Context as _, Result, ensure};

/// Settings of the far end (the switch's port) of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Offload {
    /// Kernel defaults: checksum offload on, GRO off. What a fresh veth pair has.
    #[default]
    Untouched,
    /// GRO on, checksum offload (and with it TSO) off: native XDP works on the near end.
    Prepared,
}

/// A setting with an ethtool command of its own (`ETHTOOL_G*`, `ETHTOOL_S*` of linux/ethtool.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Checksums of sent packets are left to the device: `ethtool -K … tx`.
    TxChecksum,
    /// Received segments are merged; on a veth also: receiving by NAPI. `ethtool -K … gro`.
    Gro,
}

impl Feature {
    const fn get_command(self) -> u32 {
        match self {
            Self::TxChecksum => 0x16,
            Self::Gro => 0x2b,
        }
    }

    const fn set_command(self) -> u32 {
        self.get_command() + 1
    }
}

impl Offload {
    /// Applies the setting to an interface of the namespace of the calling thread.
    pub fn apply(self, interface: &str) -> Result<()> {
        if self == Self::Prepared {
            set(interface, Feature::TxChecksum, false)?;
            set(interface, Feature::Gro, true)?;
        }
        Ok(())
    }
}

/// Whether the feature is on at an interface of the namespace of the calling thread.
pub fn is_on(interface: &str, feature: Feature) -> Result<bool> {
    Ok(ethtool(interface, feature.get_command(), 0)? != 0)
}

/// Turns the feature on or off at an interface of the namespace of the calling thread.
pub fn set(interface: &str, feature: Feature, on: bool) -> Result<()> {
    ethtool(interface, feature.set_command(), u32::from(on))?;
    ensure!(is_on(interface, feature)? == on, "{interface}: {feature:?} cannot be set to {on}");
    Ok(())
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

fn ethtool(interface: &str, command: u32, data: u32) -> Result<u32> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut value = Value { command, data };
    call(socket.as_raw_fd(), interface, &mut value)
        .with_context(|| format!("ethtool command {command:#x} on {interface}"))?;
    Ok(value.data)
}

fn call(socket: RawFd, interface: &str, value: &mut Value) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() {
        return Err(io::Error::other("the interface's name is too long"));
    }
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    let data = std::ptr::from_mut(value).cast();
    let mut request =
        libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: data } };
    // SAFETY: `request` names a live `Value`, the layout that both commands read and write, and the
    // name is NUL-terminated (it is shorter than the zeroed array).
    let result = unsafe { libc::ioctl(socket, libc::SIOCETHTOOL, &raw mut request) };
    nix::errno::Errno::result(result)?;
    Ok(())
}
