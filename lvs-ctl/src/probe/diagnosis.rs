//! What is wrong where a check through the service failed: what the data path saw of it, and whether the
//! real server answers at its own address.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use lvs_common::{map::Probed, wire::Icmp};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{sleep, timeout},
};

use crate::model::{
    DestAddr, Method, Tunnel,
    health::{Cause, Errand, Transport},
};

/// How long the real server may take to answer at its own address: a SYN may be sent a second time.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a host may take to refuse a datagram.
const REFUSAL: Duration = Duration::from_millis(250);

/// How long more packets are sent into a tunnel of which nobody says anything, and how far apart.
const INSISTENCE: Duration = Duration::from_millis(2500);
const APART: Duration = Duration::from_millis(250);

/// A port that hardly anybody listens at: a host that is there refuses.
pub(super) const DISCARD: u16 = 9;

/// "Destination unreachable" of IPv6 (RFC 4443 §3.1).
const UNREACHABLE_V6: u8 = 1;

/// What a failed check says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing is wrong with the path: what the check says is all.
    Nothing,
    /// This is wrong.
    Wrong(Fault),
    /// Nothing came back at all.
    Silence,
}

/// A [`Cause`] without words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Service,
    Vip,
    Tunnel,
    Gateway,
}

/// The cause, after a look at the real server's own address if that tells more.
///
/// A datagram may get no answer where all is well with the path. So whether the VIP answers TCP is asked
/// first then; and a real server that answers nothing else may be behind a firewall.
/// `tcp` is what the data path saw of the last connection to the stand-in.
pub(super) async fn cause(
    errand: &Errand,
    outcome: Probed,
    stand_in: SocketAddr,
    tcp: impl Fn() -> Probed + Send,
) -> Option<Cause> {
    let is_nat = errand.dest.method == Method::Masq;
    match seen(outcome, is_nat) {
        Seen::Nothing => None,
        Seen::Wrong(fault) => Some(fault.into()),
        Seen::Silence => {
            let DestAddr { address, port } = errand.dest.addr;
            let is_udp = errand.transport == Transport::Udp;
            if is_udp && answers(stand_in.ip(), stand_in.port()).await {
                return Some(Cause::ServiceDown);
            }
            let there = answers(address, port).await;
            if !there && is_udp {
                return None;
            }
            Some(if !there {
                Cause::ServerDown
            } else if let Method::Tunnel(tunnel) = errand.dest.method
                && takes_nothing(tunnel, address, stand_in, tcp).await
            {
                Cause::NoTunnelDevice
            } else if is_nat {
                Cause::WrongGateway
            } else {
                Cause::VipMissing
            })
        }
    }
}

fn seen(outcome: Probed, is_nat: bool) -> Seen {
    let vip = if is_nat { Fault::Gateway } else { Fault::Vip };
    if outcome.untunneled != 0 {
        return Seen::Wrong(Fault::Tunnel);
    }
    if outcome.answered != 0 {
        return if outcome.refused != 0 { Seen::Wrong(Fault::Service) } else { Seen::Nothing };
    }
    if outcome.detoured != 0 {
        return Seen::Wrong(Fault::Gateway);
    }
    if outcome.looped != 0 {
        return Seen::Wrong(Fault::Vip);
    }
    if outcome.unreachable == 0 {
        return Seen::Silence;
    }
    // Nobody at the port or of the protocol, or no such address on the real server, or a firewall's word.
    match (outcome.kind, outcome.code) {
        (Icmp::UNREACHABLE, 2 | 3) | (UNREACHABLE_V6, 4) => Seen::Wrong(Fault::Service),
        (Icmp::UNREACHABLE, 0 | 1) | (UNREACHABLE_V6, 0 | 3) | (Icmp::TIME_EXCEEDED, 0) => {
            Seen::Wrong(vip)
        }
        _ => Seen::Nothing,
    }
}

/// Whether a host is there: it takes a connection, or refuses one.
async fn answers(address: IpAddr, port: u16) -> bool {
    let port = if port == 0 { DISCARD } else { port };
    let connecting = TcpStream::connect(SocketAddr::new(address, port));
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Err(_late) => false,
    }
}

/// Whether a real server says that nobody takes packets out of the tunnel. A host sends an address no
/// more than about one ICMP error a second (`icmp_ratelimit`), and its checks together may ask for more: one
/// silence says little.
async fn takes_nothing(
    tunnel: Tunnel,
    address: IpAddr,
    stand_in: SocketAddr,
    tcp: impl Fn() -> Probed,
) -> bool {
    let insist = async {
        loop {
            if let Tunnel::Gue { port, .. } = tunnel
                && refuses(address, port).await
            {
                return;
            }
            timeout(APART, TcpStream::connect(stand_in)).await.ok();
            if tcp().untunneled != 0 {
                return;
            }
            sleep(APART / 10).await;
        }
    };
    timeout(INSISTENCE, insist).await.is_ok()
}

