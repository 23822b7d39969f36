//! TLS as a check speaks it: any certificate will do unless it is to be verified.

use std::{
    collections::HashMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
        SignatureScheme,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    },
};

use super::{Trouble, expiry, words};
use crate::model::health::{self, CertificateFault, Failure, Span, Stage, Warning};

/// Where systems keep the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS set-ups, one for each file of authorities; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Arc<Mutex<HashMap<Trust, Arc<ClientConfig>>>>);

/// Whose certificates are good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Trust {
    Anybody,
    System,
    File(PathBuf),
}

/// The client's side of one check.
#[derive(Debug)]
pub(super) struct Client {
    trust: Trust,
    sni: Option<String>,
    expiry_warning: Span,
    authorities: Authorities,
}

impl Client {
    pub(super) fn new(tls: &health::Tls, authorities: Authorities) -> Self {
        let trust = match (tls.verify, &tls.ca) {
            (false, _) => Trust::Anybody,
            (true, None) => Trust::System,
            (true, Some(path)) => Trust::File(path.clone()),
        };
        let health::Tls { sni, expiry_warning, .. } = tls.clone();
        Self { trust, sni, expiry_warning, authorities }
    }

    /// Agrees with the server on TLS.
    pub(super) async fn agree(
        &self,
        stream: TcpStream,
        address: IpAddr,
    ) -> Result<(TlsStream<TcpStream>, Option<Warning>), Trouble> {
        let config = self.authorities.get(&self.trust).map_err(Trouble::Own)?;
        let name = match &self.sni {
            Some(name) => ServerName::try_from(name.clone())
                .map_err(|_no_name| Trouble::Own(format!("`{name}' is no name in TLS")))?,
            None => ServerName::IpAddress(address.into()),
        };
        let agreed = TlsConnector::from(config).connect(name, stream).await;
        let stream = agreed.map_err(|error| trouble(&error))?;
        let warning = self.warning(&stream);
        Ok((stream, warning))
    }

    fn warning(&self, stream: &TlsStream<TcpStream>) -> Option<Warning> {
        let certificate = stream.get_ref().1.peer_certificates()?.first()?;
        let end_s = expiry::not_after(certificate)?;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let left_s = end_s - i64::try_from(now_s).ok()?;
        let warned_s = i64::try_from(self.expiry_warning.as_ms() / 1000).ok()?;
        (left_s < warned_s).then(|| Warning::CertificateExpiry { hours: left_s.div_euclid(3600) })
    }
}

impl Authorities {
    fn get(&self, trust: &Trust) -> Result<Arc<ClientConfig>, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(trust) {
            return Ok(config.clone());
        }
        let config = Arc::new(trust.config()?);
        known.insert(trust.clone(), config.clone());
        Ok(config)
    }
}

impl Trust {
    fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = match self {
            Self::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth(),
            Self::System => {
                let found = SYSTEM.iter().map(Path::new).find(|path| path.exists());
                let path = found.ok_or("the system has no file of authorities")?;
                builder.with_root_certificates(roots(path)?).with_no_client_auth()
            }
            Self::File(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
        };
        // Every check is to see the certificate.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let unusable = |why: String| format!("{}: {why}", path.display());
    let text = fs::read(path).map_err(|error| unusable(words(&error)))?;
    let certificates = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok);
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(unusable("no authority is in it".to_owned()));
    }
    Ok(roots)
}

fn trouble(error: &std::io::Error) -> Trouble {
    let below = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(error) = below else { return Trouble::of(error, Stage::Tls) };
    let failure = match error {
        rustls::Error::InvalidCertificate(fault) => Failure::Certificate(match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                CertificateFault::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                CertificateFault::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateFault::WrongName
            }
            CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
            CertificateError::Revoked => CertificateFault::Revoked,
            CertificateError::Other(other) if is_authority(other) => CertificateFault::Authority,
            other => CertificateFault::Other(other.to_string()),
        }),
        other => Failure::Tls(other.to_string()),
    };
    failure.into()
}

/// Whether this is webpki's word for an authority's certificate in a server's place.
fn is_authority(error: &rustls::OtherError) -> bool {
    error.0.to_string() == "CaUsedAsEndEntity"
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
