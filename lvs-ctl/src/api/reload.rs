//! `POST /v1/reload`: the configuration file is read again.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use tokio::sync::{mpsc, oneshot};

use super::{server::Failure, types::Problem};
use crate::reload::{Answer, Applied};

/// The route; `requests` leads to whoever reads the file.
pub fn router(requests: mpsc::Sender<Answer>) -> Router {
    Router::new()
        .route("/v1/reload", post(reload))
        .method_not_allowed_fallback(|| async { Failure::method() })
        .with_state(requests)
}

async fn reload(State(requests): State<mpsc::Sender<Answer>>) -> Result<Json<Applied>, Failure> {
    let stopped = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", "it is stopping");
    let (sender, answer) = oneshot::channel();
    requests.send(sender).await.map_err(|_gone| stopped())?;
    let done = answer.await.map_err(|_gone| stopped())?;
    done.map(Json).map_err(|error| {
        let problem = Problem::new("config", error.to_string());
        Failure(StatusCode::UNPROCESSABLE_ENTITY, problem)
    })
}
