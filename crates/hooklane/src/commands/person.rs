//! Who sits at this machine: for the audit log.

use std::os::unix::fs::MetadataExt;

/// The user and the machine, as far as it says: `ada@host`.
pub(super) fn name() -> String {
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok());
    let user = user.map_or_else(uid, |user| user.trim().to_owned());
    match host.as_deref().map(str::trim) {
        Some(host) if !host.is_empty() => format!("{user}@{host}"),
        _ => user,
    }
}

/// The number of the user: a container may have no name for it.
fn uid() -> String {
    match std::fs::metadata("/proc/self") {
        Ok(own) => format!("uid-{}", own.uid()),
        Err(_) => "unknown".to_owned(),
    }
}
