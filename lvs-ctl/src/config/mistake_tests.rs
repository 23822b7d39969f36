use super::super::Config;

/// What `lvs.toml` with this text is refused with.
fn refused(text: &str) -> String {
    Config::parse("lvs.toml", text.to_owned()).unwrap_err().to_string()
}

/// The same for a service that listens, followed by these lines, the first of which is line 3.
fn service(lines: &str) -> String {
    refused(&format!("[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n{lines}"))
}

/// The same for a real server with an address, followed by these lines, the first of which is line 5.
fn backend(lines: &str) -> String {
    service(&format!("[[service.backend]]\naddress = \"192.0.2.11\"\n{lines}"))
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    for (text, expected) in [
        ("interfaces = [\"eth0\"\n", "1:21: interfaces: unclosed array, expected `]`"),
        ("mode =", "1:7: mode: string values must be quoted, expected literal string"),
        ("mode = \"auto", "1:13: mode: invalid basic string, expected `\"`"),
        ("connections = 1\nconnections = 2", "2:1: connections: duplicate key"),
        ("\n  hello\n", "2:8: hello: key with no value, expected `=`"),
        ("[[service]", "1:11: service: unclosed array table, expected `]`"),
        ("[socket]\nmode = 0660", "2:8: socket.mode: unexpected leading zero, expected nothing"),
    ] {
        assert_eq!(refused(text), format!("lvs.toml:{expected}"));
    }
}

