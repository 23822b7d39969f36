//! What schedulers that hash know of the packet.

/// The packet that asks for a connection, as schedulers see it.
///
/// Addresses are folded to 32 bits in host order: IPv4 as it is, IPv6 by
/// [`fold_v6`](crate::hash::fold_v6). Which of the two is the service's family, not the real
/// server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The client's address (sh, mh).
    pub client: u32,
    /// The client's port (sh-port, mh-port).
    pub client_port: u16,
    /// The address that the client called (dh).
    pub destination: u32,
}
