//! The Unix socket's file.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
};

use lvs_ctl::api::socket::{Access, bind};

use crate::common::Scratch;

#[test]
fn a_second_controller_does_not_take_the_socket() {
    let scratch = Scratch::start();
    let taken = scratch.block_on(async { bind(&scratch.socket(), &Access::default()) });
    assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let left = scratch.directory.path().join("left.sock");
    drop(UnixListener::bind(&left).unwrap());
    scratch.block_on(async { bind(&left, &Access::default()) }).unwrap();
}

#[test]
fn the_socket_is_whose_it_is_told_to_be() {
    let scratch = Scratch::start();
    let path = scratch.directory.path().join("own.sock");
    let own = fs::metadata(scratch.directory.path()).unwrap().gid();
    let bound = |mode, group: &str| {
        let access = Access { mode, group: Some(group.to_owned()) };
        scratch.block_on(async { bind(&path, &access) })
    };
    let default = fs::metadata(scratch.socket()).unwrap();
    assert_eq!(default.permissions().mode() & 0o777, 0o660);
    for mode in [0o600, 0o666] {
        drop(bound(mode, &own.to_string()).unwrap());
        let seen = fs::metadata(&path).unwrap();
        assert_eq!((seen.permissions().mode() & 0o777, seen.gid()), (mode, own));
    }
    let nobodys = bound(0o660, "no-such-group").unwrap_err();
    assert_eq!(nobodys.to_string(), "there is no group no-such-group");
    // Nothing lies about beside it.
    let files = fs::read_dir(scratch.directory.path()).unwrap().count();
    assert_eq!(files, 2);
}
