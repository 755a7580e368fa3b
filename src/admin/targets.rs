//! The servers in `/ready`, and for `/metrics`, where there are replicas. A server's name has no user and no password.

/// A server.
#[derive(Debug, Clone, Default)]
pub struct TargetStatus {
    /// `primary`, or its hosts and ports.
    pub name: String,
    /// How it stands, in words.
    pub standing: String,
    /// Whether it serves.
    pub works: bool,
    /// Bytes of the log that it has not replayed.
    pub lag: Option<u64>,
    /// Requests under way there.
    pub busy: usize,
    /// Requests that it has answered.
    pub served: u64,
    /// Reads that another one has answered because they failed there.
    pub failed: u64,
}

/// One line for each server.
pub(super) fn lines(targets: &[TargetStatus]) -> String {
    targets.iter().map(|target| format!("{}: {}\n", target.name, target.standing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_line() {
        assert_eq!(lines(&[]), "");
        let target = |name: &str, standing: &str| TargetStatus {
            name: name.to_owned(),
            standing: standing.to_owned(),
            ..TargetStatus::default()
        };
        let targets = [target("primary", "works"), target("db2:5432", "behind: it is")];
        assert_eq!(lines(&targets), "primary: works\ndb2:5432: behind: it is\n");
    }
}
