//! What the API answers, route by route; the OpenAPI document is made from the same lines.

use axum::{
    Extension, Json,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::{self, Caller},
    health,
    problem::Failure,
    reload, revision,
    server::Api,
    streams,
    types::{
        ChangeAnswer, ChangeRequest, ListParameters, ListQuery, Listing, MarkListing, NoParameters,
        Problem, Settings, Status, TunableListing,
    },
};
use crate::metrics::Format;

/// Adds every route.
pub(super) fn add_to(router: OpenApiRouter<Api>) -> OpenApiRouter<Api> {
    router
        .routes(routes!(change))
        .routes(routes!(reload::reload))
        .routes(routes!(services))
        .routes(routes!(settings))
        .routes(routes!(tunables))
        .routes(routes!(marks))
        .routes(routes!(health::health))
        .routes(routes!(health::check))
        .routes(routes!(health::reset))
        .routes(routes!(streams::connections))
        .routes(routes!(status))
        .routes(routes!(streams::watch))
        .routes(routes!(metrics))
        .routes(routes!(document))
}

/// Change rules
///
/// The changes are made in order, and packets see all of them at once. Refused changes are skipped
/// and reported, or, with `all_or_nothing`, nothing is changed and the first refusal is the answer.
/// A request for one revision (`If-Match`, or `if_revision`) changes nothing when somebody else
/// changed the rules meanwhile. Every change leaves an audit line in the controller's log.
#[utoipa::path(
    post,
    path = "/v1/changes",
    params(
        ("If-Match" = Option<String>, Header,
         description = "The revision that the changes are for, as an `ETag` tells it: `\"17\"`"),
    ),
    request_body = ChangeRequest,
    responses(
        (status = 200, description = "What became of the changes", body = ChangeAnswer,
         headers(("ETag" = String, description = "The rules' revision now"))),
        (status = 400, description = "Not JSON, or contradictory", body = Problem),
        (status = 403, description = "The token is for reading only (TLS)", body = Problem),
        (status = 404, description = "All or nothing: a change is of something that is not there",
         body = Problem),
        (status = 409, description = "All or nothing: a change adds what is there", body = Problem),
        (status = 412, description = "The rules have another revision", body = Problem),
        (status = 413, description = "The request is too large", body = Problem),
        (status = 415, description = "The request is not `application/json`", body = Problem),
        (status = 422, description = "A field is unknown, missing or wrong; all or nothing: IPVS \
         refuses a change", body = Problem),
        (status = 500, description = "The data plane is full or failed; nothing has changed",
         body = Problem),
        (status = 503, description = "The controller is stopping", body = Problem),
    ),
)]
async fn change(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    request: Result<Json<ChangeRequest>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(mut request) = request?;
    request.if_revision = revision::expected(&headers, request.if_revision)?;
    let who = caller::who(caller).await;
    let answer = ChangeAnswer::from(api.handle.change_for(who, request).await?);
    Ok((revision::etag(answer.revision), Json(answer)).into_response())
}

/// List virtual services
///
/// All of them, oldest first, or the one that is named by protocol, address and port or by fwmark.
#[utoipa::path(
    get,
    path = "/v1/services",
    params(ListParameters),
    responses(
        (status = 200, description = "The services with their real servers", body = Listing,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "The parameters make no sense", body = Problem),
        (status = 404, description = "There is no such service", body = Problem),
    ),
)]
async fn services(
    State(api): State<Api>,
    parameters: Result<Query<ListParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(parameters) = parameters?;
    let query = ListQuery::try_from(parameters).map_err(Failure::bad_request)?;
    let listing = api.handle.listing(query).await?;
    Ok((revision::etag(listing.revision), Json(listing)).into_response())
}

/// Show timeouts and synchronisation daemons
#[utoipa::path(
    get,
    path = "/v1/settings",
    responses(
        (status = 200, description = "The settings", body = Settings,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "There are no parameters", body = Problem),
    ),
)]
async fn settings(
    State(api): State<Api>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    none?;
    let settings = api.handle.settings().await?;
    Ok((revision::etag(settings.revision), Json(settings)).into_response())
}

/// List IPVS's tunables
#[utoipa::path(
    get,
    path = "/v1/tunables",
    responses(
        (status = 200, description = "The tunables", body = TunableListing,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "There are no parameters", body = Problem),
    ),
)]
async fn tunables(
    State(api): State<Api>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    none?;
    let listing = api.handle.tunables().await?;
    Ok((revision::etag(listing.revision), Json(listing)).into_response())
}

/// List the rules that mark packets
#[utoipa::path(
    get,
    path = "/v1/marks",
    responses(
        (status = 200, description = "The rules, the most specific first", body = MarkListing,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "There are no parameters", body = Problem),
    ),
)]
async fn marks(
    State(api): State<Api>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    none?;
    let listing = api.handle.marks().await?;
    Ok((revision::etag(listing.revision), Json(listing)).into_response())
}

/// Show how the director is
#[utoipa::path(
    get,
    path = "/v1/status",
    responses(
        (status = 200, description = "The status", body = Status,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "There are no parameters", body = Problem),
    ),
)]
async fn status(
    State(api): State<Api>,
    none: Result<Query<NoParameters>, QueryRejection>,
) -> Result<Response, Failure> {
    none?;
    let status = api.handle.status().await?;
    Ok((revision::etag(status.revision), Json(status)).into_response())
}

/// Show metrics
///
/// As OpenMetrics text to those who accept it, else as Prometheus' own text.
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn metrics(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let text = api.metrics.render(&api.handle, format).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = String,
         content_type = "application/json"),
    ),
)]
async fn document(State(api): State<Api>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, api.document.as_str().to_owned()).into_response()
}
