//! Health checks through services: what is right is reached, and of what is not the true cause is told, for
//! every forwarding method and both families.
//!
//! ```text
//!               ok: VIP, tunnels   open: tunnels   bare   mute (link down)
//!                 └───────────────────┴──── lan4 ────┴──────┘
//!                                       director    router
//!                 ┌────────────┬─────────── lan2 ──────┤
//!               nat          lost: no gateway       stray: the router is its gateway
//! ```

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use lvs_ctl::{
    dataplane::{
        DataPlane as _,
        kernel::{Kernel, load},
    },
    director::{self, ChangeRequest, Handle, Options, ThisHost},
    health::ways::Ways,
    model::{
        Carrier, Change, Checksum, Dest, DestAddr, Hook, Interface, Method, Network, Protocol,
        SchedulerFlags, Service, ServiceId, StandIns, Tunnel,
        health::{Cause, Errand, NoWay, Transport, Via},
    },
    netlink::{Rtnetlink, link, probe},
    probe::ThroughService,
    resolve,
};
use lvs_tests::{prelude::*, tunnel::GUE_PORT};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};

/// A check's patience.
const PATIENCE: Duration = Duration::from_millis(800);

/// Who is where: hosts on lan4 and lan2, by their number.
const NEAR: [(&str, u8); 4] = [("ok", 21), ("open", 22), ("bare", 23), ("mute", 24)];
const BEHIND: [(&str, u8); 3] = [("nat", 31), ("lost", 32), ("stray", 33)];
const NOBODY: u8 = 99;
const VIP: u8 = 15;
const NAT_VIP: u8 = 16;

/// Where datagrams are taken.
const SINK: u16 = 5300;

const GUE: Tunnel = Tunnel::Gue { port: GUE_PORT, checksum: Checksum::None };
const GRE: Tunnel = Tunnel::Gre { checksum: Checksum::None };
/// Methods to real servers on lan4, and the port of the service that has each.
const METHODS: [(Method, u16); 4] = [
    (Method::DirectRoute, 80),
    (Method::Tunnel(Tunnel::Ipip), 8001),
    (Method::Tunnel(GUE), 8002),
    (Method::Tunnel(GRE), 8003),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    V4,
    V6,
}

impl Net {
    fn at(self, network: u8, host: u8) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(192, 168, network, host).into(),
            Self::V6 => Ipv6Addr::new(0xfd00, network.into(), 0, 0, 0, 0, 0, host.into()).into(),
        }
    }
}

const BOTH: [Net; 2] = [Net::V4, Net::V6];

fn topology() -> Topology {
    let link = |interface: &str, switch: &str, network, host| {
        BOTH.into_iter().fold(
            LinkPlan::new(interface, switch).offload(Offload::Prepared),
            |link, net| {
                let length = if net == Net::V4 { 24 } else { 64 };
                link.address(&format!("{}/{length}", net.at(network, host)))
            },
        )
    };
    let mut front = link("eth0", "lan4", 4, 5);
    for vip in [VIP, NAT_VIP] {
        // Of its own packets a VIP is never the source.
        front = front
            .address(&format!("{}/32", Net::V4.at(4, vip)))
            .address(&format!("{}/128 preferred_lft 0", Net::V6.at(4, vip)));
    }
    let via = |host: HostPlan, gateway| {
        BOTH.iter()
            .fold(host, |host, net| host.route(&format!("default via {}", net.at(2, gateway))))
    };
    let forwards = |host: HostPlan| {
        host.sysctl("net.ipv4.ip_forward", "1").sysctl("net.ipv6.conf.all.forwarding", "1")
    };
    let director = HostPlan::new("director").link(front).link(link("eth1", "lan2", 2, 1));
    let router =
        HostPlan::new("router").link(link("eth0", "lan4", 4, 9)).link(link("eth1", "lan2", 2, 9));
    let mut plan =
        Plan::new().switch("lan4").switch("lan2").host(forwards(director)).host(forwards(router));
    for (name, number) in NEAR {
        let mut host = HostPlan::new(name)
            .link(link("eth0", "lan4", 4, number))
            .sysctl("net.ipv4.conf.all.arp_ignore", "1")
            .sysctl("net.ipv4.conf.all.arp_announce", "2");
        if name == "ok" {
            host = host
                .loopback(&format!("{}/32", Net::V4.at(4, VIP)))
                .loopback(&format!("{}/128", Net::V6.at(4, VIP)));
        }
        plan = plan.host(host);
    }
    for (name, number) in BEHIND {
        let host = HostPlan::new(name).link(link("eth0", "lan2", 2, number));
        plan = plan.host(match name {
            "nat" => via(host, 1),
            "stray" => via(host, 9),
            _ => host,
        });
    }
    plan.build().unwrap()
}

