//! The other end of the socket, for programs that do one thing after another.

use std::{
    io,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, runtime::Runtime};

use super::types::{
    Applied, ChangeAnswer, ChangeRequest, CheckAnswer, CheckRequest, Connection, ConnectionQuery,
    HealthListing, HealthQuery, ListParameters, ListQuery, Listing, MarkListing, Problem,
    RealServer, ResetAnswer, Settings, Status, TunableListing,
};
use super::words;

/// What a command line may ask of a controller.
pub trait Controller {
    /// Makes a list of changes.
    ///
    /// # Errors
    /// None was made.
    fn change(&mut self, request: &ChangeRequest) -> Result<ChangeAnswer, ClientError>;

    /// The services, or one.
    ///
    /// # Errors
    /// The one does not exist, or there is no answer.
    fn listing(&mut self, query: &ListQuery) -> Result<Listing, ClientError>;

    /// The timeouts and daemons.
    ///
    /// # Errors
    /// There is no answer.
    fn settings(&mut self) -> Result<Settings, ClientError>;

    /// The tunables.
    ///
    /// # Errors
    /// There is no answer.
    fn tunables(&mut self) -> Result<TunableListing, ClientError>;

    /// The rules that mark packets.
    ///
    /// # Errors
    /// There is no answer.
    fn marks(&mut self) -> Result<MarkListing, ClientError>;

    /// Shows connections until `visit` says false.
    ///
    /// # Errors
    /// There is no answer, or it broke off.
    fn connections(
        &mut self,
        query: &ConnectionQuery,
        visit: &mut dyn FnMut(Connection) -> bool,
    ) -> Result<(), ClientError>;

    /// How the controller is.
    ///
    /// # Errors
    /// There is no answer.
    fn status(&mut self) -> Result<Status, ClientError>;

    /// The health of real servers.
    ///
    /// # Errors
    /// The one service does not exist, or there is no answer.
    fn health(&mut self, query: &HealthQuery) -> Result<HealthListing, ClientError>;

    /// Has real servers checked at once.
    ///
    /// # Errors
    /// Nothing is checked there, or there is no answer.
    fn check(&mut self, request: &CheckRequest) -> Result<CheckAnswer, ClientError>;

    /// Ends the connections of a real server.
    ///
    /// # Errors
    /// It is not there, or there is no answer.
    fn reset(&mut self, request: &RealServer) -> Result<ResetAnswer, ClientError>;

    /// Lets the controller read its configuration file again.
    ///
    /// # Errors
    /// Nothing has changed then; or it has no file, as one that is no process of its own.
    fn reload(&mut self) -> Result<Applied, ClientError> {
        let problem = Problem::new("no-file", "this controller has no configuration file");
        Err(ClientError::Problem(problem))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no controller listens on {}", socket.display())]
    NotRunning {
        /// Where.
        socket: PathBuf,
    },
    /// Somebody listens, but not to us.
    #[error("no permission to talk to the controller on {}", socket.display())]
    Denied {
        /// Where.
        socket: PathBuf,
    },
    /// The controller says no.
    #[error("{}", .0.message)]
    Problem(Problem),
    /// The connection broke.
    #[error("the controller's answer broke off: {0}")]
    Broken(String),
}

/// A connection to a controller.
pub struct Client {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects to the controller on `socket`.
    ///
    /// # Errors
    /// None listens there, or not to us.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|error| ClientError::Broken(error.to_string()))?;
        let sender = runtime.block_on(async {
            let stream = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Denied { socket: socket.into() },
                _ => ClientError::NotRunning { socket: socket.into() },
            })?;
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
            // Its end shows in the requests.
            tokio::spawn(async move { connection.await.ok() });
            Ok(sender)
        })?;
        Ok(Self { runtime, sender })
    }

    fn get<T: DeserializeOwned>(&mut self, uri: &str) -> Result<T, ClientError> {
        self.call(Method::GET, uri, Bytes::new())
    }

    fn post<T: DeserializeOwned>(
        &mut self,
        uri: &str,
        request: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| broken(&error))?;
        self.call(Method::POST, uri, body.into())
    }

    fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        uri: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let Self { runtime, sender } = self;
        let bytes = runtime.block_on(async {
            let response = send(sender, method, uri, "application/json", body).await?;
            let collected = response.into_body().collect().await;
            Ok(collected.map_err(|error| broken(&error))?.to_bytes())
        })?;
        serde_json::from_slice(&bytes).map_err(|error| broken(&error))
    }
}

