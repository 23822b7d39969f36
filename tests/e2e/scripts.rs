//! Shell scripts of operators and of other programs, on top of our ipvsadm.

use std::fs;

use lvs_tests::{prelude::*, process::Process, web::Web};

use crate::cluster::{Cluster, DR, NAT, SOON};

/// The health check of the operator's manual: who does not answer is taken out, who answers again is put back.
const HEALTH: &str = r#"
ipvsadm -A -t $VIP:80 -s wrr
while :; do
    for rip in $RIPS; do
        if curl --silent --max-time 1 --output /dev/null http://$rip/; then
            ipvsadm -Ln | grep --quiet "$rip:80 " || ipvsadm -a -t $VIP:80 -r $rip:80 -m -w 1
        else
            ipvsadm -Ln | grep --quiet "$rip:80 " && ipvsadm -d -t $VIP:80 -r $rip:80
        fi
    done
    sleep 0.2
done
"#;

/// What CTDB does when its nodes have found each other: every port of an address, a client stays where it was.
const NODES: &str = r"
ipvsadm -D -t $VIP 2>/dev/null
ipvsadm -D -u $VIP 2>/dev/null
set -e
ipvsadm -A -t $VIP -p 1999999 -s lc
ipvsadm -A -u $VIP -p 1999999 -s lc
for rip in $RIPS; do
    ipvsadm -a -t $VIP -r $rip -g
    ipvsadm -a -u $VIP -r $rip -g
done
ipvsadm -a -t $VIP -r 127.0.0.1
ipvsadm -a -u $VIP -r 127.0.0.1
ipvsadm -l -n -t $VIP
";

#[test]
fn a_loop_of_curl_and_ipvsadm_takes_a_dead_real_server_out_and_puts_it_back() {
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let [mut first, _second] =
        NAT.servers.map(|(name, _)| Web::start(topology.host(name), &Services::usual()).unwrap());
    let cluster = Cluster::with(topology, Vec::new(), Mode::Native);
    let [(one, _), (other, _)] = NAT.servers;
    let log = cluster.topology.lab().directory().join("health.log");
    let mut command = cluster.director.command("bash");
    command.args(["-c", HEALTH]).env("VIP", NAT.vip.to_string());
    command.env("RIPS", NAT.servers.map(|(_, rip)| rip.to_string()).join(" "));
    let script = Process::start(command, &log).unwrap();

    wait_for(&cluster, [true, true]);
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    first.process().kill().unwrap();
    wait_for(&cluster, [false, true]);
    cluster.client().sequential(NAT.to(80), 10).assert_is(&[(other, 10)]);
    let _again = Web::start(cluster.topology.host(one), &Services::usual()).unwrap();
    wait_for(&cluster, [true, true]);
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    assert_eq!(script.log(), "", "ipvsadm has nothing to say to the script");
}

/// Until just these of the NAT cluster's real servers are there and reached.
fn wait_for(cluster: &Cluster, expected: [bool; 2]) {
    let mut last = String::new();
    let seen = eventually("the script has done its work", SOON, || {
        last = cluster.director.ipvsadm("-Ln").unwrap();
        let there = NAT.servers.map(|(_, rip)| last.contains(&format!("-> {rip}:80 ")));
        (there == expected).then_some(())
    });
    seen.unwrap_or_else(|error| panic!("{error:#}\n{last}"));
    cluster.director.wait_until_resolved().unwrap();
}

#[test]
fn the_lines_of_ctdb_make_every_port_of_an_address_persistent() {
    let cluster = Cluster::manual(Mode::Native);
    let script = cluster.topology.lab().directory().join("nodes.sh");
    let rips = DR.servers.map(|(_, rip)| rip.to_string()).join(" ");
    fs::write(&script, format!("VIP={}\nRIPS='{rips}'\n{NODES}", DR.vip)).unwrap();
    // Twice: the second time over what the first has made.
    for _ in 0..2 {
        let listing = cluster.director.shell("bash nodes.sh").unwrap().ok().unwrap();
        let reals = ["127.0.0.1:0                  Route ", "192.168.4.200:0              Route "];
        assert!(listing.contains("TCP  192.168.4.15:0 lc persistent 1999999\n"), "{listing}");
        assert!(reals.iter().all(|real| listing.contains(real)), "{listing}");
    }
    let without =
        "ipvsadm -d -t 192.168.4.15 -r 127.0.0.1; ipvsadm -d -u 192.168.4.15 -r 127.0.0.1";
    cluster.director.shell(without).unwrap().ok().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    let first = cluster.client().get(DR.to(80), "/").unwrap().name().unwrap();
    cluster.client().sequential(DR.to(80), 9).assert_is(&[(first.as_str(), 9)]);
}
