//! Generic netlink: families of messages that are looked up by name.

use std::io;

use netlink_sys::protocols::NETLINK_GENERIC;

use super::{message::Message, socket::Requests};

/// `struct genlmsghdr`.
pub(super) const FIXED: usize = 4;

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// A family of messages, with a socket to ask by.
pub(super) struct Family {
    requests: Requests,
    id: u16,
}

impl Family {
    /// The family of this name.
    ///
    /// # Errors
    /// `NotFound` where the kernel does not know it.
    pub(super) async fn open(name: &str) -> io::Result<Self> {
        let mut requests = Requests::open(NETLINK_GENERIC)?;
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        let question =
            command(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 2).with(CTRL_ATTR_FAMILY_NAME, &text);
        let answers = requests.ask(question).await?;
        let id = answers.first().and_then(|it| it.attributes(FIXED).u16(CTRL_ATTR_FAMILY_ID));
        let id = id.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { requests, id })
    }

    /// Sends a command with one attribute; the answer.
    pub(super) async fn ask(&mut self, number: u8, kind: u16, value: &[u8]) -> io::Result<Message> {
        self.ask_all(number, &[(kind, value)]).await
    }

    /// Sends a command with several attributes; the answer.
    pub(super) async fn ask_all(
        &mut self,
        number: u8,
        attributes: &[(u16, &[u8])],
    ) -> io::Result<Message> {
        let question =
            attributes.iter().fold(command(self.id, number, 1), |question, (kind, value)| {
                question.with(*kind, value)
            });
        let answers = self.requests.ask(question).await?;
        answers.into_iter().next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn command(family: u16, number: u8, version: u8) -> Message {
    Message::new(family, 0, &[number, version, 0, 0])
}
