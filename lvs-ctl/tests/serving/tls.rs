//! TCP: only over TLS, only with a token.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use lvs_ctl::{
    api::{
        server,
        tls::{self, TlsListener},
        tokens::Tokens,
    },
    dataplane::memory::Memory,
    director::{self, Director},
    model::LoopbackOnly,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};

use crate::http::{Answer, request};

const CHANGE: &str = "authorization: Bearer 0123456789abcdefghij\r\n";
const READ: &str = "authorization: bearer jihgfedcba9876543210\r\n";
const JSON: &str = "content-type: application/json\r\n";

/// A controller over TLS.
struct Remote {
    address: SocketAddr,
    connector: TlsConnector,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    runtime: Runtime,
    _files: TempDir,
}

fn files() -> (TempDir, [PathBuf; 3], CertificateDer<'static>) {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["director.test".to_owned()]).unwrap();
    let paths = ["cert.pem", "key.pem", "tokens"].map(|name| directory.path().join(name));
    let tokens = "deploy change 0123456789abcdefghij\nwatch read jihgfedcba9876543210\n";
    for (path, text) in
        paths.iter().zip([made.cert.pem(), made.signing_key.serialize_pem(), tokens.to_owned()])
    {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let certificate = made.cert.der().clone();
    (directory, paths, certificate)
}

impl Remote {
    fn start() -> Self {
        let (directory, [certificate, key, tokens], root) = files();
        let runtime = Runtime::new().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let acceptor = tls::acceptor(&certificate, &key).unwrap();
        let listener = TlsListener::bind(([127, 0, 0, 1], 0).into(), acceptor);
        let listener = runtime.block_on(listener).unwrap();
        let address = listener.address().unwrap();
        let tokens = Tokens::read(&tokens).unwrap();
        let director =
            Director::new(Memory::default(), Box::new(LoopbackOnly), director::Options::default());
        let serving = runtime.spawn(async move {
            let (handle, _) = director::spawn(director);
            let router = server::router(handle, server::Options::default());
            let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
            tls::serve(listener, router, tokens, stop).await;
        });
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Self { address, connector, stop, serving, runtime, _files: directory }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.runtime.block_on(async {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = "director.test".try_into().unwrap();
            let mut stream = self.connector.connect(name, stream).await.unwrap();
            let text = request(method, path, headers, body);
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            Answer::read(&String::from_utf8(answer).unwrap())
        })
    }
}

#[test]
fn a_token_opens_and_one_for_reading_does_not_change() {
    let remote = Remote::start();
    let status = |headers: &str| remote.ask("GET", "/v1/status", headers, "").status;
    assert_eq!((status(CHANGE), status(READ)), (200, 200));
    let body = json!({"changes": ["flush"]}).to_string();
    let change = |token: &str| {
        let answer = remote.ask("POST", "/v1/changes", &format!("{token}{JSON}"), &body);
        (answer.status, answer.json()["code"].as_str().map(str::to_owned))
    };
    assert_eq!(change(CHANGE), (200, None));
    assert_eq!(change(READ), (403, Some("forbidden".to_owned())));
    assert_eq!(remote.ask("GET", "/metrics", READ, "").status, 200);
}

#[test]
fn without_the_right_token_nothing_is_told() {
    let remote = Remote::start();
    for headers in [
        "",
        "authorization: Bearer 0123456789abcdefghi\r\n",
        "authorization: Bearer 0123456789abcdefghijk\r\n",
        "authorization: Bearer \r\n",
        "authorization: Basic 0123456789abcdefghij\r\n",
        "authorization: 0123456789abcdefghij\r\n",
    ] {
        for path in ["/v1/status", "/metrics", "/nosuch", "/openapi.json"] {
            let answer = remote.ask("GET", path, headers, "");
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("bearer")));
            assert_eq!(answer.json()["code"], "unauthorized");
        }
    }
}

#[test]
fn without_tls_there_is_no_answer() {
    let remote = Remote::start();
    let answer = remote.runtime.block_on(async {
        let mut stream = TcpStream::connect(remote.address).await.unwrap();
        let text = request("GET", "/v1/status", CHANGE, "");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end may come as a reset.
        stream.read_to_end(&mut answer).await.ok();
        answer
    });
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn the_end_is_not_held_up_by_an_idle_client() {
    let remote = Remote::start();
    let Remote { address, connector, stop, serving, runtime, _files } = remote;
    runtime.block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut idle =
            connector.connect("director.test".try_into().unwrap(), stream).await.unwrap();
        let first = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\n{READ}\r\n");
        idle.write_all(first.as_bytes()).await.unwrap();
        assert_eq!(idle.read_u8().await.unwrap(), b'H');
        stop.send_replace(true);
        serving.await.unwrap();
        let mut rest = Vec::new();
        // Closed without TLS' goodbye, perhaps.
        idle.read_to_end(&mut rest).await.ok();
    });
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (_one, [certificate, ..], _) = files();
    let (_other, [_, key, tokens], _) = files();
    assert!(matches!(tls::acceptor(&certificate, &key), Err(tls::TlsError::Pair(_))));
    assert!(tls::acceptor(&tokens, &key).is_err());
}
