//! VLAN tags: taken off before anything looks at the frame, so that the path knows one offset of the IP
//! header; put on again when it leaves, those of its next hop, or its own when the stack gets it.

use lvs_common::{
    net::Be16,
    verdict::{Reason, Verdict},
    wire::{Behind, Ethernet, Frame, Tag, Tags},
};

use crate::{ip::NETWORK, parse::MALFORMED};

/// Whether a frame begins with tags.
#[inline(always)]
pub fn is_tagged<F: Frame>(frame: &F) -> bool {
    frame.at::<Ethernet>(0).is_some_and(|ethernet| Tag::follows(ethernet.ethertype))
}

/// Takes the tags off, and notes them.
///
/// # Errors
/// They are cut short, or too many; the frame is as it was.
#[inline(always)]
pub fn strip<F: Frame>(frame: &mut F) -> Result<(), Verdict> {
    let ethernet = *frame.at::<Ethernet>(0).ok_or(MALFORMED)?;
    if !Tag::follows(ethernet.ethertype) {
        return Ok(());
    }
    let behind = *frame.at::<Behind>(NETWORK).ok_or(MALFORMED)?;
    let outer = Tag { ethertype: ethernet.ethertype, control: behind.control };
    let (tags, bytes, ethertype) = if Tag::follows(behind.ethertype) {
        let last = *frame.at::<Behind>(NETWORK + Tag::BYTES).ok_or(MALFORMED)?;
        if Tag::follows(last.ethertype) {
            return Err(Verdict::Pass(Reason::Tagged));
        }
        let inner = Tag { ethertype: behind.ethertype, control: last.control };
        (Tags([outer, inner]), 2 * Tag::BYTES, last.ethertype)
    } else {
        (Tags([outer, Tag::NONE]), Tag::BYTES, behind.ethertype)
    };
    if !frame.shrink(bytes) {
        return Err(MALFORMED);
    }
    frame.set_tags(tags);
    let header = frame.at_mut::<Ethernet>(0).ok_or(MALFORMED)?;
    *header = Ethernet { ethertype, ..ethernet };
    Ok(())
}

/// Puts the tags that were taken off on again.
#[inline(always)]
pub fn restore<F: Frame>(frame: &mut F) -> bool {
    let tags = frame.tags();
    tags.is_none() || put(frame, tags)
}

/// Puts the tags of a next hop on: the frame's own if they are of that VLAN, so that it keeps its priority.
#[inline(always)]
pub(crate) fn send<F: Frame>(frame: &mut F, tags: Tags) -> Result<(), Verdict> {
    let own = frame.tags();
    let tags = if own.is_vlan_of(tags) { own } else { tags };
    if put(frame, tags) { Ok(()) } else { Err(Verdict::Drop(Reason::NoHeadroom)) }
}

/// Puts one or two tags on.
#[inline(always)]
fn put<F: Frame>(frame: &mut F, Tags([outer, inner]): Tags) -> bool {
    let Some(ethernet) = frame.at::<Ethernet>(0).copied() else { return false };
    if inner.is_some() {
        return frame.grow(2 * Tag::BYTES)
            && header(frame, Ethernet { ethertype: outer.ethertype, ..ethernet })
            && tag(frame, NETWORK, outer.control, inner.ethertype)
            && tag(frame, NETWORK + Tag::BYTES, inner.control, ethernet.ethertype);
    }
    frame.grow(Tag::BYTES)
        && header(frame, Ethernet { ethertype: outer.ethertype, ..ethernet })
        && tag(frame, NETWORK, outer.control, ethernet.ethertype)
}

#[inline(always)]
fn tag<F: Frame>(frame: &mut F, at: usize, control: Be16, ethertype: Be16) -> bool {
    frame.at_mut::<Behind>(at).map(|behind| *behind = Behind { control, ethertype }).is_some()
}

#[inline(always)]
fn header<F: Frame>(frame: &mut F, ethernet: Ethernet) -> bool {
    frame.at_mut::<Ethernet>(0).map(|header| *header = ethernet).is_some()
}
