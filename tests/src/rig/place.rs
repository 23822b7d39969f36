//! The network that the program runs in: one interface toward clients, one toward real servers.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
};

use super::packet::Mac;

/// The router toward all clients.
pub(super) const ROUTER: Mac = [2, 0, 0, 0, 0, 0xfe];

/// The director's address toward real servers.
pub const DIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 2, 1));
/// The same of IPv6.
pub const DIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1));

/// Of all links: nothing is too long for them.
pub(super) const MTU: u32 = 65_535;

/// The other end of the link toward clients.
pub(super) const ROUTER_INTERFACE: &str = "clients-end";

/// Where bpffs is mounted, for this thread and its children only.
const BPFFS: &str = "/sys/fs/bpf";

/// The recordings' addresses: 192.168.4.5 and 198.18.0.0/15 are virtual, real servers are in 192.168.2.0/24, and
/// everybody else is a client, behind a router whose address needs no asking for.
const LINES: &str = "\
link set lo up
link add clients address 02:00:00:00:00:01 mtu 65535 type veth peer name clients-end mtu 65535
link add servers address 02:00:00:00:00:02 mtu 65535 type veth peer name servers-end mtu 65535
link set clients up
link set clients-end up
link set servers up
link set servers-end up
address add 192.168.4.5/24 dev clients
address add 192.168.2.1/24 dev servers
address add 2001:db8:4::5/64 dev clients nodad
address add fd00:2::1/64 dev servers nodad
neighbour add 192.168.4.1 lladdr 02:00:00:00:00:fe nud permanent dev clients
neighbour add 2001:db8:4::1 lladdr 02:00:00:00:00:fe nud permanent dev clients
route add default via 192.168.4.1 dev clients
route add default via 2001:db8:4::1 dev clients
route add local 198.18.0.0/15 dev lo
";

/// A network, a mount namespace and a bpffs of this thread's own, which end with it and its children.
#[derive(Debug)]
pub struct Place {
    pub(super) clients: Interface,
    pub(super) servers: Interface,
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: &'static str,
    pub(super) index: u32,
    pub(super) mac: Mac,
}

impl Place {
    /// Takes this thread there, for good. Threads that it starts afterwards are there too.
    ///
    /// # Errors
    /// The process is not root, or there is no `ip`.
    pub fn enter() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .context("cannot have a network of its own (this needs root)")?;
        let none: Option<&Path> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .context("cannot keep mounts to itself")?;
        mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), none)
            .context("cannot mount a bpffs")?;
        // No name server: those who ask for names are told at once that there are none.
        let resolver = Path::new("/etc/resolv.conf");
        if resolver.exists() {
            overlay(Path::new("/dev/null"), resolver)?;
        }
        ip(LINES)?;
        for family in ["ipv4", "ipv6"] {
            let file = format!("/proc/sys/net/{family}/conf/all/forwarding");
            fs::write(&file, "1").with_context(|| format!("cannot write {file}"))?;
        }
        Ok(Self { clients: interface("clients", 1)?, servers: interface("servers", 2)? })
    }

    /// The bpffs.
    #[must_use]
    pub fn bpffs(&self) -> PathBuf {
        BPFFS.into()
    }

    /// Has a file there read as another one.
    ///
    /// # Errors
    /// One of them does not exist.
    pub fn overlay(&self, file: &Path, there: &Path) -> Result<()> {
        overlay(file, there)
    }

    /// Runs lines of `ip` there, without the `ip` in front.
    ///
    /// # Errors
    /// At the first that fails.
    pub fn ip(&self, lines: &str) -> Result<()> {
        ip(lines)
    }

    /// Removes what is pinned.
    pub(super) fn clear(&self) -> Result<()> {
        let root = self.bpffs().join("lvs");
        if root.exists() {
            lvs_ctl::dataplane::kernel::Kernel::detach(&root)?;
        }
        let program = self.bpffs().join("program");
        if program.exists() {
            fs::remove_file(&program).context("cannot remove the program's pin")?;
        }
        Ok(())
    }
}

fn overlay(file: &Path, there: &Path) -> Result<()> {
    let none: Option<&Path> = None;
    mount(Some(file), there, none, MsFlags::MS_BIND, none)
        .with_context(|| format!("cannot mount {} on {}", file.display(), there.display()))
}

fn interface(name: &'static str, last: u8) -> Result<Interface> {
    let index = if_nametoindex(name).with_context(|| format!("no interface {name}"))?;
    Ok(Interface { name, index, mac: [2, 0, 0, 0, 0, last] })
}

/// Runs lines of `ip`, one by one: addresses of both families do not go into one batch.
fn ip(lines: &str) -> Result<()> {
    for line in lines.lines() {
        let family = if line.contains("::") && !line.starts_with("link") { "-6" } else { "-4" };
        let output = Command::new("ip")
            .arg(family)
            .args(line.split(' '))
            .output()
            .context("cannot run ip (is iproute2 installed?)")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip {line}: {}", complaint.trim());
    }
    Ok(())
}
