//! What both sides of the director agree on.
#![no_std]
