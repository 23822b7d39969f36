//! `/v1/health`: how real servers are, and what may be asked to be done about it at once.

use std::collections::HashMap;

use axum::{
    Extension, Json,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    caller::{self, Caller},
    problem::Failure,
    revision,
    server::Api,
    types::{HealthQuery, Problem},
};
use crate::{
    director::{DestEntry, ListQuery, ServiceEntry},
    model::{
        DestAddr, ServiceId,
        health::{Admin, Cause, CheckReport, DestReport, Effective, Gate, Health},
    },
};

/// The health of real servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthListing {
    /// The table's revision.
    pub revision: u64,
    /// The services whose real servers are checked, or decided over by their operator.
    pub services: Vec<ServiceState>,
}

/// The health of one service's real servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceState {
    /// The virtual service.
    pub service: ServiceId,
    /// Which side of its quorum it is on.
    pub quorum: Gate,
    /// Its real servers.
    pub dests: Vec<DestState>,
    /// Its sorry server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sorry: Option<Box<DestState>>,
}

/// The health of one real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DestState {
    /// The real server.
    pub dest: DestAddr,
    /// What its checks say.
    pub health: Health,
    /// What its operator decided over that.
    pub admin: Admin,
    /// Whether it is a backup server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// The operator's weight.
    pub weight: u32,
    /// What it gets.
    pub effective: Effective,
    /// Since when its health is so, milliseconds ago; only of what is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// It is held back because it came and went, at least for so long, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// Its share of its weight while it starts slowly, of 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_permille: Option<u16>,
    /// How often it went down since the controller has had it.
    #[serde(default)]
    pub downs: u64,
    /// What is wrong with the way to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Its checks.
    pub checks: Vec<CheckReport>,
}

/// A real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RealServer {
    /// The virtual service.
    pub service: ServiceId,
    /// The real server.
    pub dest: DestAddr,
}

/// Real servers that are to be checked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The virtual service.
    pub service: ServiceId,
    /// The real server; all of the service's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest: Option<DestAddr>,
}

/// Checks that come early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// How many.
    pub checks: usize,
}

/// Connections that were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResetAnswer {
    /// How many.
    pub ended: u64,
}

/// Show the health of real servers
///
/// Of services whose real servers are checked, or decided over by their operator. Times are counted
/// back from the answer. What health changes is in `/v1/watch`.
#[utoipa::path(
    get,
    path = "/v1/health",
    params(HealthQuery),
    responses(
        (status = 200, description = "The services with their real servers", body = HealthListing,
         headers(("ETag" = String, description = "The rules' revision, for `If-Match`"))),
        (status = 400, description = "The parameters make no sense", body = Problem),
        (status = 404, description = "There is no such service", body = Problem),
    ),
)]
pub(super) async fn health(
    State(api): State<Api>,
    query: Result<Query<HealthQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(HealthQuery { service }) = query?;
    let listing = api.handle.listing(ListQuery { service, ..ListQuery::default() }).await?;
    let mut reports: HashMap<_, _> = api
        .health
        .show()
        .into_iter()
        .map(|report| ((report.service, report.dest, report.is_sorry), report))
        .collect();
    let services = listing.services.iter().filter(|entry| is_of_interest(entry));
    let services = services.map(|entry| ServiceState::new(entry, &mut reports)).collect();
    let answer = HealthListing { revision: listing.revision, services };
    Ok((revision::etag(answer.revision), Json(answer)).into_response())
}

