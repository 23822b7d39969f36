//! The two title lines of each view.

use super::View;

/// Both title lines.
pub(super) fn titles(view: View) -> String {
    let (first, second) = match view {
        View::Default => (
            "Prot LocalAddress:Port Scheduler Flags".to_owned(),
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
        ),
        View::TunInfo => (
            "Prot LocalAddress:Port Scheduler Flags".to_owned(),
            "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn",
        ),
        View::Stats => (
            numbers(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"]),
            "  -> RemoteAddress:Port",
        ),
        View::Rate => {
            (numbers(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"]), "  -> RemoteAddress:Port")
        }
        View::Thresholds => (
            format!(
                "{:<33} {:<10} {:<10} {:<10} {:<10}",
                "Prot LocalAddress:Port", "Uthreshold", "Lthreshold", "ActiveConn", "InActConn"
            ),
            "  -> RemoteAddress:Port",
        ),
        View::PersistentConn => (
            format!(
                "{:<33} {:<9} {:<11} {:<10} {:<10}",
                "Prot LocalAddress:Port", "Weight", "PersistConn", "ActiveConn", "InActConn"
            ),
            "  -> RemoteAddress:Port",
        ),
    };
    format!("{first}\n{second}\n")
}

fn numbers(names: [&str; 5]) -> String {
    let columns = names.map(|name| format!(" {name:>8}")).concat();
    format!("{:<33}{columns}", "Prot LocalAddress:Port")
}
