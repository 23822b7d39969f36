//! `POST /v1/reload`: the configuration file is read again.

use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use tokio::sync::oneshot;

use super::{
    caller::{self, Caller},
    problem::Failure,
    server::Api,
    types::{Applied, NoParameters, Problem},
};
use crate::{director::DirectorError, reload::Asked};

/// Read the configuration file again
///
/// What differs from the file is changed, all of it or nothing; services that the file does not own
/// are left alone.
#[utoipa::path(
    post,
    path = "/v1/reload",
    responses(
        (status = 200, description = "What was changed, and what waits for a new start",
         body = Applied),
        (status = 400, description = "There are no parameters", body = Problem),
        (status = 403, description = "The token is for reading only (TLS)", body = Problem),
        (status = 404, description = "The controller reads no file", body = Problem),
        (status = 422, description = "The file cannot be used; nothing has changed",
         body = Problem),
        (status = 503, description = "The controller is stopping", body = Problem),
    ),
)]
pub(super) async fn reload(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Json<Applied>, Failure> {
    none?;
    let (sender, answer) = oneshot::channel();
    let asked = Asked { who: caller::who(caller).await, answer: sender };
    let requests = api.reload.ok_or_else(|| {
        Failure::new(StatusCode::NOT_FOUND, "no-file", "this controller reads no file")
    })?;
    requests.send(asked).await.map_err(|_gone| DirectorError::Stopped)?;
    let done = answer.await.map_err(|_gone| DirectorError::Stopped)?;
    done.map(Json).map_err(|error| {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "config", error.to_string())
    })
}
