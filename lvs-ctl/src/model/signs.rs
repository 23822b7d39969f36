//! What connections tell of real servers that may have gone.

use std::collections::BTreeMap;

use super::{DestAddr, ServiceId};

/// What the TCP connections of one real server tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sign {
    /// Connections that nobody has answered, or whose client has not said so yet (`SYN_RECV`).
    pub unanswered: u32,
    /// Connections that were reset (`CLOSE`).
    pub reset: u32,
}

/// The same of all real servers that have such connections.
pub type Signs = BTreeMap<(ServiceId, DestAddr), Sign>;
