//! Several controllers on one machine, and strangers' pins.

use std::fs;

use lvs_tests::prelude::*;

use crate::cluster::{Cluster, DR, NAT};

#[test]
fn controllers_in_two_namespaces_do_not_disturb_each_other() {
    let mut one = Cluster::manual(Mode::Native);
    let other = Cluster::manual(Mode::Generic);
    one.serve(NAT, "-t", 80, "-s wrr");
    other.serve(NAT, "-t", 80, "-s rr");
    other.serve(DR, "-t", 80, "-s rr");
    let (rules, before) = (other.director.ipvsadm("-Sn").unwrap(), 20);
    one.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    for way in [NAT, DR] {
        other.client().sequential(way.to(80), before).assert_is(&way.split([10, 10]));
    }
    assert_eq!(one.director.stats(&NAT.service("-t", 80)).unwrap().0.conns, 10);
    one.director.ipvsadm("-C").unwrap();
    one.director.stop().unwrap();
    one.director.detach().unwrap();
    assert_eq!(other.director.ipvsadm("-Sn").unwrap(), rules);
    for way in [NAT, DR] {
        let (stats, _) = other.director.stats(&way.service("-t", 80)).unwrap();
        assert_eq!(stats.conns, 20);
        other.client().sequential(way.to(80), 10).assert_is(&way.split([5, 5]));
    }
}

#[test]
fn a_second_controller_is_refused_in_one_line_and_the_first_goes_on() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(NAT, "-t", 80, "-s wrr");
    let director = &cluster.director;
    for (what, line) in [
        ("the same socket", "lvs-ctl run --interface eth0 --mode native".to_owned()),
        (
            "the same pins",
            format!(
                "lvs-ctl --socket {0}.two run --interface eth0 --mode native --state-dir {0}.state",
                director.socket().display()
            ),
        ),
    ] {
        let refused = director.shell(&line).unwrap();
        assert_eq!(refused.code, Some(1), "{what}: {refused}");
        let lines: Vec<_> = refused.stderr.lines().collect();
        let clear = lines.len() == 1 && lines[0].contains("another controller is running");
        assert!(clear, "{what}: {refused}");
    }
    cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    assert!(director.status().is_ok());
}

#[test]
fn pins_of_a_foreign_shape_are_refused_and_left_alone() {
    let mut cluster = Cluster::manual(Mode::Native);
    cluster.director.stop().unwrap();
    let version = fs::read_dir(cluster.director.pin_dir()).unwrap().next().unwrap();
    let version = version.unwrap().path();
    // Another map, under the name of the connection table.
    let (table, stranger) = (version.join("CONNS"), version.join("DESTS"));
    fs::remove_file(&table).unwrap();
    fs::hard_link(&stranger, &table).unwrap();
    let error = format!("{:#}", cluster.director.run().unwrap_err());
    let refused = format!("{} is not a map of this version", table.display());
    assert!(error.contains(&refused), "{error}");
    assert!(table.exists());
    // What the message says helps.
    cluster.director.detach().unwrap();
    cluster.director.kill().ok();
    cluster.director.run().unwrap();
}
