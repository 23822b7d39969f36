//! A network and a BPF file system of this process's own, gone with it however it ends.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    net::if_::if_nametoindex,
    sched::{CloneFlags, CpuSet, sched_getcpu, sched_setaffinity, unshare},
    unistd::Pid,
};

/// Where the private BPF file system is mounted.
pub const BPFFS: &str = "/sys/fs/bpf";

/// Link-layer addresses of the director's two interfaces, and of the router that clients are behind.
pub const CLIENT_SIDE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// See [`CLIENT_SIDE`].
pub const SERVER_SIDE: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// See [`CLIENT_SIDE`].
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 254];

/// The director's address toward clients and toward real servers.
pub const DIRECTOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The same of IPv6.
pub const DIRECTOR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The director's interfaces, by their numbers.
pub struct World {
    /// Toward clients.
    pub client_side: u32,
    /// Toward real servers reached by NAT.
    pub server_side: u32,
}

impl World {
    /// Leaves the host's network and mounts, and keeps to one CPU.
    pub fn enter() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .context("cannot make namespaces (this needs root)")?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .context("cannot keep mounts private")?;
        mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), none)
            .context("cannot mount a BPF file system")?;
        ip(&[
            &format!("link add clients address {} type veth peer clients-far", mac(CLIENT_SIDE)),
            &format!("link add servers address {} type veth peer servers-far", mac(SERVER_SIDE)),
            "link set clients up",
            "link set clients-far up",
            "link set servers up",
            "link set servers-far up",
            &format!("address add {DIRECTOR}/24 dev clients"),
            &format!("neigh add 192.0.2.254 lladdr {} dev clients nud permanent", mac(ROUTER)),
            "route add default via 192.0.2.254",
            &format!("address add {DIRECTOR6}/64 dev clients nodad"),
            &format!("neigh add 2001:db8::fe lladdr {} dev clients nud permanent", mac(ROUTER)),
            "route add default via 2001:db8::fe dev clients",
        ])?;
        // The kernel tells the way only of packets that it would forward.
        for family in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            let forward = Path::new("/proc/sys/net").join(family);
            fs::write(&forward, "1")
                .with_context(|| format!("cannot write {}", forward.display()))?;
        }
        stay()?;
        Ok(Self {
            client_side: if_nametoindex("clients")?,
            server_side: if_nametoindex("servers")?,
        })
    }
}

/// Keeps this thread on the CPU where it is.
fn stay() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).context("cannot stay on one CPU")
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

fn ip(lines: &[&str]) -> Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot run ip (is iproute2 installed?)")?;
    let mut input = child.stdin.take().context("its input is piped")?;
    input.write_all(lines.join("\n").as_bytes())?;
    drop(input);
    ensure!(child.wait()?.success(), "ip refused: {}", lines.join("; "));
    Ok(())
}
