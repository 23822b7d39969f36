//! Answers that are not a success.

use axum::{
    Json,
    extract::rejection::{JsonRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::types::Problem;
use crate::{director::DirectorError, model::Invalid};

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    /// Whoever asks is to show a token.
    challenges: bool,
    problem: Box<Problem>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, challenges: false, problem: Box::new(Problem::new(code, message)) }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    /// With a challenge: who asks has no token, or a wrong one.
    pub(super) fn unauthorized() -> Self {
        let message = "a token is needed: Authorization: Bearer TOKEN";
        let failure = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        Self { challenges: true, ..failure }
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
            _ => "bad-request",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "bad-request", rejection.body_text())
    }
}

impl From<DirectorError> for Failure {
    fn from(error: DirectorError) -> Self {
        let status = match &error {
            DirectorError::Refused { invalid, .. } => refusal(invalid),
            DirectorError::NoService => StatusCode::NOT_FOUND,
            DirectorError::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            DirectorError::DataPlane(_) | DirectorError::State(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            DirectorError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, challenges: false, problem: Box::new(Problem::from(&error)) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        if self.challenges {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The status of a change that the table does not take.
fn refusal(invalid: &Invalid) -> StatusCode {
    match invalid {
        Invalid::ServiceExists
        | Invalid::DestExists
        | Invalid::DaemonRuns
        | Invalid::MarkExists
        | Invalid::MarkConflict(_) => StatusCode::CONFLICT,
        Invalid::NoService
        | Invalid::ServiceNotDefined
        | Invalid::NoDest
        | Invalid::NoDaemon
        | Invalid::NoMark
        | Invalid::NoTunable(_)
        | Invalid::NoDevice => StatusCode::NOT_FOUND,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
