//! What the director is asked.

use std::{net::IpAddr, ops::ControlFlow};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::DirectorError;
use crate::{
    dataplane::Connections,
    model::{Change, Connection, ServiceId, service_text},
};

/// A list of changes, made in order and seen by packets at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// The changes.
    pub changes: Vec<Change>,
    /// Make none if one is refused; otherwise refused ones are skipped and reported.
    #[serde(default)]
    pub all_or_nothing: bool,
    /// Make none unless the table still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<u64>,
}

/// What a listing shall contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// One service only.
    pub service: Option<ServiceId>,
    /// With counters.
    pub stats: bool,
    /// With rates.
    pub rates: bool,
}

/// The next services of a listing in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// The last service of the piece before.
    pub after: Option<ServiceId>,
    /// Enough for a piece: so many real servers.
    pub enough: usize,
}

/// Which connections are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionQuery {
    /// Only of this service.
    #[serde(with = "service_text::optional", skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Only from this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// Only to this VIP.
    #[serde(rename = "virtual", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub vip: Option<IpAddr>,
    /// Only at this real server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub dest: Option<IpAddr>,
    /// Only in the state of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// At most this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl ConnectionQuery {
    /// Whether `connection` is one of them, if it is of the service.
    fn wants(&self, connection: &Connection) -> bool {
        self.client.is_none_or(|client| client == connection.client.address)
            && self.vip.is_none_or(|vip| vip == connection.vip.address)
            && self.dest.is_none_or(|dest| dest == connection.dest.address)
            && self.state.as_ref().is_none_or(|state| *state == connection.state)
    }
}

/// The connections that a query wants, to be looked at beside the director.
pub struct Found {
    connections: Box<dyn Connections>,
    query: ConnectionQuery,
}

impl Found {
    pub(super) fn new(connections: Box<dyn Connections>, query: ConnectionQuery) -> Self {
        Self { connections, query }
    }

    /// Shows them, until `visit` breaks off.
    ///
    /// # Errors
    /// The data plane's table could not be read to its end.
    pub fn visit(
        &self,
        visit: &mut dyn FnMut(Connection) -> ControlFlow<()>,
    ) -> Result<(), DirectorError> {
        let mut left = self.query.limit.unwrap_or(usize::MAX);
        let shown = self.connections.visit(self.query.service.as_ref(), &mut |connection| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            if !self.query.wants(&connection) {
                return ControlFlow::Continue(());
            }
            left -= 1;
            visit(connection)
        });
        shown.map_err(DirectorError::from)
    }
}
