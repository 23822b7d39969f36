//! The API over TCP: TLS always, a token always.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    serve::Listener,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    },
};

use super::{caller::Caller, problem::Failure, tokens::Tokens};

/// How long a handshake may take, and a last answer when the controller stops.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may say nothing.
const IDLE: Duration = Duration::from_secs(30);
/// Clients at a time, those included that still shake hands; more wait.
const CLIENTS: usize = 256;

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not hold what it should.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// They do not fit each other, or are of a kind that is not known.
    #[error("certificate and key: {0}")]
    Pair(#[from] rustls::Error),
}

/// Where clients shake hands.
pub struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// Where a client is.
#[derive(Clone, Copy, Debug)]
struct Remote(SocketAddr);

/// Reads a certificate chain and its key, both PEM.
///
/// # Errors
/// They cannot be read, or do not fit each other.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl TlsListener {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The system's.
    pub async fn bind(address: SocketAddr, acceptor: TlsAcceptor) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, acceptor })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves the holders of `tokens` until `stop`, and then those whose requests are under way.
pub async fn serve(
    listener: TlsListener,
    router: Router,
    tokens: Tokens,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let TlsListener { mut listener, acceptor } = listener;
    let router = router.layer(middleware::from_fn_with_state(tokens, admit));
    let (graceful, clients) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CLIENTS)));
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let client = Arc::clone(&clients).acquire_owned().await.ok();
            (client, Listener::accept(&mut listener).await)
        };
        let (client, (stream, address)) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let router = router.clone().layer(Extension(Remote(address)));
        let (acceptor, watcher) = (acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            if let Err(error) = converse(&acceptor, stream, router, watcher).await {
                tracing::debug!(%address, %error, "a client over TLS is gone");
            }
            drop(client);
        });
    }
    drop(listener);
    tokio::time::timeout(PATIENCE, graceful.shutdown()).await.ok();
}

/// Answers one client until it leaves.
async fn converse(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    router: Router,
    watcher: Watcher,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Between two requests as well: who says nothing keeps nobody out.
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    Ok(watcher.watch(connection).await?)
}

/// Lets holders of a token in, and those of a read-only one only read.
async fn admit(
    State(tokens): State<Tokens>,
    Extension(Remote(address)): Extension<Remote>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(token) = presented(request.headers()).and_then(|presented| tokens.find(presented))
    else {
        tracing::warn!(%address, "refused: no token, or a wrong one");
        return Failure::unauthorized().into_response();
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !token.may_change {
        let name = &*token.name;
        tracing::warn!(%address, name, "refused: the token is for reading");
        let message = "the token is for reading only";
        return Failure::new(StatusCode::FORBIDDEN, "forbidden", message).into_response();
    }
    let caller = Caller::Token { name: Arc::clone(&token.name), address };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The token of a request (RFC 6750 §2.1).
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
