//! ldirectord, as Debian ships it: it knows `/usr/sbin/ipvsadm` and believes to speak to the kernel.

use std::{collections::BTreeSet, fs, os::unix::process::ExitStatusExt as _};

use lvs_tests::{prelude::*, process::Process, web::Web};
use nix::sys::signal::Signal;

use crate::cluster::{Cluster, DR, NAT, SOON};

/// The path by which ldirectord calls ipvsadm, whatever `PATH` says.
const IPVSADM: &str = "/usr/sbin/ipvsadm";

/// An ldirectord on the director; ends with the value.
struct Ldirectord<'c> {
    cluster: &'c Cluster,
    process: Process,
}

impl<'c> Ldirectord<'c> {
    /// Watches the NAT cluster's real servers by HTTP, once a second.
    fn start(cluster: &'c Cluster) -> Self {
        let directory = cluster.topology.lab().directory();
        let config = directory.join("ldirectord.cf");
        let real = |rip| format!("\treal={rip}:80 masq 2\n");
        let text = format!(
            "checkinterval=1\nchecktimeout=2\nnegotiatetimeout=2\nautoreload=no\nquiescent=no\n\
             supervised=yes\nlogfile=\"{}\"\nvirtual={}:80\n{}{}\tservice=http\n\trequest=\"/\"\n\
             \treceive=\"nat-\"\n\tscheduler=wrr\n\tprotocol=tcp\n\tchecktype=negotiate\n",
            directory.join("ldirectord.log").display(),
            NAT.vip,
            real(NAT.servers[0].1),
            real(NAT.servers[1].1),
        );
        fs::write(&config, text).unwrap();
        // Ours in the place of Debian's, for this process and its children only.
        let ours = lvs_tests::director::controller_program().unwrap();
        let mut command = cluster.director.command("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg("mount --bind \"$1\" \"$2\" && exec ldirectord \"$3\" start");
        command.arg("sh").arg(ours).arg(IPVSADM).arg(&config);
        let process = Process::start(command, &directory.join("ldirectord.out")).unwrap();
        Self { cluster, process }
    }

    /// Waits until the director has just these real servers, by their hosts' names.
    fn wait_for(&mut self, expected: &[&str]) {
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        let mut last = String::new();
        let seen = eventually(&format!("{expected:?} in the table"), SOON, || {
            last = self.cluster.director.ipvsadm("-Ln").unwrap();
            assert_eq!(self.process.ended().unwrap(), None, "{}", self.log());
            let listed = |rip| last.contains(&format!("  -> {rip}:80 "));
            let there = NAT.servers.iter().filter(|(_, rip)| listed(*rip)).map(|(name, _)| *name);
            (there.collect::<BTreeSet<_>>() == expected).then_some(())
        });
        seen.unwrap_or_else(|error| panic!("{error:#}\n{last}\n{}", self.log()));
    }

    /// What it complained of, and what it noted.
    fn log(&self) -> String {
        let file = self.cluster.topology.lab().directory().join("ldirectord.log");
        self.process.log() + &fs::read_to_string(file).unwrap_or_default()
    }
}

#[test]
fn a_real_server_that_dies_and_returns_leaves_and_reenters_the_table_and_traffic_follows() {
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let [mut first, _second] =
        NAT.servers.map(|(name, _)| Web::start(topology.host(name), &Services::usual()).unwrap());
    let cluster = Cluster::with(topology, Vec::new(), Mode::Native);
    let [one, other] = NAT.servers.map(|(name, _)| name);
    let mut ldirectord = Ldirectord::start(&cluster);

    ldirectord.wait_for(&[one, other]);
    cluster.director.wait_until_resolved().unwrap();
    let listing = cluster.director.ipvsadm("-Ln").unwrap();
    assert!(listing.contains("TCP  192.168.4.5:80 wrr\n"), "{listing}");
    assert_eq!(listing.matches(":80             Masq    2 ").count(), 2, "{listing}");
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));

    first.process().kill().unwrap();
    ldirectord.wait_for(&[other]);
    cluster.client().sequential(NAT.to(80), 10).assert_is(&[(other, 10)]);

    let _again = Web::start(cluster.topology.host(one), &Services::usual()).unwrap();
    ldirectord.wait_for(&[one, other]);
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));

    // It takes away what it made.
    ldirectord.process.signal(Signal::SIGTERM).unwrap();
    let end = ldirectord.process.wait(SOON).unwrap();
    assert!(end.success() || end.signal() == Some(15), "{end}\n{}", ldirectord.log());
    assert_eq!(cluster.director.ipvsadm("-Sn").unwrap(), "", "{}", ldirectord.log());
    assert!(!ldirectord.log().contains("failed"), "no command was: {}", ldirectord.log());
}

#[test]
fn it_and_our_own_health_leave_each_others_services_alone() {
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let start = |name| Web::start(topology.host(name), &Services::usual()).unwrap();
    let [mut nat, _nat] = NAT.servers.map(|(name, _)| start(name));
    let [mut dr, _dr] = DR.servers.map(|(name, _)| start(name));
    let cluster = Cluster::with(topology, Vec::new(), Mode::Native);
    let [(one, _), (other, _)] = NAT.servers;
    cluster.serve(DR, "-t", 80, "-s rr");
    let check = "--check http:/ --check-interval 500ms --fall 1";
    cluster.director.lvs_ctl(&format!("service edit tcp:{}:80 {check}", DR.vip)).unwrap();
    let mut ldirectord = Ldirectord::start(&cluster);
    ldirectord.wait_for(&[one, other]);
    wait_for_ours(&cluster, ["1", "1"]);

    // Ours goes: ldirectord's stay, and its rules are not ours to touch.
    dr.process().kill().unwrap();
    wait_for_ours(&cluster, ["0", "1"]);
    ldirectord.wait_for(&[one, other]);
    // Its own goes: ours is down as before.
    nat.process().kill().unwrap();
    ldirectord.wait_for(&[other]);
    wait_for_ours(&cluster, ["0", "1"]);
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().sequential(NAT.to(80), 6).assert_is(&[(other, 6)]);
    cluster.client().sequential(DR.to(80), 6).assert_is(&[(DR.servers[1].0, 6)]);

    let _again = Web::start(cluster.topology.host(DR.servers[0].0), &Services::usual()).unwrap();
    wait_for_ours(&cluster, ["1", "1"]);
    ldirectord.wait_for(&[other]);
    assert!(!ldirectord.log().contains("failed"), "no command was: {}", ldirectord.log());
}

/// Until the DR cluster's real servers have these weights.
fn wait_for_ours(cluster: &Cluster, weights: [&str; 2]) {
    let mut last = String::new();
    let seen = eventually(&format!("{weights:?}"), SOON, || {
        last = cluster.director.ipvsadm("-Ln").unwrap();
        let weight = |rip: std::net::Ipv4Addr| {
            let line = last.lines().find(|line| line.contains(&format!("-> {rip}:80 ")));
            line.and_then(|line| line.split_whitespace().nth(3)).map(str::to_owned)
        };
        let seen = DR.servers.map(|(_, rip)| weight(rip).unwrap_or_default());
        (seen == weights.map(str::to_owned)).then_some(())
    });
    seen.unwrap_or_else(|error| panic!("{error:#}\n{last}\n{}", cluster.director.log()));
}
