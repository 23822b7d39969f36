//! Who asks: the process at the other end of the socket, or the holder of a token.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, connect_info::Connected},
    middleware::Next,
    response::Response,
    serve::IncomingStream,
};
use nix::unistd::{Uid, User};
use tokio::net::{UnixListener, UnixStream};

use crate::director::Who;

/// How long a name service may think about a user's name; the number is known anyway.
const NAMING: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// A process on this host.
    Local(Peer),
    /// The holder of a token.
    Token {
        /// The token's name.
        name: Arc<str>,
        /// Where the holder is.
        address: SocketAddr,
    },
}

/// The process at the other end of a Unix socket (`SO_PEERCRED`), when it connected.
#[derive(Clone, Debug)]
pub(super) struct Peer(Option<Process>);

#[derive(Clone, Debug)]
struct Process {
    user: u32,
    /// Not known across PID namespaces.
    id: Option<i32>,
    command: Option<String>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self::of(stream.io())
    }
}

impl Peer {
    fn of(stream: &UnixStream) -> Self {
        let process = stream.peer_cred().ok().map(|peer| {
            let id = peer.pid().filter(|id| *id > 0);
            let command = id.and_then(|id| fs::read_to_string(format!("/proc/{id}/comm")).ok());
            let command = command.map(|command| command.trim_end().to_owned());
            Process { user: peer.uid(), id, command }
        });
        Self(process)
    }
}

impl Caller {
    /// For the audit line: `root(0) ipvsadm[123]`, or `token deploy@192.0.2.7:4711`.
    async fn who(&self) -> Who {
        match self {
            Self::Local(Peer(None)) => Who::new("unknown process"),
            Self::Local(Peer(Some(process))) => {
                let who = Who::new(process.describe().await);
                if process.user == 0 { who.may_exec() } else { who }
            }
            Self::Token { name, address } => Who::new(format!("token {name}@{address}")),
        }
    }
}

impl Process {
    async fn describe(&self) -> String {
        let Self { user, id, command } = self;
        let uid = Uid::from_raw(*user);
        let naming = tokio::task::spawn_blocking(move || User::from_uid(uid).ok().flatten());
        let named = tokio::time::timeout(NAMING, naming).await.ok().and_then(Result::ok).flatten();
        let name = named.map_or_else(|| "?".to_owned(), |user| user.name);
        let command = command.as_deref().unwrap_or("?");
        match id {
            Some(id) => format!("{name}({user}) {command}[{id}]"),
            None => format!("{name}({user}) {command}"),
        }
    }
}

/// Who asks, for the audit line.
pub(super) async fn who(caller: Option<Extension<Caller>>) -> Who {
    match caller {
        Some(Extension(caller)) => caller.who().await,
        None => Who::new("unknown"),
    }
}

/// Lets handlers know the process that asks.
pub(super) async fn of_socket(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Caller::Local(peer));
    next.run(request).await
}
