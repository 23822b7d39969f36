//! The order of listings, quirks included.
//!
//! ipvsadm compares addresses and marks by their 32-bit difference as a C `int`, so what lies more
//! than 2^31 apart comes out the other way round; the comparison is then no order at all, and what
//! it sorts to depends on the algorithm. glibc's `qsort` is a top-down merge sort; so is this.

use std::net::{IpAddr, Ipv6Addr};

use crate::api::types::{DestEntry, Family, Protocol, ServiceEntry, ServiceId};

/// The services in the order of a listing.
pub(super) fn services(entries: &[ServiceEntry], nosort: bool) -> Vec<&ServiceEntry> {
    if nosort {
        let is_mark = |entry: &&ServiceEntry| matches!(entry.service.id, ServiceId::Mark { .. });
        // The kernel walks its table of addresses, then that of marks.
        let (marks, addresses): (Vec<_>, Vec<_>) = entries.iter().partition(is_mark);
        return addresses.into_iter().chain(marks).collect();
    }
    let entries: Vec<_> = entries.iter().collect();
    merge_sort(&entries, &|a, b| compare_services(a.service.id, b.service.id))
}

/// The real servers in the order of a listing.
pub(super) fn dests(entries: &[DestEntry], nosort: bool) -> Vec<&DestEntry> {
    let entries: Vec<_> = entries.iter().collect();
    if nosort {
        return entries;
    }
    merge_sort(&entries, &|a, b| {
        let (a, b) = (a.dest.addr, b.dest.addr);
        first_difference([compare_addresses(a.address, b.address), difference(a.port, b.port)])
    })
}

fn compare_services(a: ServiceId, b: ServiceId) -> i32 {
    let mark = |id| match id {
        ServiceId::Mark { mark, .. } => mark,
        ServiceId::Address { .. } => 0,
    };
    let family = |id: ServiceId| u16::from(id.family() == Family::Ipv6);
    let key = |id| match id {
        ServiceId::Address { protocol, address, port } => Some((protocol, address, port)),
        ServiceId::Mark { .. } => None,
    };
    let number = |protocol: Protocol| u16::from(protocol.number());
    let rest = match (key(a), key(b)) {
        (Some((a_protocol, a_address, a_port)), Some((b_protocol, b_address, b_port))) => {
            first_difference([
                difference(number(a_protocol), number(b_protocol)),
                compare_addresses(a_address, b_address),
                difference(a_port, b_port),
            ])
        }
        _ => 0,
    };
    first_difference([wrapped(mark(a), mark(b)), difference(family(a), family(b)), rest])
}

fn compare_addresses(a: IpAddr, b: IpAddr) -> i32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => wrapped(a.to_bits(), b.to_bits()),
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let (a, b) = (words(a), words(b));
            first_difference([0, 1, 2, 3].map(|index| wrapped(a[index], b[index])))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) => -1,
        (IpAddr::V6(_), IpAddr::V4(_)) => 1,
    }
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "32 bits at a time")]
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

fn wrapped(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

fn difference(a: u16, b: u16) -> i32 {
    i32::from(a) - i32::from(b)
}

fn first_difference<const N: usize>(differences: [i32; N]) -> i32 {
    differences.into_iter().find(|&difference| difference != 0).unwrap_or(0)
}

fn merge_sort<T: Copy>(items: &[T], compare: &dyn Fn(&T, &T) -> i32) -> Vec<T> {
    if items.len() <= 1 {
        return items.to_vec();
    }
    let (left, right) = items.split_at(items.len() / 2);
    let mut left = merge_sort(left, compare).into_iter().peekable();
    let mut right = merge_sort(right, compare).into_iter().peekable();
    let mut merged = Vec::with_capacity(items.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let side = if compare(a, b) <= 0 { &mut left } else { &mut right };
        merged.extend(side.next());
    }
    merged.extend(left.chain(right));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        merge_sort(&addresses, &|a, b| compare_addresses(*a, *b))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn addresses_sort_as_numbers() {
        assert_eq!(
            sorted(&["10.0.0.10", "10.0.0.9", "10.0.0.100"]),
            ["10.0.0.9", "10.0.0.10", "10.0.0.100"]
        );
    }

    #[test]
    fn what_is_too_far_apart_comes_out_as_from_glibc() {
        let newest_first = ["169.254.1.1", "127.0.0.0", "255.255.255.254", "240.0.0.1", "0.0.0.1"];
        let recorded = ["127.0.0.0", "169.254.1.1", "240.0.0.1", "255.255.255.254", "0.0.0.1"];
        assert_eq!(sorted(&newest_first), recorded);
    }

    #[test]
    fn ipv4_comes_before_ipv6() {
        assert_eq!(sorted(&["::1", "192.0.2.1"]), ["192.0.2.1", "::1"]);
    }
}
