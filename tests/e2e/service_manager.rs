//! The controller under a service manager.

use std::{os::unix::net::UnixDatagram, path::Path, time::Duration};

use crate::cluster::{Cluster, SOON};

/// A service manager that listens.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        Self(socket)
    }

    /// Waits for a word, over others.
    fn hears(&self, word: &str) {
        let mut message = [0; 256];
        loop {
            let length =
                self.0.recv(&mut message).unwrap_or_else(|error| panic!("{word}: {error}"));
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == word.as_bytes()) {
                return;
            }
        }
    }
}

#[test]
fn the_service_manager_hears_of_the_beginning_of_life_and_of_the_end() {
    let mut manager = None;
    let mut cluster = Cluster::told(|topology, settings| {
        let path = topology.lab().directory().join("notify.sock");
        manager = Some(Manager::at(&path));
        let watchdog = Duration::from_millis(300).as_micros().to_string();
        settings.environment = vec![
            ("NOTIFY_SOCKET".into(), path.to_str().unwrap().into()),
            ("WATCHDOG_USEC".into(), watchdog),
        ];
    });
    let manager = manager.unwrap();
    manager.hears("READY=1");
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    cluster.director.lvs_ctl("reload").unwrap();
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    assert!(cluster.director.stop().unwrap().success());
    manager.hears("STOPPING=1");
}
