//! The packet's way through the director.
#![no_std]