#[test]
fn a_refusal_is_one_line_whatever_keys_and_values_are_made_of() {
    let key = "[[service]]\n\"\"\"two\nlines\n\"\"\" = 1\n";
    assert!(
        refused(key).starts_with("lvs.toml:2:1: service[0].two\\nlines\\n: "),
        "{}",
        refused(key)
    );
    for text in [
        key,
        "\"two\\nlines\" = 1",
        "mode = \"two\\nlines\"",
        "[tunables]\n\"two\\nlines\" = 1",
        "[[service]]\nlisten = \"tcp:192.0.2.1:\\n80\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\nscheduler = \"two\\nlines\"",
        "[socket]\nmode = \"two\\r\\nlines\"",
    ] {
        let said = refused(text);
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

#[test]
fn a_tower_of_brackets_is_refused_like_everything_else() {
    for open in ["[", "{a="] {
        let text = format!("a = {}", open.repeat(100_000));
        assert!(refused(&text).starts_with("lvs.toml:1:"), "{open}");
    }
}

#[test]
fn unknown_keys_and_wrong_types_are_refused() {
    for (text, expected) in [
        (
            "[socket]\npaths = 1",
            "2:1: socket.paths: unknown field `paths`, expected one of `path`, `group`, `mode`",
        ),
        (
            "[timeouts]\ntcp = 1\ntcpfin = 2",
            "3:1: timeouts.tcpfin: unknown field `tcpfin`, expected one of `tcp`, `tcp_fin`, `udp`",
        ),
        (
            "mode = \"fast\"",
            "1:8: mode: unknown variant `fast`, expected one of `auto`, `native`, `generic`",
        ),
        ("connections = \"1\"", "1:15: connections: invalid type: string \"1\", expected u32"),
        (
            "interfaces = [\"a\", 3]",
            "1:20: interfaces[1]: invalid type: integer `3`, expected a string",
        ),
        ("[service]", "1:1: service: invalid type: map, expected a sequence"),
        (
            "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[[service.backend]]\nweight = 1",
            "3:1: service[0].backend[0]: missing field `address`",
        ),
        (
            "tunables = { a = 1.5 }",
            "1:18: tunables.a: invalid type: floating point `1.5`, expected a number, or two in brackets",
        ),
    ] {
        assert_eq!(refused(text), format!("lvs.toml:{expected}"));
    }
    assert!(refused("nosuch = 1").starts_with("lvs.toml:1:1: nosuch: unknown field `nosuch`"));
    assert!(service("nosuch = 1").starts_with("lvs.toml:3:1: service[0].nosuch: unknown field"));
    assert!(backend("port = 1").starts_with("lvs.toml:5:1: service[0].backend[0].port: unknown"));
}

#[test]
fn settings_out_of_range_are_refused() {
    for (text, expected) in [
        ("interfaces = [\"eth 0\"]", "1:15: interfaces[0]: `eth 0' is no name of an interface"),
        ("interfaces = [\"a\", \"a\"]", "1:20: interfaces[1]: a is there twice"),
        ("connections = 0", "1:15: connections: 0 is not between 1 and 134217728"),
        ("state_dir = \"lvs\"", "1:13: state_dir: this is no absolute path"),
        ("[socket]\npath = \"s\"", "2:8: socket.path: this is no absolute path"),
        ("[socket]\nmode = \"888\"", "2:8: socket.mode: `888' are no permissions such as 0660"),
        ("[socket]\nmode = \"7777\"", "2:8: socket.mode: `7777' are no permissions such as 0660"),
        (
            "[timeouts]\ntcp_fin = 2678401",
            "2:11: timeouts.tcp_fin: 2678401 is not between 1 and 2678400 seconds",
        ),
        ("[tunables]\nnosuch = 1", "2:10: tunables.nosuch: there is no tunable nosuch"),
        ("[tunables]\nsecure_tcp = 4", "2:14: tunables.secure_tcp: secure_tcp takes 0 to 3"),
        (
            "[tunables]\nsync_threshold = [50, 3]",
            "2:18: tunables.sync_threshold: sync_threshold takes T,N with 0 <= T < N, or N = 0",
        ),
    ] {
        assert_eq!(refused(text), format!("lvs.toml:{expected}"));
    }
}

#[test]
fn mark_rules_that_contradict_themselves_or_each_other_are_refused() {
    let mark = |lines: &str| refused(&format!("[[mark]]\ndestination = \"192.0.2.0/24\"\n{lines}"));
    for (lines, expected) in [
        ("mark = 0", "1:1: mark[0]: a firewall mark is greater than zero"),
        (
            "mark = 1\nports = \"80-\"",
            "4:9: mark[0].ports: `80-' is no list of ports: 80,443,8000-8100, each 1 to 65535",
        ),
        (
            "mark = 1\n[[mark]]\ndestination = \"192.0.2.1/24\"\nmark = 1",
            "5:15: mark[1].destination: `192.0.2.1/24' has bits set beyond its length: the prefix is 192.0.2.0/24",
        ),
        (
            "mark = 1\n[[mark]]\ndestination = \"192.0.2.0/24\"\nmark = 2",
            "4:1: mark[1]: another rule is as specific and gives another mark: --destination 192.0.2.0/24 1",
        ),
    ] {
        assert_eq!(mark(lines), format!("lvs.toml:{expected}"));
    }
}

#[test]
fn services_that_contradict_themselves_are_refused() {
    let identity = "a service has either listen, or protocol, address and port, or mark and family";
    for (lines, expected) in [
        ("port = 80", format!("1:1: service[0]: {identity}")),
        ("family = \"ipv4\"", format!("1:1: service[0]: {identity}")),
        (
            "scheduler = \"nosuch\"",
            "3:13: service[0].scheduler: `nosuch' is no scheduler: rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos".into(),
        ),
        (
            "flags = [\"port\", \"nosuch\"]",
            "3:18: service[0].flags[1]: `nosuch' is no flag: fallback, port, flag-1, flag-2, flag-3".into(),
        ),
        ("netmask = 24", "3:11: service[0].netmask: this needs persistent".into()),
        (
            "netmask = 33\npersistent = 1",
            "3:11: service[0].netmask: `33' is no netmask for this address family".into(),
        ),
        (
            "persistent = 0",
            "3:14: service[0].persistent: 0 is not between 1 and 2678400 seconds".into(),
        ),
        ("engine = \"x\"", "3:10: service[0].engine: `x' is no persistence engine: sip".into()),
        ("one_packet = true", "3:14: service[0].one_packet: this is for UDP services".into()),
        (
            "\n[[service]]\nprotocol = \"tcp\"\naddress = \"192.0.2.1\"\nport = 80",
            "4:1: service[1]: tcp:192.0.2.1:80 is there twice".into(),
        ),
    ] {
        assert_eq!(service(lines), format!("lvs.toml:{expected}"));
    }
    assert_eq!(refused("[[service]]"), format!("lvs.toml:1:1: service[0]: {identity}"));
    assert_eq!(
        refused("[[service]]\nlisten = \"tcp:192.0.2.1:0\""),
        "lvs.toml:1:1: service[0]: port 0 (every port) needs persistent"
    );
    assert_eq!(
        refused("[[service]]\nlisten = \"192.0.2.1:80\""),
        "lvs.toml:2:10: service[0].listen: `192.0.2.1:80' is no virtual service: it begins with tcp:, udp:, sctp:, fwmark: or fwmark6:"
    );
}

#[test]
fn real_servers_that_contradict_themselves_are_refused() {
    for (lines, expected) in [
        ("weight = 2147483648", "5:10: @.weight: 2147483648 is more than 2147483647"),
        ("upper = 1\nlower = 2", "6:9: @.lower: this is more than upper"),
        ("tunnel = \"gre\"", "5:10: @.tunnel: this needs method = \"tun\""),
        ("method = \"tun\"\ntunnel = \"gue\"", "6:10: @.tunnel: gue needs tunnel_port"),
        ("method = \"tun\"\ntunnel_port = 1", "6:15: @.tunnel_port: this is for tunnel = \"gue\""),
        (
            "method = \"tun\"\ntunnel = \"gue\"\ntunnel_port = 0",
            "7:15: @.tunnel_port: 0 is no port",
        ),
        (
            "method = \"tun\"\ntunnel = \"gre\"\ntunnel_checksum = \"remote\"",
            "7:19: @.tunnel_checksum: remote is for tunnel = \"gue\"",
        ),
        (
            "method = \"tun\"\ntunnel_checksum = \"full\"",
            "6:19: @.tunnel_checksum: this is for tunnel = \"gue\" or \"gre\"",
        ),
        (
            "[[service.backend]]\naddress = \"[192.0.2.11]:80\"",
            "6:11: service[0].backend[1].address: `[192.0.2.11]:80' is no address",
        ),
        (
            "[[service.backend]]\naddress = \"192.0.2.11:80\"",
            "5:1: service[0].backend[1]: 192.0.2.11:80 is there twice",
        ),
        (
            "[[service.backend]]\naddress = \"192.0.2.12:81\"",
            "6:11: service[0].backend[1].address: only method nat can change the port",
        ),
    ] {
        let expected = expected.replace('@', "service[0].backend[0]");
        assert_eq!(backend(lines), format!("lvs.toml:{expected}"));
    }
}