/// Check real servers at once
///
/// Their checks are made now and not when they are due; the answer does not wait for the results.
#[utoipa::path(
    post,
    path = "/v1/health/check",
    request_body = CheckRequest,
    responses(
        (status = 200, description = "How many checks come early", body = CheckAnswer),
        (status = 400, description = "Not JSON", body = Problem),
        (status = 403, description = "The token is for reading only (TLS)", body = Problem),
        (status = 404, description = "Nothing is checked there", body = Problem),
        (status = 422, description = "A field is unknown, missing or wrong", body = Problem),
    ),
)]
pub(super) async fn check(
    State(api): State<Api>,
    request: Result<Json<CheckRequest>, JsonRejection>,
) -> Result<Json<CheckAnswer>, Failure> {
    let Json(CheckRequest { service, dest }) = request?;
    match api.health.hurry_all(&service, dest.as_ref()) {
        0 => Err(Failure::new(StatusCode::NOT_FOUND, "no-check", "nothing is checked there")),
        checks => Ok(Json(CheckAnswer { checks })),
    }
}

/// End the connections of a real server
///
/// At once: the next packet of each of them opens a new one or finds none. An audit line tells it.
#[utoipa::path(
    post,
    path = "/v1/health/reset",
    request_body = RealServer,
    responses(
        (status = 200, description = "How many connections there were", body = ResetAnswer),
        (status = 400, description = "Not JSON", body = Problem),
        (status = 403, description = "The token is for reading only (TLS)", body = Problem),
        (status = 404, description = "There is no such service or real server", body = Problem),
        (status = 422, description = "A field is unknown, missing or wrong", body = Problem),
        (status = 500, description = "The data plane failed", body = Problem),
        (status = 503, description = "The controller is stopping", body = Problem),
    ),
)]
pub(super) async fn reset(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    request: Result<Json<RealServer>, JsonRejection>,
) -> Result<Json<ResetAnswer>, Failure> {
    let Json(RealServer { service, dest }) = request?;
    let who = caller::who(caller).await;
    let ended = api.handle.reset_connections(who, service, dest).await?;
    Ok(Json(ResetAnswer { ended }))
}

type Reports = HashMap<(ServiceId, DestAddr, bool), DestReport>;

impl ServiceState {
    fn new(entry: &ServiceEntry, reports: &mut Reports) -> Self {
        let service = entry.service.id;
        let dests = entry.dests.iter().map(|dest| {
            let report = reports.remove(&(service, dest.dest.addr, false));
            DestState::new(dest).seen_by(report)
        });
        let dests = dests.collect();
        let sorry = entry.health.policy.sorry_server.map(|dest| {
            let report = reports.remove(&(service, dest.addr, true));
            let effective = if entry.sorry.is_some() {
                Effective::Weight(dest.weight)
            } else {
                Effective::Absent
            };
            let state = DestState { effective, ..DestState::plain(dest.addr, dest.weight) };
            Box::new(state.seen_by(report))
        });
        Self { service, quorum: entry.quorum, dests, sorry }
    }
}

impl DestState {
    fn new(entry: &DestEntry) -> Self {
        let DestEntry { dest, effective, state, admin, health, .. } = entry;
        Self {
            health: *state,
            admin: *admin,
            backup: health.backup,
            effective: effective.unwrap_or(Effective::Weight(dest.weight)),
            ..Self::plain(dest.addr, dest.weight)
        }
    }

    fn plain(dest: DestAddr, weight: u32) -> Self {
        Self {
            dest,
            health: Health::Unknown,
            admin: Admin::Enabled,
            backup: false,
            weight,
            effective: Effective::Weight(weight),
            since_ms: None,
            held_ms: None,
            share_permille: None,
            downs: 0,
            cause: None,
            checks: Vec::new(),
        }
    }

    /// With what those who check it say, who know it first.
    fn seen_by(self, report: Option<DestReport>) -> Self {
        let Some(report) = report else { return self };
        Self {
            health: report.health,
            since_ms: Some(report.since_ms),
            held_ms: report.held_ms,
            share_permille: Some(report.share_permille).filter(|share| *share < 1000),
            downs: report.downs,
            cause: report.cause,
            checks: report.checks,
            ..self
        }
    }
}

fn is_of_interest(entry: &ServiceEntry) -> bool {
    let is_touched = |dest: &DestEntry| dest.admin != Admin::Enabled || !dest.health.is_default();
    !entry.health.is_default() || entry.dests.iter().any(is_touched)
}
