//! Where a fragment's first steps leave what the next ones need.

use super::Desk;
use crate::{Connection, packet::Packet};

/// What a fragment's first steps leave.
pub struct Left<A> {
    /// The packet.
    pub packet: Option<Packet<A>>,
    /// Its connection.
    pub connection: Option<Connection>,
    /// The address that the client called.
    pub address: Option<A>,
}

impl<A> Default for Left<A> {
    fn default() -> Self {
        Self { packet: None, connection: None, address: None }
    }
}

impl<A> Desk<A> for Left<A> {
    fn packet(&mut self, packet: Packet<A>) {
        self.packet = Some(packet);
    }

    fn connection(&mut self, connection: Connection) {
        self.connection = Some(connection);
    }

    fn address(&mut self, address: A) {
        self.address = Some(address);
    }
}
