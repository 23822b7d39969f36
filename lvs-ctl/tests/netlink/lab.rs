//! Network namespaces for the root tests: a director with two interfaces, and a far side that
//! holds everybody else.
//!
//! ```text
//! director                              far
//! d0  192.0.2.1/24, 2001:db8::1/64  --  r0  192.0.2.10 and .254, 2001:db8::10 and ::fe, fe80::fe
//! d1  198.51.100.1/24               --  r1  198.51.100.254
//! ```
//!
//! The far side announces a change of its MAC, as a take-over does (`arp_notify`, `ndisc_notify`).

use std::{
    fs::{self, File},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::sched::{CloneFlags, setns};

/// Two namespaces that live as long as this.
pub(crate) struct Lab {
    director: Namespace,
    far: Namespace,
}

struct Namespace(String);

impl Lab {
    /// What `ip` says in the director's namespace.
    ///
    /// # Panics
    /// When `ip` fails: say what was asked.
    pub(crate) fn director(&self, arguments: &str) -> String {
        self.director.ip(arguments)
    }

    /// What `ip` says on the far side.
    pub(crate) fn far(&self, arguments: &str) -> String {
        self.far.ip(arguments)
    }

    /// Sends an interface of the director's to the far side.
    pub(crate) fn send_away(&self, interface: &str) {
        self.director(&format!("link set {interface} netns {}", self.far.0));
    }

    /// Runs `ethtool` in the director's namespace.
    pub(crate) fn ethtool(&self, arguments: &str) {
        let mut ethtool = Command::new("ip");
        ethtool.args(["netns", "exec", &self.director.0, "ethtool"]);
        run(ethtool.args(arguments.split(' ')));
    }
}

/// Runs a test in the director's namespace of a new lab, on a runtime of its own.
pub(crate) fn in_lab(test: impl AsyncFnOnce(&Lab) + Send + 'static) {
    let body = move || {
        let lab = build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test(&lab));
    };
    // A thread of its own: it stays in the namespace.
    if let Err(panic) = std::thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

fn build() -> Lab {
    let lab = Lab { director: Namespace::new("director"), far: Namespace::new("far") };
    for (number, address) in [(0, "192.0.2.1/24"), (1, "198.51.100.1/24")] {
        lab.director(&format!(
            "link add d{number} type veth peer name r{number} netns {}",
            lab.far.0
        ));
        lab.director(&format!("link set d{number} up"));
        lab.far(&format!("link set r{number} up"));
        lab.director(&format!("address add {address} dev d{number}"));
    }
    for address in ["192.0.2.10/24 dev r0", "192.0.2.254/24 dev r0", "198.51.100.254/24 dev r1"] {
        lab.far(&format!("address add {address}"));
    }
    for address in ["2001:db8::10/64", "2001:db8::fe/64", "fe80::fe/64"] {
        lab.far(&format!("address add {address} dev r0 nodad"));
    }
    lab.director("address add 2001:db8::1/64 dev d0 nodad");
    lab.director.enter();
    for file in ["ipv4/neigh/d0", "ipv6/neigh/d0"] {
        // A host that does not answer is known in a third of a second.
        fs::write(format!("/proc/sys/net/{file}/retrans_time_ms"), "100").expect("a setting");
    }
    lab
}

impl Namespace {
    fn new(role: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lvs-{}-{number}-{role}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self(name);
        namespace.ip("link set lo up");
        for setting in [
            // No duplicate address detection: an address works at once.
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv4.conf.default.arp_notify=1",
            "net.ipv6.conf.default.ndisc_notify=1",
        ] {
            let mut sysctl = Command::new("ip");
            sysctl.args(["netns", "exec", &namespace.0, "sysctl", "-qw", setting]);
            run(&mut sysctl);
        }
        namespace
    }

    /// Runs `ip`.
    fn ip(&self, arguments: &str) -> String {
        run(Command::new("ip").args(["-n", &self.0]).args(arguments.split(' ')))
    }

    /// Moves this thread into it.
    fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.0)).expect("the namespace's file");
        setns(file, CloneFlags::CLONE_NEWNET).expect("entering the namespace, which needs root");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whether it goes matters to no test; a failing one may have left it half made.
        Command::new("ip").args(["netns", "del", &self.0]).status().ok();
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("iproute2 and ethtool are installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed (these tests need root): {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
