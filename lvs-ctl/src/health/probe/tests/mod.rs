//! Probes against real servers of their protocols, and against bad ones.

mod dns;
mod exec;
mod http;
mod line;
mod tls;

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::model::{
    Dest, DestAddr, Method, Protocol, ServiceId,
    health::{CheckSpec, Via},
};

/// Long enough for anything that answers at all.
const AMPLE: Duration = Duration::from_secs(20);
/// Short enough to wait for what does not.
const SHORT: Duration = Duration::from_millis(150);

/// A check as the file would say it in a table.
fn spec(toml: &str) -> CheckSpec {
    toml::from_str(toml).unwrap()
}

fn errand(endpoint: SocketAddr, check: &Check) -> Errand {
    let (address, port) = (endpoint.ip(), endpoint.port());
    Errand {
        service: ServiceId::Address {
            protocol: Protocol::Tcp,
            address: [192, 0, 2, 1].into(),
            port: 80,
        },
        dest: Dest {
            addr: DestAddr { address, port },
            method: Method::Masq,
            weight: 7,
            upper_threshold: 0,
            lower_threshold: 0,
        },
        via: Via::Direct,
        transport: check.kind.transport(),
        address: None,
        port: None,
    }
}

/// Makes the check of `toml` once, of what is at `endpoint`.
async fn within(timeout: Duration, toml: &str, endpoint: SocketAddr) -> Outcome {
    let check = spec(toml).read().unwrap();
    let probe = build(&check, &Authorities::default()).unwrap();
    let trip = Trip::new(errand(endpoint, &check), Target::plain(endpoint));
    run(&*probe, &trip, timeout).await
}

async fn outcome(toml: &str, endpoint: SocketAddr) -> Outcome {
    within(AMPLE, toml, endpoint).await
}

fn good() -> Outcome {
    Outcome::Good(Good::default())
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}

/// A server that does `talk` with every connection.
async fn server<T, F>(talk: T) -> SocketAddr
where
    T: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    address
}

/// Reads until the empty line that ends the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
