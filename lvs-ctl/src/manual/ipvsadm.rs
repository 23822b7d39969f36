//! `ipvsadm(8)`, `ipvsadm-save(8)`, `ipvsadm-restore(8)`: the options are the parser's.

use super::page::{Page, Writer};
use crate::cli::ipvsadm::{Takes, grammar};

/// What each option is for, under its long name; a value's name before the colon.
const MEANINGS: &[(&str, &str)] = &[
    ("add-service", ": Add a virtual service."),
    ("edit-service", ": Change a virtual service."),
    ("delete-service", ": Delete a virtual service and its real servers."),
    ("clear", ": Delete all virtual services."),
    ("list", ": List services and real servers, or what further options name."),
    ("zero", ": Set the counters of one virtual service, or of all, to zero."),
    ("add-server", ": Add a real server to a virtual service."),
    ("edit-server", ": Change a real server."),
    ("delete-server", ": Delete a real server."),
    ("set", ": Set the timeouts of TCP, of TCP after a FIN, and of UDP, in seconds; 0 keeps one."),
    ("help", ": Show the options."),
    ("version", ": Show the version."),
    ("restore", ": Carry out the rules on standard input, a line each."),
    ("save", ": Write the rules as lines for `-R`."),
    ("start-daemon", "master|backup: Keep the configuration of a synchronisation daemon."),
    ("stop-daemon", "master|backup: Forget it."),
    ("tcp-service", "VIP[:PORT]: A virtual service of TCP."),
    ("udp-service", "VIP[:PORT]: A virtual service of UDP."),
    ("sctp-service", "VIP[:PORT]: A virtual service of SCTP."),
    ("fwmark-service", "MARK: A virtual service of packets with this mark; see `lvs-ctl-mark`(8)."),
    ("scheduler", "NAME: How a real server is chosen; wlc if nothing is said."),
    (
        "persistent",
        "[SECONDS]: Send a client to the same real server for so long; 300 if nothing is said.",
    ),
    ("netmask", "MASK: Clients of one network are one client to `-p`; a prefix length for IPv6."),
    ("real-server", "RIP[:PORT]: A real server."),
    ("masquerading", ": Reach the real server by NAT."),
    ("ipip", ": Reach the real server through a tunnel."),
    ("gatewaying", ": Reach the real server by direct routing, as if nothing is said."),
    ("weight", "NUMBER: Its share of new connections; 0 gives it none."),
    ("u-threshold", "NUMBER: It takes no connections from this many on."),
    ("l-threshold", "NUMBER: It takes some again below this many."),
    ("numeric", ": Show addresses and ports as numbers."),
    ("connection", ": List connections."),
    ("mcast-interface", "INTERFACE: Where a synchronisation daemon sends or listens."),
    ("mcast-group", "ADDRESS: Its multicast group."),
    ("mcast-port", "PORT: Its UDP port."),
    ("mcast-ttl", "NUMBER: Its time to live."),
    ("sync-maxlen", "BYTES: Its longest message."),
    ("syncid", "NUMBER: Its number."),
    ("timeout", ": List the timeouts."),
    ("daemon", ": List the synchronisation daemons."),
    ("stats", ": List counters."),
    ("rate", ": List rates a second."),
    ("thresholds", ": List thresholds."),
    ("persistent-conn", ": List persistent connections."),
    ("nosort", ": List in the order of the table."),
    ("sort", ": No effect; lists are sorted anyway."),
    ("exact", ": Show numbers in full."),
    ("ipv6", ": The mark is of IPv6 packets."),
    ("ops", ": Schedule every UDP packet by itself."),
    ("pe", "NAME: A persistence engine: sip."),
    ("sched-flags", "FLAGS: Flags of the scheduler, separated by commas."),
    ("tun-info", ": List tunnels."),
    ("tun-type", "ipip|gue|gre: The tunnel's outer packet."),
    ("tun-port", "PORT: The UDP port of gue."),
    ("tun-nocsum", ": No checksum outside."),
    ("tun-csum", ": A checksum outside."),
    ("tun-remcsum", ": Remote checksum offload."),
];

const SEE_ALSO: &str = "`lvs-ctl`(8), `ipvsadm`(8), `ipvsadm-save`(8), `ipvsadm-restore`(8)";

/// The three pages.
pub(super) fn pages() -> [Page; 3] {
    [ipvsadm(), save(), restore()]
}

