//! The lab itself, without a director's program: it stands, it does what it says, it goes.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lvs_tests::{
    capture,
    layout::{CLIENT, DR_SERVERS, DR_VIP, NAT_GATEWAY, NAT_SERVERS, NAT_VIP},
    offload::{self, Feature},
    prelude::*,
};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn in_the_nat_cluster_a_client_reaches_real_servers_through_the_director_as_router() {
    let topology = Topology::nat(Offload::Untouched).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let host = topology.host("client");
    host.netns().ip(&[format!("route add 192.168.2.0/24 via {NAT_VIP}")]).unwrap();
    for (name, rip) in NAT_SERVERS {
        host.client().ping(rip).unwrap();
        let answer = host.client().get((rip, 80), "/").unwrap();
        assert_eq!(answer.header("x-local"), format!("{rip}:80"));
        assert!(answer.header("x-client").starts_with(&format!("{CLIENT}:")));
        assert_eq!(answer.name().unwrap(), name);
    }
    topology.host("nat-100").client().ping(NAT_GATEWAY).unwrap();
}

#[test]
fn in_the_dr_cluster_everybody_is_a_neighbour() {
    let topology = Topology::dr(Offload::Prepared).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let client = topology.host("client").client();
    client.ping(DR_VIP).unwrap();
    for (name, rip) in DR_SERVERS {
        client.ping(rip).unwrap();
        client.sequential((rip, 80), 3).assert_is(&[(name, 3)]);
    }
}

#[test]
fn with_default_sysctls_a_dr_real_server_would_answer_arp_for_the_vip_and_with_the_manuals_it_does_not()
 {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let mac = |host| topology.host(host).mac("eth0").unwrap();
    let director = BTreeSet::from([mac("director")]);
    assert_eq!(who_answers_arp_for_the_vip(&topology), director);
    for (name, _) in DR_SERVERS {
        topology.host(name).netns().sysctl("net.ipv4.conf.all.arp_ignore", "0").unwrap();
    }
    let everybody = BTreeSet::from([mac("director"), mac("dr-100"), mac("dr-200")]);
    assert_eq!(who_answers_arp_for_the_vip(&topology), everybody);
}

fn who_answers_arp_for_the_vip(topology: &Topology) -> BTreeSet<String> {
    let host = topology.host("client");
    host.netns().ip(&["neigh flush dev eth0"]).unwrap();
    let capture = Capture::start(host.netns(), "eth0").unwrap();
    // A real server that answers the ping has seen the ARP request for the VIP, sent before it.
    host.client().ping(DR_VIP).unwrap();
    for (_, rip) in DR_SERVERS {
        host.client().ping(rip).unwrap();
    }
    let frames = capture.stop().unwrap();
    // ARP over Ethernet (RFC 826): operation 2 is a reply, the sender's MAC and address follow.
    let replies = frames.iter().map(Frame::bytes).filter(|frame| {
        frame.get(12..14) == Some(&[0x08, 0x06])
            && frame.get(20..22) == Some(&[0, 2])
            && frame.get(28..32) == Some(&DR_VIP.octets())
    });
    let mac = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    replies.map(|frame| mac(&frame[22..28]).join(":")).collect()
}

#[test]
fn prepared_and_untouched_links_differ_in_gro_and_checksum_offload_at_the_switch() {
    for (setting, tx, gro) in [(Offload::Untouched, true, false), (Offload::Prepared, false, true)]
    {
        let topology = Topology::dr(setting).unwrap();
        topology.switch("lan4").run(|| {
            assert_eq!(offload::is_on("director.eth0", Feature::TxChecksum).unwrap(), tx);
            assert_eq!(offload::is_on("director.eth0", Feature::Gro).unwrap(), gro);
            assert!(offload::is_on("client.eth0", Feature::TxChecksum).unwrap());
        });
    }
}

#[test]
fn a_big_transfer_is_checked_byte_by_byte_in_both_directions() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let web = topology.serve(&Services::usual()).unwrap();
    let (name, rip) = DR_SERVERS[0];
    let client = topology.host("client").client();
    let downloaded = client.download((rip, 80), 100_000_000).unwrap();
    assert_eq!((downloaded.server.as_str(), downloaded.bytes), (name, 100_000_000));
    assert_eq!(client.upload((rip, 80), 50_000_000).unwrap().status(), 200);
    drop(web);
    client.download((rip, 80), 1).unwrap_err();
}

