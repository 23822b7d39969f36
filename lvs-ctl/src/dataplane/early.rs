//! Fragments that come before the first one of their datagram: what a data plane hands over.

#![forbid(unsafe_code)]

use std::io;

use lvs_common::map::DatagramKey;

/// A fragment that came early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its datagram.
    pub key: DatagramKey,
    /// Where in it the fragment begins, units of eight bytes.
    pub start: u32,
    /// Number of the interface that it came in by.
    pub interface: u32,
    /// The frame as it came in, from the Ethernet header on.
    pub frame: Vec<u8>,
}

/// What a data plane tells whoever holds early fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A fragment came before the first.
    Early(Fragment),
    /// The first fragment of this datagram came.
    First(DatagramKey),
}

/// A data plane that hands early fragments over, and takes them again.
pub trait Fragments: Send {
    /// Waits for the next event; for none of early fragments while there is no room for them.
    ///
    /// # Errors
    /// There will be no more.
    fn next(&mut self, has_room: bool) -> impl Future<Output = io::Result<Event>> + Send;

    /// Says whether first fragments are to be told of.
    fn waits(&mut self, waits: bool);

    /// Whether the first fragment of a datagram has come.
    fn knows(&self, key: &DatagramKey) -> bool;

    /// Sends a fragment on its way; it is dropped, and counted, if the first one has not come.
    ///
    /// # Errors
    /// It went no way.
    fn release(&mut self, fragment: &Fragment) -> io::Result<()>;
}
