//! The API as one router, whoever it is served to.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tokio::sync::{mpsc, watch};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    problem::Failure,
    routes,
    types::{Connection, Event},
};
use crate::{
    director::Handle,
    health::Board,
    metrics::{self, Metrics},
    reload::Asked,
};

/// How the API is served.
#[derive(Clone)]
pub struct Options {
    /// The largest request, bytes.
    pub body_max: usize,
    /// How metrics are shown.
    pub metrics: metrics::Options,
    /// Becomes true when streams are to end.
    pub stopping: watch::Receiver<bool>,
    /// Leads to whoever reads the configuration file again.
    pub reload: Option<mpsc::Sender<Asked>>,
    /// The real servers that are checked.
    pub health: Board,
}

/// What every route works on.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) handle: Handle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) document: Arc<String>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) reload: Option<mpsc::Sender<Asked>>,
    pub(super) health: Board,
}

/// Adds the way in over TLS.
struct Bearer;

#[derive(OpenApi)]
#[openapi(
    info(title = "lvs-ctl", description = "\
The controller of a Linux Virtual Server director that forwards in XDP.

Served on a Unix socket to those whom its permissions let in, and, where the controller is told so, \
over TLS to the holders of a token (`Authorization: Bearer TOKEN`; 401 without one).

Answers that are no success are a `Problem`. Unknown fields and parameters are refused. Addresses \
are text; ports, marks and weights are numbers; names end in their unit (`timeout_s`) where they \
have one."),
    components(schemas(Connection, Event)),
    modifiers(&Bearer),
)]
struct Document;

impl Modify for Bearer {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        if let Some(components) = &mut document.components {
            components.add_security_scheme("token", scheme);
        }
        // Needed over TLS, and not on the socket.
        let requirements =
            [SecurityRequirement::new::<_, _, &str>("token", []), SecurityRequirement::default()];
        document.security = Some(requirements.into());
    }
}

impl Default for Options {
    /// Room for a restore of a million rules.
    fn default() -> Self {
        let (_, stopping) = watch::channel(false);
        Self {
            body_max: 512 << 20,
            metrics: metrics::Options::default(),
            stopping,
            reload: None,
            health: Board::default(),
        }
    }
}

/// The API of the director behind `handle`, and its metrics alone.
pub fn routers(handle: Handle, options: Options) -> (Router, Router) {
    let (router, document) = documented().split_for_parts();
    let api = Api {
        handle,
        metrics: Arc::new(Metrics::new(options.metrics, options.health.clone())),
        document: Arc::new(text(&document)),
        stopping: options.stopping,
        reload: options.reload,
        health: options.health,
    };
    let metrics = Router::new().route("/metrics", get(routes::metrics));
    let finish = |router: Router<Api>| {
        router
            .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "no-route", "no such route") })
            .method_not_allowed_fallback(|| async {
                Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method", "no such method here")
            })
            .layer(DefaultBodyLimit::max(options.body_max))
            .layer(middleware::from_fn_with_state(api.clone(), count))
            .with_state(api.clone())
    };
    (finish(router), finish(metrics))
}

/// The API of the director behind `handle`.
pub fn router(handle: Handle, options: Options) -> Router {
    routers(handle, options).0
}

/// The OpenAPI document, as it is served.
#[must_use]
pub fn document() -> String {
    text(&documented().into_openapi())
}

fn documented() -> OpenApiRouter<Api> {
    routes::add_to(OpenApiRouter::with_openapi(Document::openapi()))
}

fn text(document: &openapi::OpenApi) -> String {
    // Plain structs are always JSON.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Counts requests by what became of them.
async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    api.metrics.count(&method, path, response.status());
    response
}
