//! Real servers with their counts, compared in order.

use lvs_tests::rig::Rig;

/// Real server, weight, active and inactive connections.
pub(crate) type Row = (String, u32, u32, u32);

/// The orders in which a recording may list its services; each look leaves fewer.
pub(crate) struct Orders(Vec<Vec<usize>>);

impl Orders {
    /// Of so many services.
    pub(crate) fn new(services: usize) -> Self {
        Self(permutations(services))
    }

    /// What differs. After a client's port was used again, the old connection may still be counted.
    pub(crate) fn check(
        &mut self,
        rig: &Rig<'_>,
        recorded: &[Row],
        reused: bool,
    ) -> Option<String> {
        let ours = rows(rig);
        let in_order = |order: &Vec<usize>| -> Vec<Row> {
            order
                .iter()
                .flat_map(|&service| ours.get(service).cloned().unwrap_or_default())
                .collect()
        };
        let agree = |order: &&Vec<usize>| {
            let ours = in_order(order);
            ours == recorded || reused && one_is_left(&ours, recorded)
        };
        let left: Vec<_> = self.0.iter().filter(agree).cloned().collect();
        if left.is_empty() {
            let first = self.0.first().map(in_order).unwrap_or_default();
            return Some(format!(
                "real servers: expected {}, got {}",
                text(recorded),
                text(&first)
            ));
        }
        self.0 = left;
        None
    }
}

/// Every service's real servers, newest first; the services in the order in which they were added.
fn rows(rig: &Rig<'_>) -> Vec<Vec<Row>> {
    let services = rig.listing().services.into_iter();
    services
        .map(|service| {
            let row = |entry: lvs_ctl::api::types::DestEntry| {
                let (dest, load) = (entry.dest, entry.load);
                (dest.addr.to_string(), dest.weight, load.active, load.inactive)
            };
            service.dests.into_iter().map(row).collect()
        })
        .collect()
}

/// Whether the recording counts one inactive connection more, and else the same.
fn one_is_left(ours: &[Row], recorded: &[Row]) -> bool {
    let more: Vec<_> = ours.iter().zip(recorded).filter(|(ours, theirs)| ours != theirs).collect();
    let [(ours, theirs)] = more[..] else { return false };
    (ours.0 == theirs.0 && ours.1 == theirs.1 && ours.2 == theirs.2) && ours.3 + 1 == theirs.3
}

fn text(rows: &[Row]) -> String {
    let rows = rows.iter().map(|(server, weight, active, inactive)| {
        format!("{server} w{weight} {active}+{inactive}")
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(", "))
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    let Some(last) = of.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: &Vec<usize>, place: usize| {
        let mut order = order.clone();
        order.insert(place, last);
        order
    };
    let shorter = permutations(last);
    shorter.iter().flat_map(|order| (0..of).map(move |place| insert(order, place))).collect()
}