/// One check and what is to come of it.
#[derive(Clone, Debug)]
struct Case {
    errand: Errand,
    /// Who answers, or what is wrong.
    wanted: Result<&'static str, Cause>,
}

fn cases(net: Net) -> Vec<Case> {
    let near = |name| net.at(4, NEAR.iter().find(|(it, _)| *it == name).unwrap().1);
    let behind = |name| net.at(2, BEHIND.iter().find(|(it, _)| *it == name).unwrap().1);
    let mut cases = Vec::new();
    let mut add = |method, vip, port, rip, wanted| {
        let (protocol, transport) = match port {
            SINK => (Protocol::Udp, Transport::Udp),
            _ => (Protocol::Tcp, Transport::Tcp),
        };
        let service = ServiceId::Address { protocol, address: net.at(4, vip), port };
        let addr = DestAddr { address: rip, port };
        let dest = Dest { addr, method, weight: 1, upper_threshold: 0, lower_threshold: 0 };
        let errand =
            Errand { service, dest, via: Via::Service, transport, address: None, port: None };
        cases.push(Case { errand, wanted });
    };
    for (method, port) in METHODS {
        let is_direct = method == Method::DirectRoute;
        let no_tunnel = if is_direct { Cause::VipMissing } else { Cause::NoTunnelDevice };
        add(method, VIP, port, near("ok"), Ok("ok"));
        add(method, VIP, port, near("bare"), Err(no_tunnel));
        add(method, VIP, port, near("open"), Err(Cause::VipMissing));
        add(method, VIP, port, near("mute"), Err(Cause::ServerDown));
    }
    add(Method::Masq, NAT_VIP, 80, behind("nat"), Ok("nat"));
    add(Method::Masq, NAT_VIP, 80, behind("lost"), Err(Cause::WrongGateway));
    add(Method::Masq, NAT_VIP, 80, behind("stray"), Err(Cause::WrongGateway));
    // Datagrams that somebody takes and nobody answers.
    for (name, cause) in [("ok", Cause::ServiceDown), ("bare", Cause::VipMissing)] {
        add(Method::DirectRoute, VIP, SINK, near(name), Err(cause));
    }
    // Nobody listens there.
    add(Method::DirectRoute, VIP, 81, near("ok"), Err(Cause::ServiceDown));
    add(Method::Masq, NAT_VIP, 81, behind("nat"), Err(Cause::ServiceDown));
    let silent = match net {
        Net::V4 => "does not answer ARP on eth0",
        Net::V6 => "does not answer neighbour discovery on eth0",
    };
    let nobody = net.at(4, NOBODY);
    let no_route = Cause::NoRoute(format!("{nobody} {silent}"));
    add(Method::DirectRoute, VIP, 80, nobody, Err(no_route));
    cases
}

#[test]
fn the_true_cause_is_told_in_native_mode() {
    told(Hook::Native);
}

#[test]
fn the_true_cause_is_told_in_generic_mode() {
    told(Hook::Generic);
}

fn told(hook: Hook) {
    let topology = topology();
    let http: Vec<u16> = METHODS.iter().map(|(_, port)| *port).collect();
    let hosts = NEAR.iter().chain(&BEHIND).map(|(name, _)| topology.host(name));
    let web = hosts.map(|host| {
        Web::start(host, &Services { http: http.clone(), echo: vec![], udp: vec![], sctp: vec![] })
            .unwrap()
    });
    let _web: Vec<_> = web.collect();
    let _ends = ["ok", "open"].map(|name| TunnelEnd::start(topology.host(name)).unwrap());
    let sink =
        |name| topology.host(name).netns().run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, SINK)));
    let _sinks = ["ok", "bare"].map(|name| sink(name).unwrap());
    let mute = topology.host("mute");
    let mac = mute.mac("eth0").unwrap();
    let director = topology.host("director").netns();
    for net in BOTH {
        let rip = net.at(4, NEAR[3].1);
        director.ip(&[format!("neigh replace {rip} lladdr {mac} dev eth0 nud permanent")]).unwrap();
    }
    mute.netns().ip(&["link set eth0 down"]).unwrap();
    let pin_dir = topology.lab().mount_bpffs().unwrap().join("inside");
    let cases: Vec<Case> = BOTH.into_iter().flat_map(cases).collect();
    let wrong = director.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(direct(hook, pin_dir, cases))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs a director in this process and all checks at once; those that came out another way.
