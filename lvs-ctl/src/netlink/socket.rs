//! The two ways to talk netlink: asking, and listening to notifications.
//!
//! They are two sockets, so that a flood of notifications cannot crowd out an answer. Both belong
//! to the network namespace of the thread that opens them.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};

use super::message::{
    Message, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    messages,
};

/// The kernel's messages are at most 32 KiB since 4.9, netlink(7).
const DATAGRAM: usize = 64 * 1024;
/// Room for notifications, in bytes; the kernel cuts it at `net.core.rmem_max`.
const BACKLOG: libc::c_int = 4 << 20;
/// A dump that the tables changed under is asked again, so often at most.
const DUMP_TRIES: usize = 8;

/// A socket to ask the kernel by, one question at a time.
pub(super) struct Requests {
    socket: TokioSocket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Requests {
    /// Opens a socket of a netlink protocol (`NETLINK_ROUTE`, `NETLINK_GENERIC`).
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = TokioSocket::new(protocol)?;
        socket.socket_mut().bind_auto()?;
        socket.socket_mut().connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Asks, and returns what the kernel answers beside its acknowledgement. An answer to a
    /// question whose asker went away is skipped.
    pub(super) async fn ask(&mut self, question: Message) -> io::Result<Vec<Message>> {
        self.exchange(question, NLM_F_ACK).await.map(|(answers, _)| answers)
    }

    /// Asks for a whole table, again if it changed meanwhile.
    pub(super) async fn dump(&mut self, question: Message) -> io::Result<Vec<Message>> {
        for _ in 0..DUMP_TRIES {
            let (answers, whole) = self.exchange(question.clone(), NLM_F_DUMP).await?;
            if whole {
                return Ok(answers);
            }
        }
        Err(io::Error::other("the table kept changing while it was read"))
    }

    async fn exchange(
        &mut self,
        mut question: Message,
        flags: u16,
    ) -> io::Result<(Vec<Message>, bool)> {
        self.sequence = self.sequence.wrapping_add(1);
        question.sequence = self.sequence;
        question.flags |= NLM_F_REQUEST | flags;
        self.socket.send(&question.to_bytes()).await?;

        let (mut answers, mut whole) = (Vec::new(), true);
        loop {
            self.buffer.clear();
            let (socket, buffer) = (&self.socket, &mut self.buffer);
            poll_fn(|cx| socket.poll_recv(cx, buffer)).await?;
            for message in messages(&self.buffer).filter(|it| it.sequence == question.sequence) {
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_ERROR => return message.result().map(|()| (answers, whole)),
                    NLMSG_DONE => return Ok((answers, whole)),
                    _ => answers.push(message),
                }
            }
        }
    }
}

/// A socket that hears what the kernel makes known.
pub(super) struct Notifications {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

/// What [`Notifications::hear`] hands over.
pub(super) enum Heard<'a> {
    /// A notification.
    Message(&'a Message),
    /// The kernel had to drop some: anything may have changed.
    Overrun,
}

impl Notifications {
    /// Joins rtnetlink's multicast groups.
    pub(super) fn open(groups: &[u32]) -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        let inner = socket.socket_mut();
        inner.bind_auto()?;
        inner.set_rx_buf_sz(BACKLOG)?;
        for &group in groups {
            inner.add_membership(group)?;
        }
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Waits for a notification, then hands over all that have arrived.
    ///
    /// The kernel announces an overrun once and drops everything until the queue has been read
    /// empty (`NETLINK_S_CONGESTED`), so to stop earlier would lose a change for good.
    ///
    /// Dropping the future loses nothing: it holds no notification across a wait.
    pub(super) async fn hear(&mut self, mut each: impl FnMut(Heard<'_>)) -> io::Result<()> {
        poll_fn(|cx| {
            ready!(self.poll_one(cx, &mut each))?;
            while let Poll::Ready(more) = self.poll_one(cx, &mut each) {
                more?;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn poll_one(
        &mut self,
        cx: &mut Context<'_>,
        each: &mut impl FnMut(Heard<'_>),
    ) -> Poll<io::Result<()>> {
        self.buffer.clear();
        match ready!(self.socket.poll_recv(cx, &mut self.buffer)) {
            Ok(()) => messages(&self.buffer).for_each(|message| each(Heard::Message(&message))),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => each(Heard::Overrun),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }
}
