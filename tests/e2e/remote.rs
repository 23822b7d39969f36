//! The API from elsewhere, over TLS; and who changed what.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt, path::Path};

use crate::cluster::Cluster;

const ADDRESS: &str = "127.0.0.1:6443";
const TOKEN: &str = "0123456789abcdefghij";

/// Certificate, key and tokens, and the configuration that names them.
fn files(directory: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["director.test".to_owned()]).unwrap();
    let files = [
        ("certificate", "cert.pem", made.cert.pem()),
        ("key", "key.pem", made.signing_key.serialize_pem()),
        ("token_file", "tokens", format!("deploy change {TOKEN}\n")),
    ];
    let mut lines = format!("[api]\nlisten = \"{ADDRESS}\"\n");
    for (key, name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        writeln!(lines, "{key} = \"{}\"", path.display()).unwrap();
    }
    lines
}

#[test]
fn a_change_over_tls_is_made_for_a_token_only_and_the_log_says_for_whom() {
    let cluster = Cluster::told(|topology, settings| {
        let directory = topology.lab().directory();
        let config = directory.join("api.toml");
        fs::write(&config, files(directory)).unwrap();
        let config = config.to_str().unwrap();
        settings.arguments =
            ["--config", config, "--log-format", "journald"].map(str::to_owned).into();
    });
    let director = &cluster.director;
    let add = r#"{"changes": [{"add-service": {"scheduler": "rr", "id":
        {"address": {"protocol": "tcp", "address": "192.168.4.5", "port": 80}}}}]}"#;
    let curl = |token: &str| {
        let line = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' --cacert cert.pem \
             --connect-to director.test:443:{ADDRESS} -H 'Authorization: Bearer {token}' \
             -H 'Content-Type: application/json' -d '{add}' https://director.test/v1/changes"
        );
        director.shell(&line).unwrap().ok().unwrap()
    };
    assert_eq!(curl("9876543210jihgfedcba"), "401");
    assert_eq!(director.ipvsadm("-Sn").unwrap(), "");
    assert_eq!(curl(TOKEN), "200");
    assert_eq!(director.ipvsadm("-Sn").unwrap(), "-A -t 192.168.4.5:80 -s rr\n");
    director.ipvsadm("-a -t 192.168.4.5:80 -r 192.168.2.100:80 -m -w 1").unwrap();
    director.ipvsadm("-e -t 192.168.4.5:80 -r 192.168.2.100:80 -m -w 3").unwrap();
    let log = director.log();
    let audit: Vec<&str> = log.lines().filter(|line| line.contains("audit who=")).collect();
    assert_eq!(audit.len(), 3, "{log}");
    for (line, words) in audit.iter().zip([
        [
            "who=\"token deploy@127.0.0.1:",
            "what=\"add service tcp 192.168.4.5:80\" before=\"none\"",
        ],
        ["who=\"root(0) ipvsadm[", "after=\"method nat, weight 1\" revision=2"],
        ["who=\"root(0) ipvsadm[", "before=\"weight 1\" after=\"weight 3\" revision=3"],
    ]) {
        // A notice to journald, without a time of its own.
        assert!(line.starts_with("<5>lvs_ctl::audit: audit who="), "{line}");
        assert!(words.iter().all(|word| line.contains(word)), "{line} has not {words:?}");
    }
}
