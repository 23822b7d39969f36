//! Holds fragments that came before the first one of their datagram, and sends them on their way behind it: at
//! most so many, at most for a second. The data plane drops and counts what comes while there is no room.

#![forbid(unsafe_code)]

mod store;
#[cfg(test)]
mod tests;

use std::{future, io};

use tokio::time::{Instant, sleep_until};

use self::store::Store;
use crate::dataplane::early::{Event, Fragment, Fragments};

/// Runs until the data plane has no more to tell.
///
/// # Errors
/// The data plane's.
pub async fn run(mut plane: impl Fragments) -> io::Result<()> {
    let mut store = Store::default();
    loop {
        let deadline = store.deadline();
        let overdue = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => future::pending().await,
            }
        };
        let released = tokio::select! {
            event = plane.next(store.has_room()) => match event? {
                Event::Early(fragment) => came(&mut plane, &mut store, fragment),
                Event::First(key) => store.take(&key),
            },
            // The first one came unnoticed, or not at all: then they are dropped.
            () = overdue => store.overdue(Instant::now()),
        };
        for fragment in released {
            if let Err(error) = plane.release(&fragment) {
                tracing::debug!(%error, interface = fragment.interface, "a fragment went no way");
            }
        }
        if store.is_empty() {
            plane.waits(false);
        }
    }
}

/// What is to go on now that a fragment has come.
fn came(plane: &mut impl Fragments, store: &mut Store, fragment: Fragment) -> Vec<Fragment> {
    // Before it is asked whether the first has come: whoever comes behind is told of.
    plane.waits(true);
    if plane.knows(&fragment.key) {
        return vec![fragment];
    }
    store.hold(fragment, Instant::now()).into_iter().collect()
}
