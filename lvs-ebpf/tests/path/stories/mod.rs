//! Stories: frames that come by a director one after the other, and what may become of each. Told by the corpus in
//! `testdata/stories`, and by the fuzzer (`cargo xtask fuzz packet`), which makes new ones of them.
//!
//! What is right is said by another implementation than the one under test: etherparse, and sums by hand.
//!
//! | file | idea |
//! | --- | --- |
//! | `story` | a story, and how it is written down |
//! | `world` | the rules that its frames meet |
//! | `seen` | a frame as etherparse sees it |
//! | `sums` | which of its checksums are right, and how to make them right |
//! | `teller` | the director: what becomes of each frame, and of its accounts |
//! | `judge` | whether that may become of it, by the method that it went by |
//! | `wrapped` | the same of what went into a tunnel |
//! | `errors` | the same of ICMP errors |

pub(crate) mod errors;
pub(crate) mod judge;
pub(crate) mod seen;
pub(crate) mod story;
pub(crate) mod sums;
pub(crate) mod teller;
pub(crate) mod world;
pub(crate) mod wrapped;
