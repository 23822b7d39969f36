//! The Unix socket: whose it is, and serving on it.

use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use axum::{Router, middleware};
use nix::unistd::Group;
use tokio::net::UnixListener;

use super::caller::{self, Peer};

/// Whose a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its permissions.
    pub mode: u32,
    /// Its group, by name or number; the process's own if `None`.
    pub group: Option<String>,
}

impl Default for Access {
    /// For the owner and the group.
    fn default() -> Self {
        Self { mode: 0o660, group: None }
    }
}

/// Listens on `path`. What a killed controller left there is taken away; directories on the way are
/// made. Nobody can connect before the socket has its group and permissions.
///
/// # Errors
/// `AddrInUse` if another controller listens there, `NotFound` for a group that does not exist, or
/// whatever the file system says.
pub fn bind(path: &Path, access: &Access) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let group = access.group.as_deref().map(group_id).transpose()?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = beside(path);
    remove(&new)?;
    let listener = UnixListener::bind(&new)?;
    let placed = fs::set_permissions(&new, fs::Permissions::from_mode(0o600))
        .and_then(|()| group.map_or(Ok(()), |group| chown(&new, None, Some(group))))
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(access.mode)))
        .and_then(|()| fs::rename(&new, path));
    if placed.is_err() {
        remove(&new).ok();
    }
    placed.map(|()| listener)
}

/// Serves until `stop`.
///
/// # Errors
/// The socket's.
pub async fn serve(
    listener: UnixListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router.layer(middleware::from_fn(caller::of_socket));
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let found = Group::from_name(group)?.map(|group| group.gid.as_raw());
    found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("there is no group {group}"))
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.extend(b"~");
    std::ffi::OsStr::from_bytes(&name).into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
