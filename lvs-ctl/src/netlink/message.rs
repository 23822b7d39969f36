//! Netlink messages and attributes as they lie in a datagram (`linux/netlink.h`): a header of 16
//! bytes, a fixed part that belongs to the message's type, attributes. All in the machine's byte
//! order, everything aligned to 4 bytes.

use std::{io, net::IpAddr};

/// Answers a request with a result: zero, or a negative error number.
pub(super) const NLMSG_ERROR: u16 = 2;
/// Ends a dump.
pub(super) const NLMSG_DONE: u16 = 3;

pub(super) const NLM_F_REQUEST: u16 = 0x1;
pub(super) const NLM_F_ACK: u16 = 0x4;
/// On a dump's message: the tables changed meanwhile, and the dump may miss something.
pub(super) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_CREATE: u16 = 0x400;

const HEADER: usize = 16;
/// Set in an attribute's type when attributes lie inside it; the two top bits are no type.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// All that follows the header.
    pub(super) body: Vec<u8>,
}

impl Message {
    /// A message of `kind` with its fixed part.
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        Self { kind, flags, sequence: 0, body: fixed.to_vec() }
    }

    /// Appends an attribute.
    #[must_use]
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        put_attribute(&mut self.body, kind, value);
        self
    }

    /// The bytes to send.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        bytes.extend(length(HEADER + self.body.len()).to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes()); // the kernel fills the sender in
        bytes.extend(&self.body);
        bytes
    }

    /// The attributes behind a fixed part of `fixed` bytes; none if the message is shorter.
    pub(super) fn attributes(&self, fixed: usize) -> Attributes<'_> {
        Attributes(self.body.get(align(fixed)..).unwrap_or_default())
    }

    /// The byte, u16 or u32 at `offset` of the fixed part; zero if the message is shorter.
    pub(super) fn byte(&self, offset: usize) -> u8 {
        self.body.get(offset).copied().unwrap_or_default()
    }

    pub(super) fn u16(&self, offset: usize) -> u16 {
        read_u16(self.body.get(offset..).unwrap_or_default()).unwrap_or_default()
    }

    pub(super) fn u32(&self, offset: usize) -> u32 {
        read_u32(self.body.get(offset..).unwrap_or_default()).unwrap_or_default()
    }

    /// What an [`NLMSG_ERROR`] says.
    pub(super) fn result(&self) -> io::Result<()> {
        match self.u32(0).cast_signed() {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(-number)),
        }
    }
}

/// Splits a datagram into its messages. A length that does not fit ends it.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message> + '_ {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = read_u32(rest)? as usize;
        let message = rest.get(..length)?;
        let body = message.get(HEADER..)?.to_vec();
        rest = rest.get(align(length)..).unwrap_or_default();
        Some(Message {
            kind: read_u16(&message[4..])?,
            flags: read_u16(&message[6..])?,
            sequence: read_u32(&message[8..])?,
            body,
        })
    })
}

/// Attributes one after the other: pairs of type and value.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes nested in an attribute's value.
    pub(super) fn nested(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The value of the first attribute of this type.
    pub(super) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find(|&(is, _)| is == kind).map(|(_, value)| value)
    }

    /// The attributes nested in the first of this type; none if there is none.
    pub(super) fn inside(&self, kind: u16) -> Self {
        Self(self.get(kind).unwrap_or_default())
    }

    pub(super) fn byte(&self, kind: u16) -> Option<u8> {
        self.get(kind)?.first().copied()
    }

    pub(super) fn u16(&self, kind: u16) -> Option<u16> {
        read_u16(self.get(kind)?)
    }

    pub(super) fn u32(&self, kind: u16) -> Option<u32> {
        read_u32(self.get(kind)?)
    }

    pub(super) fn u64(&self, kind: u16) -> Option<u64> {
        self.get(kind)?.first_chunk().map(|&bytes| u64::from_ne_bytes(bytes))
    }

    /// A string, without the zero that ends it.
    pub(super) fn string(&self, kind: u16) -> Option<String> {
        let text = self.get(kind)?.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// An IP address of 4 or 16 bytes.
    pub(super) fn address(&self, kind: u16) -> Option<IpAddr> {
        read_address(self.get(kind)?)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(read_u16(self.0)?);
        let kind = read_u16(self.0.get(2..)?)? & NLA_TYPE_MASK;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Appends an attribute to a body.
pub(super) fn put_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).expect("an attribute of ours is short");
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(align(body.len()), 0);
}

/// An address of 4 or 16 bytes.
pub(super) fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|&octets| octets.into()),
        16 => bytes.first_chunk::<16>().map(|&octets| octets.into()),
        _ => None,
    }
}

/// The bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `AF_INET` or `AF_INET6`, as messages carry it.
pub(super) const fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    }
}

fn read_u16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|&bytes| u16::from_ne_bytes(bytes))
}

fn read_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|&bytes| u32::from_ne_bytes(bytes))
}

const fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a message of ours is short")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Message {
        Message::new(26, NLM_F_REQUEST, &[2, 32, 0, 0]).with(1, &[192, 0, 2, 1]).with(3, b"eth0\0")
    }

    #[test]
    fn a_message_reads_back_as_written() {
        let mut datagram = sample().to_bytes();
        datagram.extend(sample().to_bytes());
        assert_eq!(messages(&datagram).collect::<Vec<_>>(), [sample(), sample()]);
    }

    #[test]
    fn attributes_are_found_by_type_past_padding() {
        let message = sample();
        let attributes = message.attributes(4);
        assert_eq!(attributes.address(1), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(attributes.string(3).as_deref(), Some("eth0"));
        assert_eq!(attributes.u32(9), None);
    }

    #[test]
    fn an_attribute_with_the_nested_bit_keeps_its_type() {
        let mut inner = Vec::new();
        put_attribute(&mut inner, 1, b"veth\0");
        let message = Message::new(16, 0, &[]).with(0x8012, &inner);
        assert_eq!(message.attributes(0).inside(0x12).string(1).as_deref(), Some("veth"));
    }

    #[test]
    fn a_cut_datagram_or_attribute_ends_quietly() {
        let bytes = sample().to_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(messages(&bytes[..cut]).count(), 0, "cut at {cut}");
        }
        for cut in 0..sample().body.len() {
            let message = Message { body: sample().body[..cut].to_vec(), ..sample() };
            assert!(message.attributes(4).count() <= 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_of_zero_does_not_loop() {
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(Attributes::nested(&[0; 64]).count(), 0);
    }

    #[test]
    fn an_error_message_is_an_error_number() {
        let refused = Message::new(NLMSG_ERROR, 0, &(-113_i32).to_ne_bytes());
        assert_eq!(refused.result().unwrap_err().raw_os_error(), Some(113));
        assert!(Message::new(NLMSG_ERROR, 0, &0_i32.to_ne_bytes()).result().is_ok());
    }
}
