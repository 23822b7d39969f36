//! A controller that started with a configuration file, and reads it again.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::{fs, path::PathBuf};

use lvs_ctl::{
    api::server,
    config::{Config, Overrides, Setup},
    director::Who,
    reload::{Reloader, declare},
};
use tokio::sync::watch;

use super::Scratch;

/// What it starts with.
pub const FILE: &str = "\
interfaces = [\"eth0\"]
connections = 100

[[service]]
listen = \"tcp:192.0.2.1:80\"

[[service.backend]]
address = \"192.0.2.11\"
";

/// A controller that started with [`FILE`].
pub fn configured() -> Scratch {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lvs.toml");
    fs::write(&file, FILE).unwrap();
    Scratch::serving(
        directory,
        |director| director,
        |handle| {
            let config = Config::read(&file).unwrap();
            let overrides = Overrides::default();
            let setup = Setup::new(&overrides, &config.file);
            tokio::task::block_in_place(|| {
                let runtime = tokio::runtime::Handle::current();
                runtime.block_on(declare(&handle, &config, &Who::new("test"))).unwrap();
            });
            let (hooks, _) = watch::channel(config.file.hooks);
            let reloader = Reloader::new(handle, file, overrides, setup, hooks);
            let (requests, _task) = reloader.spawn().unwrap();
            server::Options { reload: Some(requests), ..server::Options::default() }
        },
    )
}

/// Its file.
pub fn file(scratch: &Scratch) -> PathBuf {
    scratch.directory.path().join("lvs.toml")
}