impl Controller for Client {
    fn change(&mut self, request: &ChangeRequest) -> Result<ChangeAnswer, ClientError> {
        self.post("/v1/changes", request)
    }

    fn listing(&mut self, query: &ListQuery) -> Result<Listing, ClientError> {
        self.get(&format!("/v1/services{}", query_string(&ListParameters::from(*query))))
    }

    fn settings(&mut self) -> Result<Settings, ClientError> {
        self.get("/v1/settings")
    }

    fn tunables(&mut self) -> Result<TunableListing, ClientError> {
        self.get("/v1/tunables")
    }

    fn marks(&mut self) -> Result<MarkListing, ClientError> {
        self.get("/v1/marks")
    }

    fn connections(
        &mut self,
        query: &ConnectionQuery,
        visit: &mut dyn FnMut(Connection) -> bool,
    ) -> Result<(), ClientError> {
        let uri = format!("/v1/connections{}", query_string(query));
        let Self { runtime, sender } = self;
        runtime.block_on(async {
            let response = send(sender, Method::GET, &uri, words::TEXT, Bytes::new()).await?;
            let mut body = response.into_body();
            let mut rest = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| broken(&error))?;
                rest.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else { continue };
                for line in rest[..end].split(|&byte| byte == b'\n') {
                    let connection = words::read(line).ok_or_else(no_connection)?;
                    if !visit(connection) {
                        return Ok(());
                    }
                }
                rest.drain(..=end);
            }
            Ok(())
        })
    }

    fn status(&mut self) -> Result<Status, ClientError> {
        self.get("/v1/status")
    }

    fn health(&mut self, query: &HealthQuery) -> Result<HealthListing, ClientError> {
        self.get(&format!("/v1/health{}", query_string(query)))
    }

    fn check(&mut self, request: &CheckRequest) -> Result<CheckAnswer, ClientError> {
        self.post("/v1/health/check", request)
    }

    fn reset(&mut self, request: &RealServer) -> Result<ResetAnswer, ClientError> {
        self.post("/v1/health/reset", request)
    }

    fn reload(&mut self) -> Result<Applied, ClientError> {
        self.call(Method::POST, "/v1/reload", Bytes::new())
    }
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    method: Method,
    uri: &str,
    accept: &str,
    body: Bytes,
) -> Result<Response<Incoming>, ClientError> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", accept)
        .body(Full::new(body))
        .map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(&body);
        Problem::new("http", format!("{} ({status})", text.trim()))
    });
    Err(ClientError::Problem(problem))
}

fn no_connection() -> ClientError {
    ClientError::Broken("a line is no connection".to_owned())
}

fn broken(error: &dyn std::error::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}

/// `?name=value&…` of the fields of `parameters`, or nothing.
fn query_string(parameters: &impl Serialize) -> String {
    let value = serde_json::to_value(parameters).unwrap_or_default();
    let mut text = String::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push(if text.is_empty() { '?' } else { '&' });
        text += name;
        text.push('=');
        text += &escaped(&value);
    }
    text
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_escaped() {
        let query = ConnectionQuery {
            state: Some("A&B=ü".into()),
            client: Some("2001:db8::1".parse().unwrap()),
            ..ConnectionQuery::default()
        };
        assert_eq!(query_string(&query), "?client=2001:db8::1&state=A%26B%3D%C3%BC");
        assert_eq!(query_string(&ConnectionQuery::default()), "");
    }
}
