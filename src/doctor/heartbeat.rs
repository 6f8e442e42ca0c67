//! Checks of heartbeats: settings that cannot be taken as they stand. Only looks.
use super::{Ctx, Finding};
use crate::heartbeat;

pub fn wrong(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.is_readable() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let wrong = heartbeat::wrong(&ctx.config, &ctx.env).into_iter();
    wrong.map(|(key, why)| Finding::new(format!("{key}: {why}")).at(&ctx.env.config_path)).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::found;

    #[test]
    fn i13_2_settings_that_cannot_be_taken_are_named_with_key_and_reason() {
        let dir = Dir::new();
        let text = "{gateway: {mode: 'local'}, agents: {defaults: {heartbeat: {target: 'pigeon', activeHours: {start: '08:00', end: '20:00', timezone: 'Mars/Base'}}}}}";
        dir.write("openclaw.json", text);
        let found = found(&dir, &[], "heartbeat.settings");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0]
                .1
                .starts_with("agents.defaults.heartbeat.activeHours.timezone: \"Mars/Base\" is no time zone"),
            "{found:?}"
        );
        assert!(
            found[1].1.starts_with("agents.defaults.heartbeat.target: \"pigeon\" is no channel"),
            "{found:?}"
        );
    }
}
