//! Which tunables there are. What each does here stands in its last word: without one it is kept, and
//! listed as without effect.

use super::{Tunable, TunableEffect, TunableRange, TunableValue};

/// `conn_reuse_mode`.
pub const CONN_REUSE_MODE: &str = "conn_reuse_mode";
/// `expire_nodest_conn`.
pub const EXPIRE_NODEST_CONN: &str = "expire_nodest_conn";
/// `expire_quiescent_template`.
pub const EXPIRE_QUIESCENT_TEMPLATE: &str = "expire_quiescent_template";
/// `lblc_expiration`, seconds.
pub const LBLC_EXPIRATION: &str = "lblc_expiration";
/// `lblcr_expiration`, seconds.
pub const LBLCR_EXPIRATION: &str = "lblcr_expiration";
/// `secure_tcp`.
pub const SECURE_TCP: &str = "secure_tcp";
/// `sloppy_sctp`.
pub const SLOPPY_SCTP: &str = "sloppy_sctp";
/// `sloppy_tcp`.
pub const SLOPPY_TCP: &str = "sloppy_tcp";

/// The value of [`SECURE_TCP`] that needs no look at the host's memory.
pub const ALWAYS: i64 = 3;

const INT: TunableRange = TunableRange::Within(i32::MIN as i64, i32::MAX as i64);
const DEFENCE: TunableRange = TunableRange::Within(0, ALWAYS);
/// A kernel of 250 Hz holds this many seconds in an `int` of jiffies.
const SECONDS: TunableRange = TunableRange::Within(0, i32::MAX as i64 / 250);
const DAY_S: i64 = 86_400;

/// All of them, by name.
pub static TUNABLES: &[Tunable] = &[
    kept("am_droprate", 10, INT, "drop_packet=3 drops one packet of so many"),
    kept("amemthresh", 1024, INT, "less free memory than this begins the automatic defences")
        .counts("pages"),
    kept("backup_only", 0, INT, "a backup director forwards nothing"),
    kept("cache_bypass", 0, INT, "marked packets go where they wanted if no real server is left"),
    kept(CONN_REUSE_MODE, 1, INT, "a SYN on the ports of an old connection is scheduled anew")
        .heeded(),
    kept("conntrack", 0, INT, "netfilter tracks the connections as well"),
    kept("drop_entry", 0, DEFENCE, "half-open and idle connections are dropped under attack"),
    kept("drop_packet", 0, DEFENCE, "packets of new connections are dropped under attack"),
    kept(EXPIRE_NODEST_CONN, 0, INT, "connections end at once when their real server is deleted")
        .heeded(),
    kept(EXPIRE_QUIESCENT_TEMPLATE, 0, INT, "a quiesced real server loses its persistent clients")
        .heeded(),
    kept("ignore_tunneled", 0, INT, "packets that came out of a tunnel are left alone"),
    kept(LBLC_EXPIRATION, DAY_S, SECONDS, "lblc forgets an address that nobody asked for")
        .counts("s")
        .heeded(),
    kept(LBLCR_EXPIRATION, DAY_S, SECONDS, "lblcr forgets an address that nobody asked for")
        .counts("s")
        .heeded(),
    kept("nat_icmp_send", 0, INT, "real servers are told of packets that are nobody's reply"),
    kept("pmtu_disc", 1, INT, "senders are told of packets too long for a tunnel"),
    kept("run_estimation", 1, INT, "rates are reckoned"),
    kept("schedule_icmp", 0, INT, "ICMP errors without a connection are scheduled"),
    kept(SECURE_TCP, 0, DEFENCE, "the state table with short timeouts holds").heeded_at(ALWAYS),
    kept(SLOPPY_SCTP, 0, INT, "any SCTP packet but ABORT may begin a connection").heeded(),
    kept(SLOPPY_TCP, 0, INT, "any TCP segment but RST may begin a connection").heeded(),
    kept("snat_reroute", 1, INT, "replies of NAT are routed by their new source"),
    kept("sync_persist_mode", 0, INT, "of persistent connections only templates are sent"),
    kept("sync_ports", 1, TunableRange::PowerOfTwo, "threads and ports of the daemons"),
    // The kernel begins with a 32nd of its buffer pages.
    kept("sync_qlen_max", 0, TunableRange::Within(0, i64::MAX), "messages waiting, 0: by memory")
        .counts("pages"),
    kept("sync_refresh_period", 0, SECONDS, "a connection is sent again after so long").counts("s"),
    kept("sync_retries", 0, TunableRange::Within(0, 3), "a connection is sent so often again"),
    kept("sync_sock_size", 0, INT, "the socket's buffer, 0: the system's").counts("bytes"),
    Tunable {
        default: TunableValue::Two([3, 50]),
        range: TunableRange::Threshold,
        ..kept("sync_threshold", 0, INT, "packets before a connection is sent, and then between")
    },
    kept("sync_version", 1, TunableRange::Within(0, 1), "version of the messages"),
];

const fn kept(
    name: &'static str,
    default: i64,
    range: TunableRange,
    meaning: &'static str,
) -> Tunable {
    let default = TunableValue::One(default);
    Tunable { name, default, range, unit: "", effect: TunableEffect::None, meaning }
}
