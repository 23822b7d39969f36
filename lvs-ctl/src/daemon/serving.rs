//! Where the controller answers: its socket, and, if it is told so, TCP.

#![forbid(unsafe_code)]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{mpsc, watch},
};

use crate::{
    api::{
        server, socket,
        tls::{self, TlsListener},
        tokens::Tokens,
    },
    config::{Api, MetricsDoor, Setup},
    director::Handle,
    health::Board,
    metrics,
    reload::Asked,
};

/// How long those who are being answered may hold up the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom the controller answers, and where.
#[derive(Args, Clone, Debug)]
pub struct Serving {
    /// Permissions of the socket, octal [default: 660]
    #[arg(long, value_name = "MODE", value_parser = octal)]
    pub socket_mode: Option<u32>,
    /// Group of the socket, by name or number [default: the controller's own]
    #[arg(long, value_name = "GROUP")]
    pub socket_group: Option<String>,
    /// Answer on this TCP address too, over TLS, to those who have a token
    #[arg(long, value_name = "ADDRESS:PORT",
          requires_all = ["tls_cert", "tls_key", "token_file"])]
    pub listen: Option<SocketAddr>,
    /// Certificate chain for --listen, PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub tls_key: Option<PathBuf>,
    /// Tokens for --listen, one a line: NAME change|read TOKEN
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub token_file: Option<PathBuf>,
    /// Show metrics, and nothing else, to everybody who reaches this TCP address
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// Metrics show services and real servers one by one up to so many series [default: 200000]
    #[arg(long, value_name = "N")]
    pub metrics_max_series: Option<usize>,
}

/// The TCP sockets that the controller was told to open.
pub(super) struct Doors {
    metrics_options: metrics::Options,
    remote: Option<(TlsListener, Tokens)>,
    metrics: Option<TcpListener>,
}

impl Serving {
    /// What it says of doors over TCP.
    pub(super) fn doors(&self) -> (Api, MetricsDoor) {
        let Self { listen, tls_cert, tls_key, token_file, .. } = self.clone();
        let api = Api { listen, certificate: tls_cert, key: tls_key, token_file };
        let (listen, max_series) = (self.metrics_listen, self.metrics_max_series);
        (api, MetricsDoor { listen, max_series })
    }
}

impl Doors {
    /// Opens what is to be open beside the Unix socket.
    pub(super) async fn open(setup: &Setup) -> anyhow::Result<Self> {
        let metrics = match setup.metrics.listen {
            Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address}, where metrics are to be shown")
            })?),
            None => None,
        };
        let metrics_options = metrics::Options { max_series: setup.metrics_max_series() };
        Ok(Self { metrics_options, remote: remote(&setup.api).await?, metrics })
    }

    /// Answers everywhere until `stop`.
    pub(super) async fn serve(
        self,
        listener: UnixListener,
        handle: Handle,
        reload: mpsc::Sender<Asked>,
        health: Board,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (stopped, stopping) = watch::channel(false);
        let until = || {
            let mut stopping = stopping.clone();
            async move {
                stopping.wait_for(|stopping| *stopping).await.ok();
            }
        };
        let options = server::Options {
            metrics: self.metrics_options,
            stopping: stopping.clone(),
            reload: Some(reload),
            health,
            ..server::Options::default()
        };
        let (api, metrics) = server::routers(handle, options);
        let local = socket::serve(listener, api.clone(), until());
        let remote = async {
            if let Some((listener, tokens)) = self.remote {
                tracing::info!(address = %listener.address()?, "listening, over TLS");
                tls::serve(listener, api, tokens, until()).await;
            }
            Ok(())
        };
        let shown = async {
            let Some(listener) = self.metrics else { return Ok(()) };
            tracing::info!(address = %listener.local_addr()?, "showing metrics");
            axum::serve(listener, metrics).with_graceful_shutdown(until()).await
        };
        let deadline = async {
            stop.await;
            stopped.send_replace(true);
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            served = async { tokio::try_join!(local, remote, shown) } => {
                served.map(drop).context("the API has ended")
            }
            () = deadline => {
                tracing::warn!("somebody was still being answered");
                Ok(())
            }
        }
    }
}

async fn remote(api: &Api) -> anyhow::Result<Option<(TlsListener, Tokens)>> {
    let Api { listen, certificate, key, token_file } = api;
    let Some(address) = *listen else { return Ok(None) };
    let (Some(certificate), Some(key), Some(tokens)) = (certificate, key, token_file) else {
        anyhow::bail!("no TCP without a certificate, its key and tokens");
    };
    let tokens = Tokens::read(tokens)?;
    let listener = TlsListener::bind(address, tls::acceptor(certificate, key)?).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    Ok(Some((listener, tokens)))
}

fn octal(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "expected three octal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serving: Serving,
    }

    fn read(line: &str) -> Result<Serving, clap::Error> {
        let words = std::iter::once("run").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.serving)
    }

    #[test]
    fn tcp_is_refused_without_tls_or_without_tokens() {
        let all = "--listen [::1]:9 --tls-cert c --tls-key k --token-file t";
        assert!(read(all).is_ok());
        for missing in ["--listen [::1]:9 ", "--tls-cert c ", "--tls-key k ", " --token-file t"] {
            assert!(read(&all.replace(missing, "")).is_err(), "without {missing}");
        }
    }

    #[test]
    fn options_say_what_the_file_says_of_doors() {
        let all = "--listen [::1]:9 --tls-cert c --tls-key k --token-file t --metrics-listen [::1]:8 \
                   --metrics-max-series 7";
        let (api, metrics) = read(all).unwrap().doors();
        assert_eq!((api.listen, api.certificate), ("[::1]:9".parse().ok(), Some("c".into())));
        assert_eq!((api.key, api.token_file), (Some("k".into()), Some("t".into())));
        assert_eq!((metrics.listen, metrics.max_series), ("[::1]:8".parse().ok(), Some(7)));
        let (api, metrics) = read("").unwrap().doors();
        assert_eq!((api, metrics), (Api::default(), MetricsDoor::default()));
    }

    #[test]
    fn the_sockets_permissions_are_octal() {
        assert_eq!(read("").unwrap().socket_mode, None);
        assert_eq!(read("--socket-mode 640").unwrap().socket_mode, Some(0o640));
        for wrong in ["8", "1777", "rw"] {
            assert!(read(&format!("--socket-mode {wrong}")).is_err());
        }
    }
}
