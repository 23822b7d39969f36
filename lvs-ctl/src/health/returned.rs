//! Checks that come early, because there is a way to a real server again.

use std::{collections::BTreeSet, net::IpAddr};

use tokio::sync::watch;

use super::Board;
use crate::director::Wanted;

/// Has the real servers of a host checked as soon as packets find the way to it again, until nobody
/// tells of ways any more.
pub async fn run(mut wanted: watch::Receiver<Wanted>, board: Board) {
    let mut lost = BTreeSet::new();
    loop {
        let now: BTreeSet<IpAddr> =
            wanted.borrow_and_update().unreachable.keys().copied().collect();
        lost.difference(&now).for_each(|host| board.hurry_host(*host));
        lost = now;
        if wanted.changed().await.is_err() {
            return;
        }
    }
}
