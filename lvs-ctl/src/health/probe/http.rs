//! A web server answers as it should (keepalived's `HTTP_GET` and `SSL_GET`).

use std::{ops::RangeInclusive, pin::pin};

use futures_util::future::{BoxFuture, Either, select};
use http_body_util::Empty;
use hyper::{
    Request, Response, Version,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use regex::bytes::Regex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Probe, Trip, Trouble,
    body::Wanted,
    socket,
    tls::{Authorities, Client},
};
use crate::model::health::{self, Failure, Good, Stage, pattern};

/// The longest head of an answer, bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// Asks once.
#[derive(Debug)]
pub(super) struct Http {
    tls: Option<Client>,
    method: String,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    version: Version,
    status: Vec<RangeInclusive<u16>>,
    body: Wanted,
    expect_headers: Vec<(String, Regex)>,
}

impl Http {
    pub(super) fn new(http: &health::Http, authorities: Authorities) -> Result<Self, regex::Error> {
        let health::Http {
            tls,
            method,
            path,
            host,
            headers,
            is_1_0,
            status,
            body,
            digest,
            expect_headers,
        } = http;
        let expect_headers = expect_headers
            .iter()
            .map(|(name, value)| pattern(value).map(|value| (name.clone(), value)));
        let matches = body.as_deref().map(pattern).transpose()?;
        Ok(Self {
            tls: tls.as_ref().map(|tls| Client::new(tls, authorities)),
            method: method.clone(),
            path: path.clone(),
            host: host.clone(),
            headers: headers.clone(),
            version: if *is_1_0 { Version::HTTP_10 } else { Version::HTTP_11 },
            status: status.clone(),
            body: Wanted { matches, digest: digest.clone() },
            expect_headers: expect_headers.collect::<Result<_, _>>()?,
        })
    }

    async fn ask(&self, trip: &Trip) -> Result<Good, Trouble> {
        let stream = socket::connect(&trip.target).await?;
        let Some(tls) = &self.tls else { return self.talk(trip, stream).await };
        trip.progress.at(Stage::Tls);
        let (stream, warning) = tls.agree(stream, trip.target.endpoint.ip()).await?;
        let good = self.talk(trip, stream).await?;
        Ok(Good { warning, ..good })
    }

    async fn talk<S>(&self, trip: &Trip, stream: S) -> Result<Good, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        trip.progress.at(Stage::Answer);
        let request = self.request(trip)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(LONGEST_HEAD);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| trouble(&error))?;
        let exchange = pin!(async move {
            let answer = sender.send_request(request).await.map_err(|error| trouble(&error))?;
            self.judge(trip, answer).await
        });
        // What the connection brought last may be waiting still.
        match select(exchange, pin!(connection)).await {
            Either::Left((judged, _)) => judged,
            Either::Right((_, exchange)) => exchange.await,
        }
    }

    fn request(&self, trip: &Trip) -> Result<Request<Empty<Bytes>>, Trouble> {
        let own = |words: &dyn std::fmt::Display| Trouble::Own(words.to_string());
        let host = self.host.clone().unwrap_or_else(|| trip.target.endpoint.to_string());
        let agent = concat!("lvs-ctl/", env!("CARGO_PKG_VERSION"));
        let request = Request::builder()
            .method(self.method.as_str())
            .uri(self.path.as_str())
            .version(self.version)
            .header(HOST, host)
            .header(USER_AGENT, agent)
            .header(CONNECTION, "close");
        let mut request = request.body(Empty::new()).map_err(|error| own(&error))?;
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().map_err(|error| own(&error))?;
            let value = HeaderValue::from_str(value).map_err(|error| own(&error))?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    async fn judge(&self, trip: &Trip, answer: Response<Incoming>) -> Result<Good, Trouble> {
        let status = answer.status().as_u16();
        if !self.status.iter().any(|good| good.contains(&status)) {
            return Err(Failure::Status(status).into());
        }
        for (name, wanted) in &self.expect_headers {
            let mut values = answer.headers().get_all(name.as_str()).iter();
            if !values.any(|value| wanted.is_match(value.as_bytes())) {
                return Err(Failure::Header(name.clone()).into());
            }
        }
        if !self.body.is_anything() {
            trip.progress.at(Stage::Body);
            self.body.judge(answer.into_body()).await?;
        }
        Ok(Good::default())
    }
}

impl Probe for Http {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.ask(trip))
    }
}

/// What hyper says.
fn trouble(error: &hyper::Error) -> Trouble {
    if error.is_parse_too_large() {
        return Failure::TooLong.into();
    }
    if error.is_parse() || error.is_parse_status() {
        return Failure::Protocol(error.to_string()).into();
    }
    let below = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    match below {
        Some(error) => Trouble::of(error, Stage::Answer),
        None => Failure::Closed(Stage::Answer).into(),
    }
}
