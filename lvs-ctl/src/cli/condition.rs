//! How real servers are, in a few words.

use crate::api::types::{Admin, DestEntry, Gate, Health, ServiceEntry};

/// Whether connections may go to a real server as far as checks and operator say.
pub(super) fn is_up(health: Health, admin: Admin) -> bool {
    match admin {
        Admin::Enabled => health.is_up(),
        Admin::Drain | Admin::Maintenance => false,
        Admin::ForcedUp => true,
    }
}

/// What checks and operator say of a real server.
pub(super) fn words(health: Health, admin: Admin, is_backup: bool) -> Vec<String> {
    let admin = (admin != Admin::Enabled).then_some(admin.word());
    let backup = is_backup.then_some("backup");
    let words = [health.word()].into_iter().chain(admin).chain(backup);
    words.map(str::to_owned).collect()
}

/// The same in a listing of its service; what nobody checks and nobody decided over says nothing.
pub(super) fn state(service: &ServiceEntry, dest: &DestEntry) -> String {
    let words = words(dest.state, dest.admin, dest.health.backup);
    let unsaid = usize::from(!is_checked(service, dest));
    let said = words[unsaid..].join(", ");
    if said.is_empty() { "-".to_owned() } else { said }
}

/// How many real servers of a service are up, if anybody checks or decides over one.
pub(super) fn count(service: &ServiceEntry) -> String {
    let is_cared_for = |dest: &DestEntry| is_checked(service, dest) || dest.admin != Admin::Enabled;
    if !service.dests.iter().any(is_cared_for) {
        return "-".to_owned();
    }
    let up = service.dests.iter().filter(|dest| is_up(dest.state, dest.admin)).count();
    let lost = if service.quorum == Gate::Lost { ", quorum lost" } else { "" };
    format!("{up} of {}{lost}", service.dests.len())
}

fn is_checked(service: &ServiceEntry, dest: &DestEntry) -> bool {
    !dest.health.checks.as_ref().unwrap_or(&service.health.checks).is_empty()
}
