//! The API's routes, and the socket they are served on.

use std::{
    convert::Infallible,
    error::Error,
    fs, io,
    ops::ControlFlow,
    os::unix::{fs::PermissionsExt, net::UnixStream as StdUnixStream},
    path::Path,
    sync::Arc,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{
        DefaultBodyLimit, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::{
    net::UnixListener,
    sync::{broadcast, mpsc},
    task,
};

use super::types::{
    ChangeAnswer, ChangeRequest, Connection, ConnectionQuery, Event, ListParameters, ListQuery,
    Problem,
};
use super::words;
use crate::director::{DirectorError, Found, Handle};

/// The largest request, bytes: a restore of a million rules.
const BODY_MAX: usize = 512 << 20;
/// Connections go out in pieces of about this many bytes.
const CHUNK: usize = 64 << 10;
/// So many bytes more fit: the last connection of a piece.
const SPARE: usize = 1 << 10;
/// So many pieces wait for a slow reader.
const CHUNKS: usize = 4;

/// One value in JSON a line.
const LINES: &str = "application/x-ndjson";

/// Appends a connection's line.
type Push = fn(&mut Vec<u8>, &Connection);

/// An answer that is not a success.
pub(super) struct Failure(pub(super) StatusCode, pub(super) Problem);

/// The API of the director behind `handle`.
pub fn router(handle: Handle) -> Router {
    let router = Router::new()
        .route("/v1/changes", post(change))
        .route("/v1/services", get(services))
        .route("/v1/settings", get(settings))
        .route("/v1/tunables", get(tunables))
        .route("/v1/marks", get(marks))
        .route("/v1/connections", get(connections))
        .route("/v1/status", get(status))
        .route("/v1/watch", get(watch));
    router
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "no-route", "no such route") })
        .method_not_allowed_fallback(|| async { Failure::method() })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(handle)
}

/// Listens on `path`, for the owner and the group. What a killed controller left there is taken
/// away; directories on the way are made.
///
/// # Errors
/// `AddrInUse` if another controller listens there, or whatever the file system says.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if StdUnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn change(
    State(handle): State<Handle>,
    request: Result<Json<ChangeRequest>, JsonRejection>,
) -> Result<Json<ChangeAnswer>, Failure> {
    let Json(request) = request?;
    Ok(Json(handle.change(request).await?.into()))
}

async fn services(
    State(handle): State<Handle>,
    parameters: Result<Query<ListParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(parameters) = parameters?;
    let query = ListQuery::try_from(parameters).map_err(|error| bad_request(error.to_owned()))?;
    Ok(Json(handle.listing(query).await?).into_response())
}

async fn settings(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(Json(handle.settings().await?).into_response())
}

async fn tunables(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(Json(handle.tunables().await?).into_response())
}

async fn marks(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(Json(handle.marks().await?).into_response())
}

async fn status(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(Json(handle.status().await?).into_response())
}

async fn connections(
    State(handle): State<Handle>,
    headers: HeaderMap,
    query: Result<Query<ConnectionQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let found = handle.connections(query).await?;
    // The table is read as fast as the client takes it, and nobody else waits for either.
    let (sender, mut chunks) = mpsc::channel(CHUNKS);
    let wants_words = headers.get(header::ACCEPT).is_some_and(|accepted| accepted == words::TEXT);
    let (kind, push): (_, Push) =
        if wants_words { (words::TEXT, words::push) } else { (LINES, push_line) };
    task::spawn_blocking(move || send(&found, push, &sender));
    Ok(lines(kind, stream::poll_fn(move |context| chunks.poll_recv(context))))
}

/// Sends connections as lines, until the client is gone.
fn send(found: &Found, push: Push, chunks: &mpsc::Sender<Result<Vec<u8>, DirectorError>>) {
    let mut chunk = Vec::with_capacity(CHUNK + SPARE);
    let shown = found.visit(&mut |connection| {
        push(&mut chunk, &connection);
        if chunk.len() < CHUNK {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + SPARE));
        match chunks.blocking_send(Ok(full)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_gone) => ControlFlow::Break(()),
        }
    });
    // An error breaks the answer off, so that nobody takes it for the whole.
    chunks.blocking_send(shown.map(|()| chunk)).ok();
}

/// One line for each request that changed rules. The stream ends when the reader is too slow:
/// then it has missed some and must list again.
async fn watch(State(handle): State<Handle>) -> Result<Response, Failure> {
    let receiver = handle.watch().await?;
    let events = stream::unfold(receiver, |mut receiver: broadcast::Receiver<Arc<Event>>| async {
        let event = receiver.recv().await.ok()?;
        let mut line = Vec::new();
        push_line(&mut line, &*event);
        Some((Ok::<_, Infallible>(line), receiver))
    });
    Ok(lines(LINES, events))
}

fn lines<E: Error + Send + Sync + 'static>(
    kind: &'static str,
    chunks: impl Stream<Item = Result<Vec<u8>, E>> + Send + 'static,
) -> Response {
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(chunks)).into_response()
}

fn push_line(chunk: &mut Vec<u8>, value: &impl Serialize) {
    // Writing plain structs to memory does not fail.
    if serde_json::to_writer(&mut *chunk, value).is_ok() {
        chunk.push(b'\n');
    }
}

fn bad_request(message: String) -> Failure {
    Failure(StatusCode::BAD_REQUEST, Problem::new("bad-request", message))
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self(status, Problem::new(code, message))
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "no such method here")
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), Problem::new("bad-request", rejection.body_text()))
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), Problem::new("bad-request", rejection.body_text()))
    }
}

impl From<DirectorError> for Failure {
    fn from(error: DirectorError) -> Self {
        let status = match &error {
            DirectorError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            DirectorError::NoService => StatusCode::NOT_FOUND,
            DirectorError::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            DirectorError::DataPlane(_) | DirectorError::State(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            DirectorError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, Problem::from(&error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