#[test]
fn a_transfer_at_a_rate_can_be_watched_and_fails_when_its_server_dies() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let mut web = Web::start(topology.host(DR_SERVERS[0].0), &Services::usual()).unwrap();
    let client = topology.host("client").client();
    let to = (DR_SERVERS[0].1, 80);
    let download = client.start_download(to, 50_000_000, Some(10_000_000)).unwrap();
    download.wait_until(2_000_000, SOON).unwrap();
    assert!(download.received() < 50_000_000);
    web.process().kill().unwrap();
    let error = download.finish().unwrap_err();
    assert!(format!("{error:#}").contains("of 50000000 bytes"), "{error:#}");
}

#[test]
fn tcp_and_udp_echoes_answer_their_name_from_the_address_asked() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let (name, rip) = DR_SERVERS[1];
    let client = topology.host("client").client();
    assert_eq!(client.tcp_echo((rip, 3306), b"select 1").unwrap(), name);
    for size in [0, 1, 700, 1400, 9000] {
        assert_eq!(client.udp((rip, 53), &vec![b'x'; size]).unwrap().server, name);
    }
    // As a DR director would send it: to the VIP, which is on the real server's lo.
    topology.host("client").netns().ip(&[format!("route add {DR_VIP} via {rip}")]).unwrap();
    let answer = client.udp((DR_VIP, 53), b"who?").unwrap();
    assert_eq!((answer.server.as_str(), answer.from), (name, (DR_VIP, 53).into()));
    client.datagrams((DR_VIP, 53), 50, b"?").assert_is(&[(name, 50)]);
}

#[test]
fn clients_in_parallel_are_all_answered_and_source_ports_can_be_chosen() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let (name, rip) = DR_SERVERS[0];
    let client = topology.host("client").client();
    client.parallel((rip, 80), 1000, 8).assert_is(&[(name, 1000)]);
    let answer = client.clone().from_port(5001).get((rip, 80), "/").unwrap();
    assert_eq!(answer.header("x-client"), format!("{CLIENT}:5001"));
    // The same ports twice: the first connections are over on the client's side.
    for _ in 0..2 {
        client.clone().from_port(6000).sequential((rip, 80), 20).assert_is(&[(name, 20)]);
    }
    let refused = client.sequential((rip, 81), 50);
    let (last, failures) = refused.failures().split_last().unwrap();
    assert_eq!((refused.answered(), failures.len()), (0, 10));
    assert!(failures.iter().all(|failure| failure.contains("Connection refused")), "{refused}");
    assert_eq!(last, "no further attempt after 10 failures");
}

#[test]
fn the_real_curl_understands_the_server() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let (name, rip) = DR_SERVERS[0];
    let client = topology.host("client").client();
    let twice = client.curl(&[&format!("http://{rip}/"), &format!("http://{rip}/")]).unwrap();
    assert_eq!(twice, format!("{name}\n{name}\n"));
    let head = client.curl(&["--head", &format!("http://{rip}/bytes/1000")]).unwrap();
    assert!(head.contains("Content-Length: 1000"), "{head}");
    // Long enough for curl to wait for "100 Continue".
    let file = topology.lab().directory().join("body");
    fs::write(&file, vec![b'x'; 2_000_000]).unwrap();
    let (body, url) = (format!("@{}", file.display()), format!("http://{rip}/"));
    let told = client.curl(&["--data-binary", &body, &url]).unwrap();
    assert!(told.starts_with("2000000 "), "{told}");
    client.curl(&[&format!("http://{rip}/nothing")]).unwrap_err();
}

#[test]
fn topologies_with_the_same_addresses_do_not_meet() {
    let topologies: Vec<_> = (0..3).map(|_| Topology::dr(Offload::Untouched).unwrap()).collect();
    let (name, rip) = DR_SERVERS[0];
    // Only in the second one somebody serves.
    let _web = topologies[1].serve(&Services::usual()).unwrap();
    let ask = |topology: &Topology| topology.host("client").client().sequential((rip, 80), 5);
    assert_eq!(ask(&topologies[0]).answered(), 0);
    ask(&topologies[1]).assert_is(&[(name, 5)]);
    assert_eq!(ask(&topologies[2]).answered(), 0);
}

