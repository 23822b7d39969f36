//! The controller goes and comes back; connections, rules and counters stay.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use lvs_common::ABI_VERSION;
use lvs_tests::{client::Download, netns::Netns, prelude::*};

use crate::{
    cluster::{BOTH, Cluster, SOON, Way},
    talk::Talk,
};

/// A download through the VIP that takes a minute unless it is told to hurry.
const SIZE: u64 = 60_000_000;
const RATE: u64 = 1_000_000;

#[test]
fn a_download_outlives_the_kill_of_the_controller_and_the_next_one_knows_all() {
    outlives(|director| director.kill().unwrap());
}

#[test]
fn a_download_outlives_the_controllers_orderly_end() {
    outlives(|director| assert!(director.stop().unwrap().success()));
}

/// Programs that the verifier had to look at.
fn verified_at_a_restart(cluster: &mut Cluster) -> usize {
    cluster.director.stop().unwrap();
    let before = cluster.director.log().len();
    cluster.director.run().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().sequential(BOTH[0].to(80), 4).assert_is(&BOTH[0].split([2, 2]));
    cluster.director.log()[before..].matches("verified").count()
}

fn outlives(end: impl Fn(&mut Director)) {
    let mut cluster = Cluster::manual(Mode::Native);
    let downloads = begin(&cluster);
    let before = Known::of(&cluster.director);
    assert_eq!(before.connections.len(), 2);
    end(&mut cluster.director);
    assert_ne!(cluster.director.shell("ipvsadm -Ln").unwrap().code, Some(0));
    // Without a controller.
    go_on(&downloads);
    cluster.director.run().unwrap();
    let after = Known::of(&cluster.director);
    assert_eq!((&before.rules, &before.connections), (&after.rules, &after.connections));
    before.went_on_in(&after);
    go_on(&downloads);
    after.went_on_in(&Known::of(&cluster.director));
    for download in downloads {
        download.hurry();
        assert_eq!(download.finish().unwrap().bytes, SIZE);
    }
    // The rules are not only listed.
    for way in BOTH {
        cluster.director.wait_until_resolved().unwrap();
        cluster.client().sequential(way.to(80), 20).assert_is(&way.split([10, 10]));
    }
}

#[test]
fn a_restart_in_another_mode_keeps_the_connections() {
    let mut cluster = Cluster::manual(Mode::Native);
    let mut talks = BOTH.map(|way| {
        cluster.serve(way, "-t", 3306, "-s wrr");
        Talk::to(&cluster, way)
    });
    let before =
        (cluster.director.ipvsadm("-Sn").unwrap(), cluster.director.connections().unwrap());
    assert_eq!(before.1.len(), 2);
    for (mode, hook) in [(Mode::Generic, "xdpgeneric"), (Mode::Native, "xdp")] {
        cluster.director.stop().unwrap();
        cluster.director.settings().mode = mode;
        cluster.director.run().unwrap();
        for interface in ["eth0", "eth1"] {
            assert_eq!(hook_at(&cluster, interface), Some(hook));
        }
        let director = &cluster.director;
        assert_eq!(before, (director.ipvsadm("-Sn").unwrap(), director.connections().unwrap()));
        for talk in &mut talks {
            talk.say(b"still there?");
        }
    }
}

#[test]
fn what_the_verifier_has_accepted_is_taken_over_unless_some_of_it_is_missing() {
    let mut cluster = Cluster::manual(Mode::Native);
    cluster.serve(BOTH[0], "-t", 80, "-s wrr");
    let debug = ("LVS_LOG".to_owned(), "lvs_ctl::dataplane=debug".to_owned());
    cluster.director.settings().environment.push(debug);
    assert_eq!(verified_at_a_restart(&mut cluster), 0);

    let pins = cluster.director.pin_dir().join(format!("v{ABI_VERSION}"));
    let programs = || {
        let names = fs::read_dir(&pins).unwrap().map(|pin| pin.unwrap().path());
        let is_program = |path: &PathBuf| path.to_str().unwrap().contains("/program-");
        names.filter(is_program).collect::<BTreeSet<_>>()
    };
    let before = programs();
    fs::remove_file(before.first().unwrap()).unwrap();
    assert_eq!((verified_at_a_restart(&mut cluster), programs()), (before.len(), before));
    assert_eq!(verified_at_a_restart(&mut cluster), 0);
}

