//! Programs of `cargo xtask bench`, in an object of their own: the feeder that measures another
//! program, the yardstick that it is measured by, and the ends of a director's way.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[expect(
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the macro's signature; parts of words are taken"
)]
mod ends;

#[cfg(target_arch = "bpf")]
#[expect(
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the macro's signature; parts of words are taken"
)]
mod feed;

#[cfg(target_arch = "bpf")]
#[expect(
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "the macro's signature; parts of words are taken"
)]
mod yardstick;

#[cfg(target_arch = "bpf")]
mod rest {
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // verifier: refuses a program that can get here.
        loop {}
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
