//! The tables of sh, dh and mh against the plainest way to fill them.

use lvs_common::{
    hash::{Key, hsiphash_1u32},
    sched::{dh, mh, sh, table::EMPTY},
};
use proptest::{collection::vec, prelude::*};

/// A table filled by walking a list of real servers, each for so many buckets at a time.
fn walked(turns: &[u32]) -> Vec<u16> {
    let mut table = Vec::new();
    while table.len() < sh::SIZE {
        for (position, &turn) in (0..).zip(turns) {
            table.extend((0..turn.min(256)).map(|_| position));
        }
        if turns.is_empty() {
            table.push(EMPTY);
        }
    }
    table.truncate(sh::SIZE);
    table
}

/// Maglev as the paper has it: every real server's whole permutation, then pick after pick.
fn permuted(servers: &[mh::Server]) -> Vec<u16> {
    const KEYS: [u64; 2] = [2_654_435_761, 2_654_446_892];
    let mut table = vec![EMPTY; mh::SIZE];
    let Some(common) = (1..=u32::MAX >> 1)
        .take_while(|&by| servers.iter().any(|server| server.last_weight >= by))
        .filter(|by| servers.iter().all(|server| server.last_weight % by == 0))
        .last()
    else {
        return table;
    };
    let largest = servers.iter().map(|server| server.last_weight / common).max().unwrap();
    let mut shift = 0;
    while largest >> shift >= 64 {
        shift += 1;
    }
    let mut permutations: Vec<_> = servers
        .iter()
        .map(|server| {
            let word = server.address.wrapping_add(server.port.into());
            let [first, second] = KEYS.map(|key| hsiphash_1u32(word, Key(key, key)) as usize);
            let (offset, skip) = (first % mh::SIZE, second % (mh::SIZE - 1) + 1);
            (0..mh::SIZE).map(move |nth| (offset + nth * skip) % mh::SIZE)
        })
        .collect();
    let mut left = mh::SIZE;
    loop {
        for (position, server) in servers.iter().enumerate() {
            let share = (server.last_weight / common) >> shift;
            let turns = if server.last_weight > 0 { share.max(1) } else { 0 };
            for _ in 0..turns {
                let free = permutations[position].find(|&bucket| table[bucket] == EMPTY).unwrap();
                table[free] = u16::try_from(position).unwrap();
                left -= 1;
                if left == 0 {
                    return table;
                }
            }
        }
    }
}

fn server() -> impl Strategy<Value = mh::Server> {
    let last_weight = prop_oneof![1 => Just(0), 4 => 1..9_u32, 1 => 1..3000_u32];
    (any::<u32>(), any::<u16>(), last_weight).prop_map(|(address, port, last_weight)| mh::Server {
        address,
        port,
        last_weight,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn sh_and_dh_fill_as_one_would_by_hand(weights in vec(0..300_u32, 0..300)) {
        let mut table = [0; sh::SIZE];
        sh::build(&weights, &mut table);
        let turns: Vec<_> = weights.iter().map(|&weight| weight.max(1)).collect();
        prop_assert_eq!(&table[..], walked(&turns));
        dh::build(weights.len(), &mut table);
        prop_assert_eq!(&table[..], walked(&vec![1; weights.len()]));
    }

    #[test]
    fn mh_fills_as_the_paper_says(servers in vec(server(), 0..12)) {
        let mut table = [0; mh::SIZE];
        mh::build(&servers, &mut vec![mh::Walk::default(); servers.len()], &mut table).unwrap();
        prop_assert_eq!(&table[..], permuted(&servers));
    }
}
