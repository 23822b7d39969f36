//! The real server's end of tunnels, for hosts without ipip, gre and fou devices: at an interface's
//! ingress in the stack (tc), where any driver's packets pass and merged segments stay merged.
//!
//! What comes out takes the outer packet's place on its way into the host, if it is for one of the VIPs.
//! All else goes on as it came.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "lengths of headers"
)]
mod outer;

#[cfg(target_arch = "bpf")]
#[expect(clippy::needless_pass_by_value, reason = "the macro's signature")]
mod program {
    use aya_ebpf::{
        bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
        btf_maps::{HashMap, PerCpuArray},
        macros::{btf_map, classifier},
        programs::TcContext,
    };
    use lvs_common::{
        decap::{Count, MAX_VIPS},
        net::Addr,
    };

    use crate::outer::{self, Found};

    #[btf_map]
    static VIPS: HashMap<Addr, u64, MAX_VIPS> = HashMap::new();

    #[btf_map]
    static COUNTS: PerCpuArray<u64, { Count::ALL.len() }> = PerCpuArray::new();

    /// Takes a packet out of its tunnel.
    #[classifier]
    pub fn lvs_decap(context: TcContext) -> i32 {
        let tunnel = match outer::find(&context) {
            Found::Nothing => return TC_ACT_UNSPEC,
            Found::Fragment => {
                count(Count::Fragment);
                return TC_ACT_UNSPEC;
            }
            Found::Tunnel(tunnel) => tunnel,
        };
        // SAFETY: the value is one word, read at once.
        let port = unsafe { VIPS.get(tunnel.destination) }.copied();
        match (port, tunnel.port) {
            (Some(_), None) => {}
            (Some(port), Some(came)) if port == u64::from(came.get()) => {}
            _ => {
                count(Count::NotOurs);
                return TC_ACT_UNSPEC;
            }
        }
        if tunnel.take_out(&context).is_err() {
            count(Count::Refused);
            return TC_ACT_SHOT;
        }
        count(Count::TakenOut);
        TC_ACT_UNSPEC
    }

    #[inline(always)]
    fn count(what: Count) {
        if let Some(count) = COUNTS.get_ptr_mut(what as u32) {
            // SAFETY: the map's value, this CPU's own.
            unsafe { *count += 1 };
        }
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
