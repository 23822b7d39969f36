//! The cases and the topology of the Linux kernel's own end-to-end test of IPVS, with `ipvsadm-in-netns` by the name of
//! ipvsadm: nobody starts a controller, the first command does.
//!
//! ```text
//!    client                        director                      real server
//!  br0 10.0.0.2 ── veth01 ── veth10 10.0.0.1
//!      │                     veth12 172.16.0.1 ── veth21 172.16.0.2
//!      └────────── veth02 ─────────────────────── veth20 10.0.0.3
//! ```

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::Path,
    sync::Arc,
    time::Duration,
};

use lvs_tests::{director::controller_program, lab::Lab, netns::Netns, prelude::*};

const VIP: Ipv4Addr = Ipv4Addr::new(207, 175, 44, 110);
const PORT: u16 = 8080;
const DATA: [u8; 32] = *b"thirty-two bytes to be forwarded";

/// Three namespaces, wired; dropped, they go, with the controller that was started in one.
struct Bed {
    client: Netns,
    director: Netns,
    server: Netns,
    lab: Arc<Lab>,
}

impl Bed {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let [client, director, server] =
            ["ns0", "ns1", "ns2"].map(|label| Netns::new(&lab, label).unwrap());
        // What a new namespace has of these is the machine's own.
        for netns in [&client, &director, &server] {
            for place in ["all", "default"] {
                netns.sysctl(&format!("net.ipv4.conf.{place}.rp_filter"), "0").unwrap();
            }
            netns.ip(&["link set lo up"]).unwrap();
        }
        let pair = |name: &str, peer: &str, there: &Netns| {
            format!("link add {name} type veth peer name {peer} netns {}", there.name())
        };
        let wires = [pair("veth01", "veth10", &director), pair("veth02", "veth20", &server)];
        client.ip(&wires).unwrap();
        director.ip(&[pair("veth12", "veth21", &server)]).unwrap();
        let up = |netns: &Netns, names: [&str; 2]| {
            netns.ip(&names.map(|name| format!("link set {name} up"))).unwrap();
        };
        up(&director, ["veth10", "veth12"]);
        up(&server, ["veth21", "veth20"]);
        up(&client, ["veth01", "veth02"]);
        let bridge = ["link add br0 type bridge", "link set veth01 master br0"];
        client.ip(&bridge).unwrap();
        client.ip(&["link set veth02 master br0", "link set br0 up"]).unwrap();
        let addresses = [
            (&client, "br0", "10.0.0.2/24"),
            (&director, "veth10", "10.0.0.1/24"),
            (&director, "veth12", "172.16.0.1/24"),
            (&server, "veth21", "172.16.0.2/24"),
            (&server, "veth20", "10.0.0.3/24"),
        ];
        for (netns, interface, address) in addresses {
            netns.ip(&[format!("addr add {address} dev {interface}")]).unwrap();
        }
        client.ip(&[format!("route add {VIP} via 10.0.0.1 dev br0")]).unwrap();
        for netns in [&client, &director, &server] {
            netns.wait_until_up().unwrap();
        }
        let names = lab.directory().join("bin");
        fs::create_dir(&names).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lvs-ctl/dist/ipvsadm-in-netns");
        symlink(script, names.join("ipvsadm")).unwrap();
        symlink(controller_program().unwrap(), names.join("lvs-ctl")).unwrap();
        Self { client, director, server, lab }
    }

    /// Runs a line of shell on the director.
    fn shell(&self, line: &str) -> String {
        self.lab.note(format!("director$ {line}"));
        let names = self.lab.directory().join("bin").display().to_string();
        let mut command = self.director.command("sh");
        command.args(["-c", line]).env("LVS_NETNS_DIR", self.lab.directory());
        command.env("PATH", format!("{names}:{}", env::var("PATH").unwrap()));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The service, with the real server reached by `method`; and the VIP on the director.
    fn direct(&self, method: &str) {
        self.shell(&format!("ipvsadm -A -t {VIP}:{PORT} -s rr"));
        self.shell(&format!("ipvsadm -a {method} -t {VIP}:{PORT} -r 172.16.0.2:{PORT}"));
        self.director.ip(&[format!("addr add {VIP}/32 dev lo")]).unwrap();
    }

    /// The real server has the VIP and does not say so.
    fn hide_vip(&self) {
        self.server.sysctl("net.ipv4.conf.all.arp_ignore", "1").unwrap();
        self.server.sysctl("net.ipv4.conf.all.arp_announce", "2").unwrap();
        self.server.ip(&[format!("addr add {VIP}/32 dev lo")]).unwrap();
    }

    /// Something sent to the VIP arrives at the real server as it was, through the director's program.
    fn transfer(&self) {
        let listener = self.server.run(|| TcpListener::bind(("0.0.0.0", PORT))).unwrap();
        let to = SocketAddr::from((VIP, PORT));
        let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(10));
        let mut stream = self.client.run(connect).unwrap();
        stream.write_all(&DATA).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        accepted.read_to_end(&mut received).unwrap();
        assert_eq!(received, DATA);
        let stats = self.shell("ipvsadm -Ln --stats --exact");
        let counted = stats.lines().find(|line| line.contains("-> 172.16.0.2")).unwrap();
        assert_eq!(counted.split_whitespace().nth(2), Some("1"), "{stats}");
    }
}

#[test]
fn the_kernels_own_case_of_direct_routing_passes() {
    let bed = Bed::new();
    bed.director.sysctl("net.ipv4.ip_forward", "1").unwrap();
    bed.direct("-g");
    bed.hide_vip();
    bed.transfer();
}

#[test]
fn the_kernels_own_case_of_nat_passes() {
    let bed = Bed::new();
    bed.director.sysctl("net.ipv4.ip_forward", "1").unwrap();
    bed.direct("-m");
    bed.server.ip(&["link del veth20", "route add default via 172.16.0.1 dev veth21"]).unwrap();
    bed.transfer();
}

#[test]
fn the_kernels_own_case_of_tunnels_passes() {
    let bed = Bed::new();
    // Who takes packets out in user space wants whole checksums.
    bed.client.run(|| Offload::Prepared.apply("veth01")).unwrap();
    let end = TunnelEnd::start_in(&bed.server).unwrap();
    bed.director.sysctl("net.ipv4.ip_forward", "0").unwrap();
    bed.direct("-i");
    bed.hide_vip();
    bed.transfer();
    assert_eq!(end.complaints(), "");
}

#[test]
fn every_namespace_has_a_controller_of_its_own_that_ends_with_it() {
    let [one, other] = [Bed::new(), Bed::new()];
    one.direct("-m");
    assert_eq!(other.shell("ipvsadm -Sn"), "");
    // A version needs no controller.
    let third = Bed::new();
    assert!(third.shell("ipvsadm --version").starts_with("ipvsadm v1.31"));
    assert_eq!(third.director.processes(), []);
    // What is killed is forgotten, as the data plane ends with it.
    for pid in one.director.processes() {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    eventually("they end", Duration::from_secs(10), || {
        one.director.processes().is_empty().then_some(())
    })
    .unwrap();
    assert_eq!(one.shell("ipvsadm -Sn"), "");
}
