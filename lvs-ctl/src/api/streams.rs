//! Answers of any length: connections, and changes as they come.

use std::{convert::Infallible, error::Error, ops::ControlFlow, sync::Arc};

use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::{
    sync::{broadcast, mpsc},
    task,
};

use super::{
    problem::Failure,
    server::Api,
    types::{Connection, ConnectionQuery, Event, NoParameters, Problem},
    words,
};
use crate::director::{DirectorError, Found};

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

/// List connections
///
/// One JSON object a line; or, to those who accept `text/plain`, a line of words: protocol (`-` is
/// every one), state, seconds left, client, virtual end and real server, each an address and a port.
#[utoipa::path(
    get,
    path = "/v1/connections",
    params(ConnectionQuery),
    responses(
        (status = 200, description = "Lines, each a connection or a persistence template",
         body = Connection, content_type = "application/x-ndjson"),
        (status = 400, description = "The parameters make no sense", body = Problem),
    ),
)]
pub(super) async fn connections(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<ConnectionQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let found = api.handle.connections(query).await?;
    // The table is read as fast as the client takes it, and nobody else waits for either.
    let (sender, mut chunks) = mpsc::channel(CHUNKS);
    let wants_words = headers.get(header::ACCEPT).is_some_and(|accepted| accepted == words::TEXT);
    let (kind, push): (_, Push) =
        if wants_words { (words::TEXT, words::push) } else { (LINES, push_line) };
    task::spawn_blocking(move || send(&found, push, &sender));
    Ok(lines(kind, stream::poll_fn(move |context| chunks.poll_recv(context))))
}

/// Watch changes
///
/// A line for each request that changed rules, from now on: its changes in order, and the revision
/// after them. Revisions are without gaps. To have a copy of the rules that stays true: open the
/// watch, then list the services, then leave out events up to the listing's revision and follow the
/// others. The stream ends when the controller stops, and when the reader is too slow: it has missed
/// events then, and begins again.
#[utoipa::path(
    get,
    path = "/v1/watch",
    responses(
        (status = 200, description = "Lines, each an event, without end", body = Event,
         content_type = "application/x-ndjson"),
        (status = 400, description = "There are no parameters", body = Problem),
    ),
)]
pub(super) async fn watch(
    State(api): State<Api>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    none?;
    let receiver = api.handle.watch().await?;
    let events = stream::unfold(receiver, |mut receiver: broadcast::Receiver<Arc<Event>>| async {
        let event = receiver.recv().await.ok()?;
        let mut line = Vec::new();
        push_line(&mut line, &*event);
        Some((Ok::<_, Infallible>(line), receiver))
    });
    let mut stopping = api.stopping.clone();
    let stopped = async move {
        if stopping.wait_for(|stopping| *stopping).await.is_err() {
            // Nobody is left to say so.
            std::future::pending::<()>().await;
        }
    };
    Ok(lines(LINES, events.take_until(Box::pin(stopped))))
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