/// Whether nobody takes datagrams at a port. Of those that go into a tunnel of IPv6 without a checksum a
/// host says nothing; of this one it does.
async fn refuses(address: IpAddr, port: u16) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let asked = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect((address, port)).await?;
        socket.send(&[]).await?;
        socket.recv(&mut [0; 1]).await
    };
    let said = timeout(REFUSAL, asked).await;
    said.is_ok_and(|said| said.is_err_and(|it| it.kind() == ErrorKind::ConnectionRefused))
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Service => Self::ServiceDown,
            Fault::Vip => Self::VipMissing,
            Fault::Tunnel => Self::NoTunnelDevice,
            Fault::Gateway => Self::WrongGateway,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::model::{Dest, Protocol, ServiceId, health::Via};

    const SILENT: Probed = Probed {
        answered: 0,
        refused: 0,
        looped: 0,
        detoured: 0,
        unreachable: 0,
        untunneled: 0,
        kind: 0,
        code: 0,
        from: lvs_common::net::Addr::v4(lvs_common::net::Be32::new(0)),
    };

    #[test]
    fn an_answer_clears_the_path_and_a_refusal_blames_the_service() {
        let answered = Probed { answered: 1, ..SILENT };
        assert_eq!(seen(answered, false), Seen::Nothing);
        assert_eq!(seen(Probed { refused: 1, ..answered }, true), Seen::Wrong(Fault::Service));
    }

    #[test]
    fn what_came_back_another_way_tells_where_it_went_wrong() {
        let looped = Probed { looped: 1, ..SILENT };
        assert_eq!(seen(looped, false), Seen::Wrong(Fault::Vip));
        let detoured = Probed { detoured: 1, refused: 1, ..SILENT };
        assert_eq!(seen(detoured, true), Seen::Wrong(Fault::Gateway));
        let untunneled = Probed { untunneled: 1, kind: 3, code: 2, ..SILENT };
        assert_eq!(seen(untunneled, false), Seen::Wrong(Fault::Tunnel));
        assert_eq!(seen(SILENT, false), Seen::Silence);
    }

    #[test]
    fn an_icmp_error_blames_the_port_or_the_address() {
        let told = |kind, code| Probed { unreachable: 1, kind, code, ..SILENT };
        assert_eq!(seen(told(3, 3), false), Seen::Wrong(Fault::Service));
        assert_eq!(seen(told(1, 4), false), Seen::Wrong(Fault::Service));
        assert_eq!(seen(told(3, 1), false), Seen::Wrong(Fault::Vip));
        assert_eq!(seen(told(3, 1), true), Seen::Wrong(Fault::Gateway));
        assert_eq!(seen(told(3, 13), false), Seen::Nothing);
    }

    #[tokio::test]
    async fn a_port_of_datagrams_refuses_unless_somebody_takes_them() {
        let taking = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = taking.local_addr().unwrap();
        assert!(!refuses(at.ip(), at.port()).await);
        drop(taking);
        assert!(refuses(at.ip(), at.port()).await);
    }

    #[tokio::test]
    async fn a_host_that_seldom_says_that_nobody_takes_packets_out_is_understood() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let addr = DestAddr { address: at.ip(), port: at.port() };
        let method = Method::Tunnel(Tunnel::Ipip);
        let dest = Dest { addr, method, weight: 1, upper_threshold: 0, lower_threshold: 0 };
        let vip = "192.0.2.1".parse().unwrap();
        let service = ServiceId::Address { protocol: Protocol::Tcp, address: vip, port: 80 };
        let errand = Errand {
            service,
            dest,
            via: Via::Service,
            transport: Transport::Tcp,
            address: None,
            port: None,
        };
        let looks = AtomicU32::new(0);
        let told = || match looks.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => SILENT,
            _ => Probed { untunneled: 1, kind: 3, code: 2, ..SILENT },
        };
        assert_eq!(cause(&errand, SILENT, at, told).await, Some(Cause::NoTunnelDevice));
        assert_eq!(cause(&errand, SILENT, at, || SILENT).await, Some(Cause::VipMissing));
    }

    #[tokio::test]
    async fn a_host_that_refuses_is_there() {
        assert!(answers("127.0.0.1".parse().unwrap(), DISCARD).await);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert!(answers(at.ip(), at.port()).await);
    }
}