async fn direct(hook: Hook, pin_dir: std::path::PathBuf, cases: Vec<Case>) -> Vec<String> {
    let options = load::Options { pin_dir, connections: 1024, connections6: 1024 };
    let mut kernel = Kernel::new(&options).unwrap();
    let mut network = Network::default();
    for interface in ["eth0", "eth1"] {
        kernel.attach(interface, hook, "to be tried".to_owned()).unwrap();
        let link = link::by_name(interface).await.unwrap().unwrap();
        let found = Interface {
            name: link.name,
            mac: link.mac,
            mtu: link.mtu,
            kind: link.kind,
            under: None,
            master: None,
        };
        network.interfaces.insert(link.index, found);
        network.carriers.insert(link.index, Carrier { hook, reflects: false });
    }
    kernel.set_network(&network).unwrap();
    let (_tell, told) = watch::channel(network);
    let device = probe::set_up("a test", StandIns::default()).await.unwrap();
    kernel.probe_by(device.far, StandIns::default()).unwrap();
    let probing = kernel.probing().unwrap();
    let owner = director::Director::new(kernel, Box::new(ThisHost::new()), Options::default());
    let (handle, thread) = director::spawn(owner);
    let resolving = resolve::run(handle.clone(), Rtnetlink::start().unwrap(), told.clone());
    let resolving = tokio::spawn(resolving);
    add(&handle, &cases).await;

    let ways = Arc::new(ThroughService::new(probing, &handle, told));
    let mut running = tokio::task::JoinSet::new();
    for case in cases {
        let ways = Arc::clone(&ways);
        running.spawn(async move { check(&*ways, &case).await.err().map(|was| (case, was)) });
    }
    let wrong = running.join_all().await.into_iter().flatten();
    let wrong = wrong.map(|(case, was)| format!("{was}: {case:?}")).collect();
    probe::remove("a test").await.unwrap();
    resolving.abort();
    resolving.await.ok();
    drop((ways, handle));
    tokio::task::spawn_blocking(move || thread.join()).await.unwrap().unwrap();
    Kernel::detach(&options.pin_dir).unwrap();
    wrong
}

/// Adds all services and real servers, and waits until it is known how each is reached.
async fn add(handle: &Handle, cases: &[Case]) {
    let mut changes = Vec::new();
    let mut known = BTreeSet::new();
    for Case { errand, .. } in cases {
        if known.insert(errand.service) {
            changes.push(Change::AddService(Service {
                id: errand.service,
                scheduler: "rr".into(),
                scheduler_flags: SchedulerFlags::default(),
                persistence: None,
                engine: None,
                one_packet: false,
            }));
        }
        changes.push(Change::AddDest { service: errand.service, dest: errand.dest });
    }
    let request = ChangeRequest { changes, all_or_nothing: true, if_revision: None };
    handle.change(request).await.unwrap();
    let mut wanted = handle.wanted();
    let settled = wanted.wait_for(|wanted| wanted.unknown == 0);
    timeout(Duration::from_secs(10), settled).await.unwrap().unwrap();
}

async fn check(ways: &impl Ways, case: &Case) -> Result<(), String> {
    let errand = &case.errand;
    let found = match ways.way(errand) {
        Ok(target) => match timeout(PATIENCE, ask(errand.transport, target.endpoint)).await {
            Ok(Ok(name)) => Ok(name),
            failed => {
                // An error may be on its way.
                sleep(Duration::from_millis(50)).await;
                Err(ways.diagnose(errand).await.ok_or(format!("{failed:?}, and no cause"))?)
            }
        },
        Err(NoWay::Broken(why)) => Err(why),
        Err(NoWay::Unknown(why)) => return Err(why),
    };
    let wanted = case.wanted.clone().map(str::to_owned);
    if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
}

/// The name of who answers.
async fn ask(transport: Transport, endpoint: SocketAddr) -> std::io::Result<String> {
    if transport == Transport::Udp {
        let any: IpAddr = match endpoint {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = tokio::net::UdpSocket::bind((any, 0)).await?;
        socket.connect(endpoint).await?;
        socket.send(b"?").await?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).await?;
        return Ok(String::from_utf8_lossy(&answer[..length]).into_owned());
    }
    let mut stream = TcpStream::connect(endpoint).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}
