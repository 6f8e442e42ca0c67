//! The check of the owner's rules of commands. Only looks.
use super::{Ctx, Finding};
use crate::approvals::file;

/// A file that cannot be read forbids all commands, and says so only where one is asked for.
pub fn unreadable(ctx: &Ctx) -> Vec<Finding> {
    let found = file::read(&ctx.env).err();
    found.map(|e| Finding::new(e.message()).at(file::path(&ctx.env))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::found;

    #[test]
    fn i13_4_rules_that_forbid_all_as_nobody_can_read_them_are_told() {
        let dir = Dir::new();
        let told = |text: &str| {
            dir.write("exec-approvals.json", text);
            found(&dir, &[], "exec.approvals").into_iter().map(|it| it.1).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(r#"{"version": 1, "defaults": {"security": "deny"}}"#), "");
        for text in [
            "",
            r#"{"defaults": []}"#,
            r#"{"agents": {"main": null}}"#,
            r#"{"defaults": {"Security": "deny"}}"#,
        ] {
            assert!(told(text).contains("exec-approvals.json cannot be read"), "{text}");
        }
    }
}
