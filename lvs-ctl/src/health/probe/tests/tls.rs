use std::{fs, sync::Arc};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::*;
use crate::model::health::{CertificateFault, Warning};

/// An authority, with its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut params = CertificateParams::default();
        // No two have the same name.
        let name = directory.path().to_str().unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    /// A web server of this name whose certificate ends in `year`.
    async fn server(&self, name: &str, year: i32) -> SocketAddr {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        self.server_with(params).await
    }

    async fn server_with(&self, params: CertificateParams) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        server(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _length = stream.read(&mut [0; 1000]).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.ok();
                stream.shutdown().await.ok();
            }
        })
        .await
    }

    /// A check that verifies.
    fn check(&self, name: &str) -> String {
        let path = self.directory.path().join("ca.pem");
        format!("type = \"https\"\nhost = \"{name}\"\nverify = true\nca = \"{}\"", path.display())
    }
}

fn bad(fault: CertificateFault) -> Outcome {
    failed(Failure::Certificate(fault))
}

#[tokio::test]
async fn a_certificate_is_verified_if_that_is_asked_for() {
    let authority = Authority::new();
    let at = authority.server("www.example.com", 2200).await;
    assert_eq!(outcome(&authority.check("www.example.com"), at).await, good());
    let other = authority.check("other.example.com");
    assert_eq!(outcome(&other, at).await, bad(CertificateFault::WrongName));
    let stranger = Authority::new();
    let outcome_of = outcome(&stranger.check("www.example.com"), at).await;
    assert_eq!(outcome_of, bad(CertificateFault::UnknownIssuer));
    assert_eq!(outcome("type = \"https\"", at).await, good(), "nobody asked");
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_a_failure_or_a_warning() {
    let authority = Authority::new();
    let at = authority.server("www.example.com", 2020).await;
    let outcome_of = outcome(&authority.check("www.example.com"), at).await;
    assert_eq!(outcome_of, bad(CertificateFault::Expired));
    let Outcome::Good(good) = outcome("type = \"https\"", at).await else { panic!("not verified") };
    let Some(Warning::CertificateExpiry { hours }) = good.warning else { panic!("no warning") };
    assert!(hours < 0, "{hours}");
}

#[tokio::test]
async fn a_certificate_that_is_an_authoritys_is_called_so() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(vec!["www.example.com".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let at = authority.server_with(params).await;
    let outcome_of = outcome(&authority.check("www.example.com"), at).await;
    assert_eq!(outcome_of, bad(CertificateFault::Authority));
}

#[tokio::test]
async fn what_does_not_speak_tls_fails_in_tls() {
    let at = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        let _length = stream.read(&mut [0; 1000]).await;
    })
    .await;
    assert!(matches!(outcome("type = \"https\"", at).await, Outcome::Failed(Failure::Tls(_))));
    let silent = server(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let outcome_of = within(SHORT, "type = \"https\"", silent).await;
    assert_eq!(outcome_of, failed(Failure::Timeout(Stage::Tls)));
}

#[tokio::test]
async fn authorities_that_cannot_be_read_say_nothing_of_the_real_server() {
    let at = Authority::new().server("www.example.com", 2200).await;
    let toml = "type = \"https\"\nverify = true\nca = \"/nosuch/ca.pem\"";
    let Outcome::Unchecked(words) = outcome(toml, at).await else { panic!("it was checked") };
    assert_eq!(words, "/nosuch/ca.pem: No such file or directory");
}
