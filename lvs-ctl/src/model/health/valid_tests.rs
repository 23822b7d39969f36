use super::*;
use crate::model::health::{Check, CheckType, Kind, Silence, Span, Timing, Via};

fn read(toml: &str) -> Result<Check, String> {
    let spec: CheckSpec = toml::from_str(toml).map_err(|error| error.message().to_owned())?;
    spec.read().map_err(|wrong| wrong.to_string())
}

#[test]
fn what_is_left_out_is_as_by_default() {
    let check = read("type = \"tcp\"").unwrap();
    assert_eq!((check.timing, check.via, check.kind), (Timing::DEFAULT, Via::Service, Kind::Tcp));
    let check = read("type = \"tcp\"\ninterval = 1").unwrap();
    assert_eq!(check.timing.timeout, Span::seconds(1), "never longer than the interval");
    assert_eq!(read("type = \"tcp\"\nport = 8080").unwrap().via, Via::Direct);
    assert_eq!(read("type = \"icmp\"").unwrap().via, Via::Direct);
}

#[test]
fn a_web_check_has_all_it_needs() {
    let check = read(
        "type = \"https\"\npath = \"/h?a=1\"\nhost = \"www.example.com:8443\"\n\
         status = \"200, 300-399\"\nbody = \"^ok\"\nverify = true\nversion = \"1.0\"\n\
         digest = \"md5:00112233445566778899aabbccddeeff\"\n[headers]\nX-Check = \"1\"\n",
    );
    let Kind::Http(http) = check.unwrap().kind else { panic!("no HTTP") };
    assert_eq!(http.status, [200..=200, 300..=399]);
    assert_eq!(http.tls.unwrap().sni.as_deref(), Some("www.example.com"));
    assert!(http.is_1_0 && http.digest.is_some());
    let check = read("type = \"https\"\nhost = \"[2001:db8::1]:443\"").unwrap();
    let Kind::Http(http) = check.kind else { panic!("no HTTP") };
    assert_eq!(http.tls.unwrap().sni, None, "an address is no name");
}

#[test]
fn escapes_are_bytes() {
    assert_eq!(unescaped(r"a\r\n\x00\xff\\ä"), Ok(b"a\r\n\x00\xff\\\xc3\xa4".to_vec()));
    for wrong in [r"\", r"\q", r"\x", r"\x1", r"\xä"] {
        assert!(unescaped(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn silence_is_a_failure_where_something_is_expected() {
    let kind = |text: &str| read(&format!("type = \"udp\"\n{text}")).unwrap().kind;
    assert!(matches!(kind(""), Kind::Udp(_, Silence::Success)));
    assert!(matches!(kind("expect = \"a\""), Kind::Udp(_, Silence::Failure)));
    assert!(matches!(kind("require_reply = true"), Kind::Udp(_, Silence::Failure)));
}

#[test]
fn presets_are_exchanges() {
    for kind in [CheckType::Redis, CheckType::Mysql, CheckType::Postgres] {
        let Kind::Exchange(exchange) = CheckSpec::of(kind).read().unwrap().kind else {
            panic!("{} is no exchange", kind.name())
        };
        compile(exchange.expect.as_deref().unwrap()).unwrap();
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_field() {
    for (text, words) in [
        ("", "missing field `type`"),
        ("type = \"gopher\"", "unknown variant `gopher`"),
        ("type = \"tcp\"\nnosuch = 1", "unknown field `nosuch`"),
        ("type = \"tcp\"\ninterval = 1\ntimeout = 2", "interval: the interval (1s) is shorter"),
        ("type = \"tcp\"\ntimeout = 6", "timeout: the interval (5s) is shorter"),
        ("type = \"tcp\"\ninterval = \"10ms\"", "interval: 10ms is less than 100ms"),
        ("type = \"tcp\"\ntimeout = 0", "timeout: no check is that fast"),
        ("type = \"tcp\"\nretry = 9", "retry: 9s is longer than the interval (5s)"),
        ("type = \"tcp\"\nrise = 0", "rise: 0 is not between 1 and 1000"),
        ("type = \"tcp\"\njitter = 51", "jitter: 51 is more than 50"),
        ("type = \"tcp\"\nport = 0", "port: 0 is no port"),
        ("type = \"tcp\"\npath = \"/\"", "path: this is for type http, https"),
        ("type = \"http\"\nsni = \"a\"", "sni: this is for type https"),
        ("type = \"tcp\"\nport = 1\nvia = \"service\"", "via: a check of another address or port"),
        ("type = \"icmp\"\nvia = \"service\"", "via: this type goes direct"),
        ("type = \"http\"\npath = \"healthz\"", "path: `healthz' does not begin with /"),
        ("type = \"http\"\npath = \"/a b\"", "path: `/a b' has a character"),
        ("type = \"http\"\npath = \"/a#b\"", "path: `/a#b' has a fragment"),
        ("type = \"http\"\nhost = \"a b\"", "host: `a b' is no host name"),
        ("type = \"http\"\nstatus = \"99\"", "status: `99' is no status"),
        ("type = \"http\"\nstatus = \"299-200\"", "status: `299-200' is no status"),
        ("type = \"http\"\nbody = \"(\"", "body: `(' is no regular expression: unclosed group"),
        ("type = \"http\"\nversion = \"2\"", "version: `2' is neither 1.0 nor 1.1"),
        ("type = \"http\"\nmethod = \"POST\"", "method: `POST' is no method of a check"),
        ("type = \"http\"\nmethod = \"HEAD\"\nbody = \"a\"", "method: HEAD has no body"),
        ("type = \"http\"\ndigest = \"md5:00\"", "digest: `md5:00' is neither md5:"),
        ("type = \"http\"\n[headers]\n\"a b\" = \"c\"", "headers: `a b' is no name of a header"),
        ("type = \"https\"\nca = \"/etc/ca.pem\"", "ca: this needs verify"),
        ("type = \"https\"\nverify = true\nca = \"ca.pem\"", "ca: this is no absolute path"),
        (
            "type = \"udp\"\nexpect = \"a\"\nrequire_reply = false",
            "require_reply: what is expected",
        ),
        ("type = \"exchange\"", "expect: nothing is sent and nothing expected"),
        ("type = \"exchange\"\nsend = '\\q'", "send: `\\q' is no escape"),
        ("type = \"dns\"\nname = \"a..b\"", "name: `a..b' is no domain name"),
        ("type = \"dns\"\nrecord = \"XX\"", "record: `XX' is no type of record"),
        ("type = \"smtp\"\nhelo = \"a b\"", "helo: `a b' is no name to greet by"),
        ("type = \"exec\"", "command: a program is missing"),
        ("type = \"exec\"\ncommand = [\"check\"]", "command: `check' is no absolute path"),
    ] {
        let refused = read(text).expect_err(text);
        assert!(refused.starts_with(words), "{text}: {refused}");
    }
}
