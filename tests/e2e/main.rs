//! The whole in network namespaces: real clients, real servers, real sockets. Needs root.

#![forbid(unsafe_code)]

mod absent;
mod auto;
mod captures;
mod cluster;
mod configuration;
mod counting;
mod demo;
mod devices;
mod forwarding;
mod fragments;
mod health;
mod icmp;
mod killed;
mod lab;
mod ldirectord;
mod links;
mod manual;
mod namespaces;
mod next_hops;
mod paths;
mod probes;
mod prometheus;
mod realserver;
mod remote;
mod removal;
mod restart;
mod save_restore;
mod scripts;
mod service_manager;
mod several;
mod talk;
mod tunnels;
mod v6;
mod vlans;