fn ipvsadm() -> Page {
    let mut page = Writer::new("ipvsadm", "8", "rules of a Linux Virtual Server");
    page.section("SYNOPSIS").lines(
        "ipvsadm -A|-E SERVICE [-s NAME] [-p [SECONDS]] [-M MASK] [--pe NAME] [-b FLAGS] [-o]\n\
         ipvsadm -D SERVICE\n\
         ipvsadm -a|-e SERVICE -r RIP[:PORT] [-g|-m|-i] [-w NUMBER] [-x NUMBER] [-y NUMBER]\n\
         ipvsadm -d SERVICE -r RIP[:PORT]\n\
         ipvsadm -L [SERVICE] [OPTIONS]\n\
         ipvsadm -Z [SERVICE]\n\
         ipvsadm -C | -S [-n] | -R\n\
         ipvsadm --set TCP TCPFIN UDP\n\
         ipvsadm --start-daemon|--stop-daemon master|backup [OPTIONS]",
    );
    page.section("DESCRIPTION").paragraph(
        "This `ipvsadm` is `lvs-ctl` under another name. It takes the commands of ipvsadm 1.31 and \
         answers as that does, exit codes included; the rules go to the controller, `lvs-ctl run`, \
         which forwards in XDP instead of the kernel's IPVS.",
    );
    page.paragraph(
        "A SERVICE is `-t`, `-u` or `--sctp-service` with an address and a port, or `-f` with a mark. \
         IPv6 addresses with a port stand in brackets.",
    );
    page.section("OPTIONS");
    for (long, short, takes) in grammar() {
        let (value, meaning) = of(long);
        page.term(&term(long, short, takes, value), meaning);
    }
    page.section("ENVIRONMENT")
        .term("`LVS_SOCKET`", "The controller's socket, if it is not `/run/lvs/lvs.sock`.");
    page.section("EXIT STATUS")
        .paragraph("0: done. 2: the options make no sense. 1, 255 and others: as ipvsadm's.");
    page.section("EXAMPLES").lines(
        "ipvsadm -A -t 192.0.2.1:80 -s wrr\n\
         ipvsadm -a -t 192.0.2.1:80 -r 192.0.2.11 -g -w 2\n\
         ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.12:8080 -m\n\
         ipvsadm -Ln --stats",
    );
    page.section("SEE ALSO").paragraph(SEE_ALSO);
    page.page()
}

fn save() -> Page {
    let mut page = Writer::new("ipvsadm-save", "8", "write the rules as lines");
    page.section("SYNOPSIS").lines("ipvsadm-save [-n]");
    page.section("DESCRIPTION").paragraph(
        "Writes virtual services and real servers to standard output, as lines that \
         `ipvsadm-restore`(8) reads: what `ipvsadm -S` does.",
    );
    page.section("OPTIONS").term("`-n`", "Addresses and ports as numbers.");
    page.section("SEE ALSO").paragraph(SEE_ALSO);
    page.page()
}

fn restore() -> Page {
    let mut page = Writer::new("ipvsadm-restore", "8", "carry out rules that were saved");
    page.section("SYNOPSIS").lines("ipvsadm-restore < FILE");
    page.section("DESCRIPTION").paragraph(
        "Clears the table and carries out the lines on standard input, as `ipvsadm-save`(8) writes \
         them. `lvs-ctl restore` does it so that every packet meets the old rules or the new ones.",
    );
    page.section("SEE ALSO").paragraph(SEE_ALSO);
    page.page()
}

/// The name of an option's value, and what the option is for.
fn of(long: &str) -> (&'static str, &'static str) {
    let known = MEANINGS.iter().find(|(name, _)| *name == long);
    known.and_then(|(_, text)| text.split_once(": ")).unwrap_or_default()
}

fn term(long: &str, short: Option<char>, takes: Takes, value: &str) -> String {
    let short = short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let value = match takes {
        Takes::None => String::new(),
        Takes::Required | Takes::Optional => format!(" {value}"),
    };
    format!("{short}`--{long}`{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_explains_every_option_that_the_parser_knows_and_no_other() {
        for (long, _, takes) in grammar() {
            let (value, meaning) = of(long);
            assert!(!meaning.is_empty(), "--{long}");
            assert_eq!(value.is_empty(), takes == Takes::None, "--{long}");
            assert_eq!(value.starts_with('['), takes == Takes::Optional, "--{long}");
        }
        for (name, _) in MEANINGS {
            assert!(grammar().any(|(long, ..)| long == *name), "--{name}");
        }
        assert!(ipvsadm().text.contains("\\fB\\-p\\fR, \\fB\\-\\-persistent\\fR [SECONDS]"));
    }
}