#[test]
fn a_dropped_topology_leaves_no_namespace_process_or_directory() {
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let mut web = topology.serve(&Services::usual()).unwrap();
    let ours = web[0].process().pid();
    // One that nobody holds, which went to live in a session of its own.
    let host = topology.host("client").netns();
    host.exec(&["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"]).unwrap();
    let look = || host.processes().first().copied();
    let stray = eventually("the sleep runs", SOON, look).unwrap();
    let names: Vec<_> =
        topology.hosts().map(|host| format!("/run/netns/{}", host.netns().name())).collect();
    let directory = topology.lab().directory().to_owned();
    topology.lab().mount_bpffs().unwrap();
    assert!(names.len() == 6 && names.iter().all(|name| Path::new(name).exists()));
    drop(web);
    drop(topology);
    assert!(names.iter().all(|name| !Path::new(name).exists()));
    assert!(!directory.exists());
    assert!(!Path::new(&format!("/proc/{ours}/ns")).exists());
    assert!(fs::metadata(format!("/proc/{stray}/ns/net")).is_err(), "{stray} still runs");
}

#[test]
fn what_a_signal_or_a_kill_interrupts_is_removed() {
    for signal in ["INT", "TERM"] {
        let mut other = stand();
        send(&other, signal);
        assert!(!other.wait().unwrap().success());
        assert_eq!(left_by(&other), Vec::<String>::new(), "after SIG{signal}");
    }
    let mut killed = stand();
    send(&killed, "KILL");
    killed.wait().unwrap();
    assert!(!left_by(&killed).is_empty(), "a kill leaves no time to clean up");
    // The next one sweeps; this process has swept before.
    let mut next = stand();
    assert_eq!(left_by(&killed), Vec::<String>::new(), "after the next lab has been made");
    send(&next, "INT");
    next.wait().unwrap();
}

/// Another process with a whole lab, ready.
fn stand() -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab-peer"))
        .args(["stand", "manual"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.take_while(|line| line != "ready").count(), 6);
    child
}

pub(crate) fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
}

/// Names of namespaces and lab directories of that process.
pub(crate) fn left_by(child: &Child) -> Vec<String> {
    let names = |directory| fs::read_dir(directory).unwrap().flatten();
    let names = names("/run/netns").chain(names("/run/lvs-lab"));
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let (namespace, directory) = (format!("lvs-lab-{}-", child.id()), format!("{}-", child.id()));
    names.filter(|name| name.starts_with(&namespace) || name.starts_with(&directory)).collect()
}

#[test]
fn a_capture_holds_every_frame_and_tshark_finds_the_one_with_a_bad_checksum() {
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let _web = topology.serve(&Services::usual()).unwrap();
    let (name, rip) = DR_SERVERS[0];
    let client = topology.host("client");
    let capture = Capture::start(client.netns(), "eth0").unwrap();
    client.client().datagrams((rip, 53), 20, b"odd").assert_is(&[(name, 20)]);
    client.client().download((rip, 80), 1_000_000).unwrap();
    let frames = capture.stop().unwrap();
    let udp = |frame: &&Frame| frame.bytes().get(23) == Some(&17);
    assert_eq!(frames.iter().filter(udp).filter(|frame| frame.is_sent()).count(), 20);
    assert_eq!(frames.iter().filter(udp).filter(|frame| !frame.is_sent()).count(), 20);
    assert!(frames.iter().any(Frame::is_pending), "veth leaves checksums to the device");
    let file = topology.lab().directory().join("client.pcap");
    frames.save(&file).unwrap();
    assert_eq!(capture::faults(&file).unwrap(), Vec::<String>::new());
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|window| window == b"odd").unwrap();
    bytes[at] = b'O';
    fs::write(&file, bytes).unwrap();
    let faults = capture::faults(&file).unwrap();
    assert!(faults.len() == 1 && faults[0].contains("Bad checksum"), "{faults:?}");
}