#[test]
fn requests_go_on_while_the_rest_of_the_program_comes_in() {
    let mut cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-u", 53, "-s rr");
    }
    let debug = ("LVS_LOG".to_owned(), "lvs_ctl::dataplane=debug".to_owned());
    cluster.director.settings().environment.push(debug);
    cluster.director.stop().unwrap();
    cluster.director.shell("lvs-ctl detach --keep-rules").unwrap().ok().unwrap();

    let Cluster { director, topology, .. } = &mut cluster;
    let before = director.log().len();
    let client = topology.host("client").client();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let impatient = client.clone().timeout(Duration::from_millis(300));
            let answers = || {
                let mut twice = BOTH.into_iter().chain(BOTH);
                twice.all(|way| impatient.udp(way.to(53), b"?").is_ok()).then_some(())
            };
            eventually("both real servers of both ways answer", SOON, answers).unwrap();
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                for way in BOTH {
                    client.udp(way.to(53), b"?").unwrap();
                    asked += 1;
                }
            }
            asked
        });
        director.run().unwrap();
        // The first of IPv6.
        director.ipvsadm("-A -t [2001:db8:4::5]:80 -s rr").unwrap();
        director.ipvsadm("-a -t [2001:db8:4::5]:80 -r [2001:db8:2::100]:80 -m").unwrap();
        over.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
    });
    // The longest one came twice: first what connections of IPv4 need of it, then whole.
    assert_eq!(director.log()[before..].matches("lvs_rest").count(), 2, "{}", director.log());
}

#[test]
fn detaching_leaves_nothing_behind() {
    let mut cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
        cluster.client().sequential(way.to(80), 2).assert_is(&way.split([1, 1]));
    }
    let refused = cluster.director.shell("lvs-ctl detach").unwrap();
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("a controller is running"), "{refused}");
    cluster.client().sequential(BOTH[0].to(80), 2).assert_is(&BOTH[0].split([1, 1]));

    cluster.director.stop().unwrap();
    assert_eq!(hook_at(&cluster, "eth0"), Some("xdp"));
    let accept_local = || {
        let name = "net.ipv4.conf.eth0.accept_local";
        cluster.topology.host("director").netns().exec(&["sysctl", "-n", name]).unwrap()
    };
    assert_eq!(accept_local(), "1\n");
    cluster.director.detach().unwrap();
    assert_eq!(accept_local(), "0\n");
    for interface in ["eth0", "eth1"] {
        // The kernel takes it off a moment after its last pin has gone.
        let gone = || hook_at(&cluster, interface).is_none().then_some(());
        eventually("the program is off", SOON, gone).unwrap();
    }
    let director = &cluster.director;
    for path in [director.pin_dir(), director.state_dir(), director.socket()] {
        assert!(!path.exists(), "{} is still there", path.display());
    }
    cluster.director.run().unwrap();
    assert_eq!(cluster.director.ipvsadm("-Sn").unwrap(), "");
    assert!(cluster.director.connections().unwrap().is_empty());
}

/// A slow download through each VIP, under way.
fn begin(cluster: &Cluster) -> [Download; 2] {
    // Small buffers: what the client reads has only just passed the director.
    for host in cluster.topology.hosts() {
        for buffer in ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"] {
            host.netns().sysctl(buffer, "4096 32768 32768").unwrap();
        }
    }
    let downloads = BOTH.map(|way: Way| {
        cluster.serve(way, "-t", 80, "-s wrr");
        cluster.client().start_download(way.to(80), SIZE, Some(RATE)).unwrap()
    });
    go_on(&downloads);
    downloads
}

/// Waits for several times what the buffers on the way hold.
fn go_on(downloads: &[Download]) {
    for download in downloads {
        let more = download.received() + RATE / 2;
        download.wait_until(more.min(SIZE), SOON).unwrap();
    }
}

/// The word by which `ip link` shows the program on an interface of the director.
fn hook_at(cluster: &Cluster, interface: &str) -> Option<&'static str> {
    let netns: &Netns = cluster.topology.host("director").netns();
    let shown = netns.exec(&["ip", "-oneline", "link", "show", "dev", interface]).unwrap();
    let words: Vec<_> = shown.split_whitespace().collect();
    ["xdp", "xdpgeneric"].into_iter().find(|word| words.contains(word))
}

/// What a controller says of the past.
struct Known {
    rules: String,
    connections: BTreeSet<Connection>,
    stats: Vec<Stats>,
}

impl Known {
    fn of(director: &Director) -> Self {
        Self {
            rules: director.ipvsadm("-Sn").unwrap(),
            connections: director.connections().unwrap(),
            stats: BOTH.map(|way| director.stats(&way.service("-t", 80)).unwrap().0).into(),
        }
    }

    /// The counters there are these, and a little more.
    fn went_on_in(&self, later: &Self) {
        for (before, after) in self.stats.iter().zip(&later.stats) {
            assert_eq!(before.conns, after.conns);
            let grew = before.in_packets < after.in_packets && before.in_bytes < after.in_bytes;
            assert!(grew, "{before:?} became {after:?}");
        }
    }
}
