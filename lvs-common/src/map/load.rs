//! How busy a real server is.

use bytemuck::{Pod, Zeroable};

/// Connections that a real server has now, those that other CPUs are just making included.
///
/// Writer: program and sweeper, by atomic additions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Load {
    /// All connections but templates: active and inactive.
    pub total: u64,
    /// Those in an active state; see [`tcp_state`](crate::tcp_state).
    pub active: u64,
    /// 1 while over the upper threshold (`IP_VS_DEST_F_OVERLOAD`), else 0.
    pub overloaded: u64,
    /// Persistence templates.
    pub persistent: u64,
}

impl Load {
    /// Word of [`Self::total`] within the value.
    pub const TOTAL: usize = 0;
    /// Word of [`Self::active`].
    pub const ACTIVE: usize = 1;
    /// Word of [`Self::overloaded`].
    pub const OVERLOADED: usize = 2;
    /// Word of [`Self::persistent`].
    pub const PERSISTENT: usize = 3;
    /// Words of the value.
    pub const WORDS: usize = 4;

    /// Connections that are not active, as `InActConn` shows them.
    #[inline(always)]
    #[must_use]
    pub const fn inactive(&self) -> u64 {
        self.total.saturating_sub(self.active)
    }
}
