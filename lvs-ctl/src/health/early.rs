//! Checks that come early, because a real server's connections say that it may have gone.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::Board;
use crate::model::{DestAddr, ServiceId, Sign, Signs};

/// So many looks back, a second each, that is compared with.
const WINDOW: usize = 3;
/// Fewer connections more say nothing.
const SUDDEN: u32 = 3;

/// Has the real servers checked at once whose connections are suddenly not answered, or reset, until nobody
/// tells of connections any more.
pub async fn run(mut told: watch::Receiver<Arc<Signs>>, board: Board) {
    let mut past = Past::default();
    while told.changed().await.is_ok() {
        let now = told.borrow_and_update().clone();
        for (service, dest) in past.suspects(now) {
            tracing::debug!(%service, %dest, "its connections are not answered: it is checked now");
            board.hurry(&service, &dest);
        }
    }
}

/// The last few looks, oldest first.
#[derive(Default)]
struct Past(VecDeque<Arc<Signs>>);

impl Past {
    /// The real servers that look worse than they did; `now` is remembered.
    fn suspects(&mut self, now: Arc<Signs>) -> Vec<(ServiceId, DestAddr)> {
        let then = self.0.front().cloned().unwrap_or_default();
        let is_suspect = |key: &(ServiceId, DestAddr), sign: &Sign| {
            let then = then.get(key).copied().unwrap_or_default();
            is_sudden(then.unanswered, sign.unanswered) || is_sudden(then.reset, sign.reset)
        };
        let suspects = now.iter().filter(|(key, sign)| is_suspect(key, sign));
        let suspects = suspects.map(|(key, _)| *key).collect();
        self.0.push_back(now);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
        suspects
    }
}

/// Twice as many, and some: what a round trip's length leaves unanswered at any time comes and goes by
/// less.
const fn is_sudden(then: u32, now: u32) -> bool {
    now >= then.saturating_mul(2).saturating_add(SUDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    const KEY: (ServiceId, DestAddr) = (
        ServiceId::Address {
            protocol: Protocol::Tcp,
            address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
            port: 80,
        },
        DestAddr { address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), port: 80 },
    );

    /// At which looks it was suspected.
    fn suspected(unanswered: &[u32], reset: &[u32]) -> Vec<usize> {
        let mut past = Past::default();
        let signs = unanswered.iter().zip(reset).map(|(&unanswered, &reset)| {
            Arc::new(Signs::from([(KEY, Sign { unanswered, reset })]))
        });
        let looks = signs.map(|signs| past.suspects(signs)).enumerate();
        looks.filter(|(_, suspects)| suspects[..] == [KEY]).map(|(look, _)| look).collect()
    }

    #[test]
    fn connections_that_nobody_answers_are_suspicious_many_at_once_or_a_few_in_a_row() {
        assert_eq!(suspected(&[0, 0, 8], &[0; 3]), [2]);
        assert_eq!(suspected(&[0, 1, 2, 3, 4], &[0; 5]), [3], "one a second");
        assert_eq!(suspected(&[0; 3], &[0, 1, 30]), [2], "resets as well");
    }

    #[test]
    fn what_is_on_its_way_in_a_busy_service_is_not() {
        assert_eq!(suspected(&[0, 2, 1, 2, 0, 2], &[0; 6]), [0; 0]);
        let busy = [100, 130, 90, 150, 110, 180, 95];
        assert_eq!(suspected(&busy, &[0; 7]), [0], "only before anything is known of it");
        assert_eq!(suspected(&[100, 130, 90, 1100], &[0; 4]), [0, 3]);
    }

    #[test]
    fn what_stays_as_bad_is_suspected_no_more() {
        assert_eq!(suspected(&[0, 9, 9, 9, 9, 9], &[0; 6]), [1, 2, 3]);
    }
}
