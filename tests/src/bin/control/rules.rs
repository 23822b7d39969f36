//! Many rules, as ipvsadm saves them.

use std::fmt::Write as _;

use lvs_tests::layout;

/// The service that is really asked.
pub const PROBE: &str = "192.168.4.15:80";

/// Real servers of each service.
const POOL: u32 = 10;

/// So many services, and the weight of their real servers.
#[derive(Clone, Copy)]
pub struct Rules {
    pub services: u32,
    pub weight: u32,
}

impl Rules {
    /// The lines. Every tenth service has the same real servers.
    pub fn text(self) -> String {
        let Self { services, weight } = self;
        let mut text = format!("-A -t {PROBE} -s rr\n");
        for (_, rip) in layout::DR_SERVERS {
            // Writing to a string does not fail.
            writeln!(text, "-a -t {PROBE} -r {rip}:80 -g -w 1").ok();
        }
        for service in 0..services {
            let vip = format!("10.0.{}.{}:80", service / 250, service % 250);
            writeln!(text, "-A -t {vip} -s wrr").ok();
            for real in 0..POOL {
                let number = (service * POOL + real) % 10_000;
                let rip = format!("10.128.{}.{}:80", number / 250, number % 250);
                writeln!(text, "-a -t {vip} -r {rip} -g -w {weight}").ok();
            }
        }
        text
    }
}
