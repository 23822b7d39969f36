//! The XDP program: the packet's way over the kernel's maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "counts and slots are below the sizes of maps; ticks are meant to wrap"
)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a map's key that is given away is copied onto the stack"
)]
mod kernel;

#[cfg(target_arch = "bpf")]
#[expect(clippy::needless_pass_by_value, reason = "the macro's signature")]
// Inlined into the entry points that the macro makes: a call costs as much as half of the known way.
mod program {
    use aya_ebpf::{bindings::xdp_action::XDP_PASS, macros::xdp, programs::XdpContext};

    use crate::kernel::{clock, probe, way, way6};

    /// The director's program, one an interface.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs(context: XdpContext) -> u32 {
        way::direct(&context)
    }

    /// The same for IPv6: what `lvs` goes on with.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs6(context: XdpContext) -> u32 {
        way6::direct(&context)
    }

    /// The rest of it: what both go on with.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs_rest(context: XdpContext) -> u32 {
        way::rest(&context)
    }

    /// The way into tunnels: what all of these go on with.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs_wrap(context: XdpContext) -> u32 {
        way::wraps(&context)
    }

    /// The same of packets of IPv6.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs_wrap6(context: XdpContext) -> u32 {
        way6::wraps(&context)
    }

    /// The way of frames with VLAN tags.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs_tagged(context: XdpContext) -> u32 {
        way::tagged(&context)
    }

    /// Health checks' way to real servers; on the peer of the device that stand-ins are routed to.
    #[xdp(frags)]
    #[inline(always)]
    pub fn lvs_probe(context: XdpContext) -> u32 {
        probe::leave(&context)
    }

    /// Hands what it gets to the stack; run by the controller only.
    #[xdp]
    pub fn up(_: XdpContext) -> u32 {
        XDP_PASS
    }

    /// Writes the kernel's two clocks into its packet, for the controller to compare; run by it only.
    #[xdp]
    pub fn clocks(context: XdpContext) -> u32 {
        clock::write(&context);
        XDP_PASS
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // verifier: refuses a program that can get here.
        loop {}
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
