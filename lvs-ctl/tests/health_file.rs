//! What a table's health says in the configuration file.

use lvs_ctl::{
    config::{Config, Standing, difference, written},
    dataplane::memory::Memory,
    director::{ChangeRequest, Director, ListQuery, Listing, MarkListing, Options, TunableListing},
    model::{
        LoopbackOnly, Timeouts,
        health::{AllDown, OnDown, Span},
    },
};

const SERVICE: &str = "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n";
const ALL: &str = "check = [\"http://www.example.com/\", { type = \"tcp\", fall = 3 }]\n\
    [service.health]\non_down = \"remove\"\nreset = true\nall_down = \"sorry\"\nquorum = 3\n\
    hysteresis = 1\nslow_start = \"30s\"\ndamping = { flaps = 3, within = \"5m\", hold = \"1m\" }\n\
    [service.health.sorry_server]\naddress = \"192.0.2.99\"\ncheck = \"tcp\"\n\
    [[service.backend]]\naddress = \"192.0.2.11\"\n\
    [[service.backend]]\naddress = \"192.0.2.12\"\nbackup = true\ncheck = []\n";

fn read() -> Config {
    Config::parse("lvs.toml", format!("{SERVICE}{ALL}")).unwrap()
}

#[test]
fn what_follows_is_read_as_it_is_meant() {
    let config = read();
    let declared = &config.rules.services[0];
    let policy = &declared.health.policy;
    assert_eq!((policy.on_down, policy.all_down), (OnDown::Remove, AllDown::Sorry));
    assert_eq!((policy.quorum, policy.hysteresis, policy.reset), (3, 1, true));
    assert_eq!(policy.slow_start, Span::seconds(30));
    assert_eq!(policy.sorry_server.unwrap().addr.to_string(), "192.0.2.99:80");
    assert_eq!(policy.sorry_checks.len(), 1);
    assert_eq!(declared.dest_health[0].checks, None);
    assert_eq!(declared.dest_health[1].checks, Some(vec![]));
    assert!(declared.dest_health[1].backup);
}

#[test]
fn a_plan_says_what_is_checked() {
    let difference = difference(&read().rules, &nothing());
    let texts: Vec<_> = difference.steps.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 5, "{texts:#?}");
    assert!(texts[3].starts_with(
        "~ health of backend tcp:192.0.2.1:80 192.0.2.12:80: check as the service -> none"
    ));
    assert!(texts[4].starts_with(
        "~ health of service tcp:192.0.2.1:80: check none -> http://www.example.com/ {"
    ));
    assert!(texts[4].contains("slow_start 0s -> 30s"), "{}", texts[4]);
}

#[test]
fn what_is_written_says_the_same() {
    let config = read();
    let changes = difference(&config.rules, &nothing()).changes();
    let mut director = Director::new(Memory::default(), Box::new(LoopbackOnly), Options::default());
    let request = ChangeRequest { changes, all_or_nothing: true, if_revision: None };
    director.change(&request).unwrap();
    let listing = director.listing(&ListQuery::default()).unwrap();
    let standing = Standing { listing, ..nothing() };
    assert!(difference(&config.rules, &standing).is_empty());
    let text = written(&standing).unwrap();
    let again = Config::parse("lvs.toml", text.clone()).unwrap();
    assert_eq!(again.rules.services[0].health, config.rules.services[0].health, "{text}");
    assert_eq!(again.rules.services[0].dest_health, config.rules.services[0].dest_health);
}

fn nothing() -> Standing {
    Standing {
        listing: Listing { revision: 0, size: 4096, services: Vec::new() },
        timeouts: Timeouts::default(),
        tunables: TunableListing { revision: 0, tunables: Vec::new() },
        marks: MarkListing { revision: 0, marks: Vec::new(), declared: Vec::new() },
    }
}
