use super::super::Config;
use crate::model::health::CheckType;

const SERVICE: &str = "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n";

fn parse(lines: &str) -> Config {
    Config::parse("lvs.toml", format!("{SERVICE}{lines}")).unwrap()
}

fn refused(lines: &str) -> String {
    Config::parse("lvs.toml", format!("{SERVICE}{lines}")).unwrap_err().to_string()
}

#[test]
fn a_check_is_a_word_a_table_or_a_list() {
    for (lines, kinds) in [
        ("check = \"http:/healthz\"", vec![CheckType::Http]),
        ("check = [\"tcp\", \"icmp\"]", vec![CheckType::Tcp, CheckType::Icmp]),
        ("check = { type = \"dns\", name = \"example.com\" }", vec![CheckType::Dns]),
        ("[service.check]\ntype = \"tcp\"\ninterval = \"1s\"", vec![CheckType::Tcp]),
        (
            "[[service.check]]\ntype = \"tcp\"\n[[service.check]]\ntype = \"smtp\"\nport = 25",
            vec![CheckType::Tcp, CheckType::Smtp],
        ),
        ("", vec![]),
    ] {
        let health = &parse(lines).rules.services[0].health;
        let found: Vec<_> = health.checks.iter().map(|spec| spec.kind).collect();
        assert_eq!(found, kinds, "{lines}");
    }
}

#[test]
fn a_wrong_check_is_refused_with_its_place() {
    for (lines, expected) in [
        ("check = \"gopher:/\"", "3:9: service[0].check: type: `gopher' is no type of check: "),
        ("check = \"http:x\"", "3:9: service[0].check: path: `x' does not begin with /"),
        ("check = [\"tcp\", \"tcp:0\"]", "3:17: service[0].check[1]: port: `0' is no port"),
        (
            "[service.check]\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"2s\"",
            "5:12: service[0].check.interval: the interval (1s) is shorter than the timeout (2s)",
        ),
        (
            "[service.check]\ntype = \"gopher\"",
            "4:8: service[0].check.type: unknown variant `gopher`, expected one of `tcp`, `http`",
        ),
        (
            "[[service.check]]\ntype = \"tcp\"\n[[service.check]]\ntype = \"http\"\nbody = \"(\"",
            "7:8: service[0].check[1].body: `(' is no regular expression: unclosed group",
        ),
        (
            "[service.check]\ntype = \"tcp\"\nnosuch = 1",
            "5:1: service[0].check.nosuch: unknown field `nosuch`",
        ),
        (
            "[[service.backend]]\naddress = \"192.0.2.11\"\ncheck = { type = \"exec\" }",
            "5:9: service[0].backend[0].check.command: a program is missing",
        ),
        (
            "[service.health]\nquorum = 2\nhysteresis = 2",
            "5:14: service[0].health.hysteresis: 2 is not less than the quorum (2)",
        ),
        (
            "[service.health]\nall_down = \"sorry\"",
            "4:12: service[0].health.all_down: there is no sorry_server",
        ),
        (
            "[service.health]\nslow_start = \"5 parsecs\"",
            "4:14: service[0].health.slow_start: `5 parsecs' is no length of time",
        ),
    ] {
        let refused = refused(lines);
        let expected = format!("lvs.toml:{expected}");
        assert!(refused.starts_with(&expected), "{refused}\n{expected}");
    }
}

#[test]
fn a_service_of_a_mark_is_checked_direct() {
    let of_mark = |lines: &str| {
        Config::parse("lvs.toml", format!("[[service]]\nlisten = \"fwmark:7\"\n{lines}"))
    };
    of_mark("check = \"tcp\"").unwrap();
    for (lines, place) in [
        ("check = { type = \"tcp\", via = \"service\" }", "3:31: service[0].check.via"),
        (
            "[[service.backend]]\naddress = \"192.0.2.11\"\n[[service.backend.check]]\n\
                type = \"tcp\"\nvia = \"service\"",
            "7:7: service[0].backend[0].check[0].via",
        ),
    ] {
        let refused = of_mark(lines).unwrap_err().to_string();
        let why = "a service of a firewall mark has no VIP to check through: its checks go direct";
        let expected = format!("lvs.toml:{place}: {why}");
        assert!(refused.starts_with(&expected), "{refused}\n{expected}");
    }
}
