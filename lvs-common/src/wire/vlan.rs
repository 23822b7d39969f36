//! VLAN tags (IEEE 802.1Q, and 802.1ad before it), between a frame's addresses and its ethertype.

use bytemuck::{Pod, Zeroable};

use super::{ETHERTYPE_QINQ, ETHERTYPE_VLAN};
use crate::net::Be16;

/// One tag. None is all zeros.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Tag {
    /// [`ETHERTYPE_VLAN`] or [`ETHERTYPE_QINQ`].
    pub ethertype: Be16,
    /// Priority and eligibility in the high four bits, the VLAN's number in the low twelve.
    pub control: Be16,
}

/// A frame's tags, the outermost first; at most two.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Tags(pub [Tag; 2]);

/// What follows a tag's ethertype: the rest of it, and the ethertype of what it stands before.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Behind {
    /// The tag's.
    pub control: Be16,
    /// Of what follows.
    pub ethertype: Be16,
}

impl Tag {
    /// No tag.
    pub const NONE: Self = Self { ethertype: Be16::new(0), control: Be16::new(0) };
    /// Bytes that a tag takes.
    pub const BYTES: usize = size_of::<Self>();

    /// The bits of the VLAN's number.
    const NUMBER: Be16 = Be16::new(0x0fff);

    /// Whether it is one.
    #[inline(always)]
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.ethertype.raw() != 0
    }

    /// Whether an ethertype says that a tag follows.
    #[inline(always)]
    #[must_use]
    pub const fn follows(ethertype: Be16) -> bool {
        ethertype.raw() == ETHERTYPE_VLAN.raw() || ethertype.raw() == ETHERTYPE_QINQ.raw()
    }

    /// What is the same for all frames of a VLAN.
    const fn vlan(self) -> (u16, u16) {
        (self.ethertype.raw(), self.control.raw() & Self::NUMBER.raw())
    }
}

impl Tags {
    /// No tags.
    pub const NONE: Self = Self([Tag::NONE; 2]);

    /// Whether there is none.
    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        !self.0[0].is_some()
    }

    /// Whether frames with these and with those are of one VLAN, whatever their priority.
    #[inline(always)]
    #[must_use]
    pub fn is_vlan_of(self, other: Self) -> bool {
        let [outer, inner] = self.0.map(Tag::vlan);
        let [its_outer, its_inner] = other.0.map(Tag::vlan);
        outer == its_outer && inner == its_inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(control: u16) -> Tag {
        Tag { ethertype: ETHERTYPE_VLAN, control: Be16::new(control) }
    }

    #[test]
    fn priority_does_not_make_another_vlan() {
        let plain = Tags([tag(100), Tag::NONE]);
        assert!(plain.is_vlan_of(Tags([tag(0xa000 | 0x64), Tag::NONE])));
        assert!(!plain.is_vlan_of(Tags([tag(101), Tag::NONE])));
        assert!(!plain.is_vlan_of(Tags([tag(100), tag(100)])));
        assert!(!plain.is_vlan_of(Tags::NONE));
        let service = Tag { ethertype: ETHERTYPE_QINQ, ..tag(100) };
        assert!(!plain.is_vlan_of(Tags([service, Tag::NONE])));
    }
}
