//! The kernel's side of the path: the packet's memory and the maps.

mod atomic;
mod choose;
pub mod clock;
mod conns;
mod datagrams;
mod early;
mod family;
mod fragments;
mod frame;
mod function;
mod locality;
mod maps;
mod marks;
mod pool;
pub mod probe;
mod route;
mod tables;
pub mod way;
pub mod way6;

use frame::XdpFrame;
use tables::KernelTables;
