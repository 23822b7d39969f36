//! The configuration file: what it declares is what packets meet, and it outlives the controller.

use std::fs;

use lvs_tests::prelude::*;

use crate::cluster::{Cluster, NAT};

/// A director whose file declares the NAT cluster, which was made by commands before.
fn declared() -> Cluster {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(NAT, "-t", 80, "-s wrr");
    let director = &cluster.director;
    let file = director.lvs_ctl("save --toml").unwrap();
    fs::write(director.config(), file).unwrap();
    director.ipvsadm("-C").unwrap();
    cluster
}

/// Replaces a word of the file, the first time that it stands there.
fn edit(cluster: &Cluster, old: &str, new: &str) {
    let file = fs::read_to_string(cluster.director.config()).unwrap();
    assert!(file.contains(old), "{file}");
    fs::write(cluster.director.config(), file.replacen(old, new, 1)).unwrap();
}

#[test]
fn packets_follow_the_file_with_each_reload() {
    let cluster = declared();
    let director = &cluster.director;
    director.lvs_ctl("reload").unwrap();
    director.wait_until_resolved().unwrap();
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    edit(&cluster, "weight = 1", "weight = 0");
    let plan = director.shell(&format!("lvs-ctl apply --plan {}", director.config().display()));
    assert_eq!(plan.unwrap().code, Some(2));
    let steps = director.lvs_ctl("reload").unwrap();
    assert!(steps.contains("weight 1 -> 0 (5 connections)"), "{steps}");
    cluster.client().sequential(NAT.to(80), 10).assert_is(&[(NAT.servers[1].0, 10)]);
    edit(&cluster, "weight = 0", "weight = nothing");
    let refused = director.shell("lvs-ctl reload").unwrap();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains(": service[0].backend[0].weight: "), "{refused}");
    cluster.client().sequential(NAT.to(80), 10).assert_is(&[(NAT.servers[1].0, 10)]);
}

#[test]
fn the_next_controller_applies_the_file_and_keeps_what_commands_made() {
    let mut cluster = declared();
    cluster.director.lvs_ctl("reload").unwrap();
    cluster.director.lvs_ctl("service add tcp:192.0.2.1:81").unwrap();
    cluster.director.stop().unwrap();
    edit(&cluster, "weight = 1", "weight = 3");
    cluster.director.run().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().sequential(NAT.to(80), 8).assert_is(&NAT.split([6, 2]));
    assert!(cluster.director.ipvsadm("-Sn").unwrap().contains("-A -t 192.0.2.1:81 -s wlc\n"));
    cluster.director.stop().unwrap();
    fs::write(cluster.director.config(), "").unwrap();
    cluster.director.run().unwrap();
    assert_eq!(cluster.director.ipvsadm("-Sn").unwrap(), "-A -t 192.0.2.1:81 -s wlc\n");
}
