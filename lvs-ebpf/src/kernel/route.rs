//! Ways to clients, for the replies of NAT: asked of the kernel's forwarding table, and remembered a
//! moment per CPU, since asking costs more than all the rest of the path.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup},
    helpers::generated::bpf_fib_lookup as fib_lookup,
    programs::XdpContext,
};
use lvs_common::{
    map::{Below, NextHop},
    net::{Addr, Mac},
    wire::Tags,
};
use lvs_ebpf::tables::Route;

use super::{family::Kept, frame, maps::BELOW};

/// Clients remembered at a time.
pub const PLACES: usize = 4096;

/// What a CPU remembers of the way to one client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CachedRoute<A> {
    client: A,
    ingress: u32,
    expires: u32,
    interface: u32,
    mtu: u32,
    destination: Mac,
    source: Mac,
    tags: Tags,
}

/// The way to a client, remembered or asked for. `lifetime` is in ticks.
#[inline(always)]
pub fn find<A: Kept>(context: &XdpContext, source: A, client: A, now: u32, lifetime: u32) -> Route {
    let ingress = frame::ingress(context);
    let place = client.fold().raw().wrapping_mul(0x9e37_79b1) >> 20;
    let Some(cached) = A::route(place) else { return Route::None };
    // SAFETY: this CPU's own value; XDP programs of one CPU do not interrupt each other.
    let cached = unsafe { &mut *cached };
    if cached.client == client
        && cached.ingress == ingress
        && cached.expires.wrapping_sub(now).wrapping_sub(1) < lifetime
    {
        return Route::Hop(hop(cached));
    }
    match ask(context, ingress, source, client) {
        Ok(answer) => {
            *cached = CachedRoute { expires: now.wrapping_add(lifetime), ..answer };
            Route::Hop(hop(cached))
        }
        Err(no_way) => no_way,
    }
}

#[inline(always)]
fn hop<A>(cached: &CachedRoute<A>) -> NextHop {
    NextHop {
        interface: cached.interface,
        mtu: cached.mtu,
        destination: cached.destination,
        source: cached.source,
        flags: if cached.tags.is_none() { 0 } else { NextHop::TAGGED },
        from: Addr::default(),
        tags: cached.tags,
    }
}

#[inline(always)]
fn ask<A: Kept>(
    context: &XdpContext,
    ingress: u32,
    source: A,
    client: A,
) -> Result<CachedRoute<A>, Route> {
    const WORDS: usize = size_of::<bpf_fib_lookup>() / size_of::<u64>();
    // SAFETY: all zeros is a valid request. Written as words: of bytes it would be a loop.
    let mut request: bpf_fib_lookup = unsafe { core::mem::transmute([0u64; WORDS]) };
    request.ifindex = ingress;
    A::ask(&mut request, source, client);
    // SAFETY: the request is as large as the helper is told.
    let result = unsafe {
        fib_lookup(
            context.as_ptr(),
            (&raw mut request).cast(),
            size_of::<bpf_fib_lookup>() as i32,
            0,
        )
    };
    if result == i64::from(BPF_FIB_LKUP_RET_NO_NEIGH) {
        return Err(Route::NoNeighbour);
    }
    if result != i64::from(BPF_FIB_LKUP_RET_SUCCESS) {
        return Err(Route::None);
    }
    // SAFETY: on success the helper has written the route's MTU here.
    let mtu = unsafe { request.__bindgen_anon_1.mtu_result };
    // SAFETY: on success the helper has written the addresses; nothing else uses the union.
    let (destination, source) = (Mac::new(request.dmac), Mac::new(request.smac));
    // SAFETY: elements are replaced, not changed, and one is not reused before this packet is done.
    let below = unsafe { BELOW.get(&request.ifindex) };
    let below = below.copied().unwrap_or(Below { interface: request.ifindex, ..Below::default() });
    Ok(CachedRoute {
        client,
        ingress,
        expires: 0,
        interface: below.interface,
        mtu: u32::from(mtu),
        destination,
        source,
        tags: below.tags,
    })
}
