//! A resolver that reads a table, for tests of what stands above.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc;

use super::{Report, Resolution, Resolver, Why};

/// Resolves from a table that a test changes through [`FixedTable`].
#[derive(Debug)]
pub struct Fixed {
    table: FixedTable,
    reports: mpsc::UnboundedReceiver<Vec<Report>>,
}

/// The test's end of a [`Fixed`] resolver: the network that it sees.
#[derive(Clone, Debug)]
pub struct FixedTable(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    known: BTreeMap<IpAddr, Resolution>,
    watched: BTreeSet<IpAddr>,
    reports: mpsc::UnboundedSender<Vec<Report>>,
}

impl Fixed {
    /// A resolver that finds each of `known` as given, and no route to anything else.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (IpAddr, Resolution)>) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let known = known.into_iter().collect();
        let inner = Inner { known, watched: BTreeSet::new(), reports: sender };
        Self { table: FixedTable(Arc::new(Mutex::new(inner))), reports }
    }

    /// The table, to change while the resolver is in use.
    #[must_use]
    pub fn table(&self) -> FixedTable {
        self.table.clone()
    }
}

impl Resolver for Fixed {
    fn watch(&mut self, addresses: BTreeSet<IpAddr>) {
        self.table.with(|inner| {
            let new: Vec<Report> = addresses
                .difference(&inner.watched)
                .map(|&address| inner.report(address))
                .collect();
            inner.watched = addresses;
            inner.send(new);
        });
    }

    async fn changed(&mut self) -> Option<Vec<Report>> {
        self.reports.recv().await
    }
}

impl FixedTable {
    /// Makes `address` resolve so from now on; reported if it is watched and this is a change.
    pub fn set(&self, address: IpAddr, resolution: Resolution) {
        self.with(|inner| {
            let before = inner.known.insert(address, resolution.clone());
            if inner.watched.contains(&address) && before.as_ref() != Some(&resolution) {
                inner.send(vec![Report { address, resolution }]);
            }
        });
    }

    /// The addresses watched now.
    #[must_use]
    pub fn watched(&self) -> BTreeSet<IpAddr> {
        self.with(|inner| inner.watched.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn report(&self, address: IpAddr) -> Report {
        let none = || Resolution::Unresolved(Why::NoRoute);
        Report { address, resolution: self.known.get(&address).cloned().unwrap_or_else(none) }
    }

    fn send(&self, reports: Vec<Report>) {
        if !reports.is_empty() {
            // The receiver lives in the `Fixed`; without it nobody listens any more.
            self.reports.send(reports).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

    fn lost() -> Resolution {
        Resolution::Unresolved(Why::NoRoute)
    }

    #[tokio::test]
    async fn an_address_is_reported_when_it_enters_and_when_it_changes() {
        let mut resolver = Fixed::new([(REAL, Resolution::Local)]);
        let table = resolver.table();
        resolver.watch([REAL].into());
        table.set(REAL, Resolution::Local);
        table.set(REAL, lost());

        let first = Report { address: REAL, resolution: Resolution::Local };
        assert_eq!(resolver.changed().await, Some(vec![first]));
        let second = Report { address: REAL, resolution: lost() };
        assert_eq!(resolver.changed().await, Some(vec![second]));
    }

    #[tokio::test]
    async fn an_address_that_returns_is_reported_anew() {
        let mut resolver = Fixed::new([]);
        for set in [vec![REAL], vec![], vec![REAL]] {
            resolver.watch(set.into_iter().collect());
        }
        for _ in 0..2 {
            let report = Report { address: REAL, resolution: lost() };
            assert_eq!(resolver.changed().await, Some(vec![report]));
        }
        assert_eq!(resolver.table().watched(), [REAL].into());
    }
}
