//! What scopes mean to a device: which exist for a role, and which include others. Pure functions.
//!
//! INVARIANT: nothing here widens. An unknown, empty or differently spelled scope gives nothing, and no scopes
//! means no scopes; the default of a client that names none is chosen before a request gets here.

/// The scopes an operator can hold. A node holds none.
pub const OPERATOR_SCOPES: [&str; 8] = [
    "operator.admin",
    "operator.approvals",
    "operator.pairing",
    "operator.questions",
    "operator.read",
    "operator.talk",
    "operator.talk.secrets",
    "operator.write",
];
/// The roles a device can be paired for.
pub const ROLES: [&str; 2] = ["operator", "node"];

/// Those of `scopes` that exist for `role`: sorted, each once.
pub fn grantable(role: &str, scopes: &[String]) -> Vec<String> {
    let known = |scope: &&String| role == "operator" && is_known(scope);
    union(&[], &scopes.iter().filter(known).cloned().collect::<Vec<_>>())
}

pub fn is_known(scope: &str) -> bool {
    OPERATOR_SCOPES.contains(&scope)
}

/// Whether the holder of `held` may do what `wanted` stands for.
pub fn covers(held: &[String], wanted: &str) -> bool {
    let has = |scope: &str| held.iter().any(|h| h == scope);
    match wanted {
        _ if has(wanted) => true,
        "operator.read" | "operator.talk" => has("operator.write") || has("operator.admin"),
        _ => is_known(wanted) && has("operator.admin"),
    }
}

/// The first of `wanted` that `held` does not cover.
pub fn first_missing<'a>(held: &[String], wanted: &'a [String]) -> Option<&'a str> {
    wanted.iter().map(String::as_str).find(|scope| !covers(held, scope))
}

/// Both lists as one, sorted, each entry once.
pub fn union(a: &[String], b: &[String]) -> Vec<String> {
    let mut all: Vec<String> = a.iter().chain(b).cloned().collect();
    crate::order::sort(&mut all);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::strings;

    #[test]
    fn only_known_scopes_spelled_exactly_are_granted() {
        let asked =
            strings(&["operator.read", "OPERATOR.ADMIN", "", "*", "operator.", "operator.read", "admin"]);
        assert_eq!(grantable("operator", &asked), ["operator.read"]);
        assert!(grantable("node", &strings(&["operator.admin"])).is_empty());
        assert!(grantable("operator", &[]).is_empty());
    }

    #[test]
    fn admin_covers_every_scope_and_write_covers_read() {
        let check = |held: &str, wanted: &str, want: bool| {
            assert_eq!(covers(&strings(&[held]), wanted), want, "{held} {wanted}")
        };
        for scope in OPERATOR_SCOPES {
            check("operator.admin", scope, true);
            check("operator.read", scope, scope == "operator.read");
        }
        check("operator.write", "operator.read", true);
        check("operator.write", "operator.talk", true);
        check("operator.write", "operator.talk.secrets", false);
        check("operator.write", "operator.pairing", false);
        check("operator.pairing", "operator.read", false);
        check("operator.admin", "made.up", false);
    }
}
