//! The director's controller.
//!
//! Layers; a module uses those above it only, and never a sibling of its own layer:
//!
//! | | modules | what |
//! | --- | --- | --- |
//! | 1 | [`model`] | rules as data, as IPVS allows them |
//! | 2 | [`plan`] | rules into map contents |
//! | 3 | [`dataplane`], [`netlink`] | the kernel: program and maps; routes and neighbours |
//! | 4 | [`director`] | the one owner of the rules |
//! | 5 | [`config`] | the configuration file, and how the rules differ from it |
//! | 5 | [`notify`] | words to the service manager |
//! | 6 | [`resolve`], [`sweep`], [`reload`] | what keeps next hops, connections and declared rules up to date |
//! | 6 | [`health`] | checks of real servers |
//! | 7 | [`probe`] | checks' way through the services' data path |
//! | 6 | [`held`] | fragments that come before the first |
//! | 6 | [`metrics`] | the director in numbers, for Prometheus |
//! | 7 | [`api`] | HTTP over a Unix socket, and over TLS |
//! | 8 | [`cli`] | two dialects that become API requests |
//! | 9 | [`manual`] | the manual's pages, from grammar and schema |
//! | 9 | [`daemon`] | all of it, put together |
//! | 9 | [`realserver`] | the other end: a real server's host |

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataplane;
pub mod director;
pub mod health;
pub mod held;
pub mod manual;
pub mod metrics;
pub mod model;
pub mod netlink;
pub mod notify;
pub mod plan;
pub mod probe;
pub mod realserver;
pub mod reload;
pub mod resolve;
pub mod sweep;
