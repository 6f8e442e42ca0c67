//! Checks of the config file: mistakes, keys that are not read, what a start needs. Only looks.
use super::{Change, Ctx, Finding, Fix, one};
use crate::config::{Issue, legacy_place, remedy};

/// More unknown keys than this are one line.
const MAX: usize = 20;

pub fn missing(ctx: &Ctx) -> Vec<Finding> {
    let told = || {
        Finding::new(format!("{} does not exist", ctx.env.display(&ctx.env.config_path)))
            .at(&ctx.env.config_path)
            .remedy(ctx.env.command("onboard"))
    };
    one((!ctx.config.exists() && ctx.config.is_valid()).then(told))
}

pub fn invalid(ctx: &Ctx) -> Vec<Finding> {
    let finding = |issue: &Issue| about(ctx, issue).remedy(remedy(&ctx.env, issue));
    ctx.config.issues().iter().take(MAX).map(finding).collect()
}

fn about(ctx: &Ctx, issue: &Issue) -> Finding {
    match &issue.spot {
        Some(spot) => Finding { spot: Some(spot.clone()), ..Finding::new(issue.placed()).at(&spot.file) },
        None if issue.path.is_empty() => Finding::new(issue.message.clone()).at(&ctx.env.config_path),
        None => Finding::new(issue.told()).at(&ctx.env.config_path),
    }
}

pub fn mode(ctx: &Ctx) -> Vec<Finding> {
    let told = || {
        Finding::new("gateway.mode is unset; a gateway starts only with \"local\"")
            .at(&ctx.env.config_path)
            .remedy(ctx.env.command("config set gateway.mode local"))
            .fix(Fix::Config(vec![Change::Set("gateway.mode", "local".into())]))
    };
    one((ctx.is_readable() && !ctx.config.is_set("gateway.mode") && !ctx.config.is_disabled("gateway"))
        .then(told))
}

pub fn legacy(ctx: &Ctx) -> Vec<Finding> {
    let finding = |issue: &Issue| {
        let to = legacy_place(&issue.path)?;
        let finding = about(ctx, issue);
        // A place with a star in it is several places; a person has to choose.
        Some(match to.contains('*') || to == "agents.list" {
            true => finding,
            false => finding.fix(Fix::Config(vec![Change::Move(issue.path.clone(), to.to_string())])),
        })
    };
    ctx.config.warnings().iter().take(MAX).filter_map(finding).collect()
}

pub fn unknown(ctx: &Ctx) -> Vec<Finding> {
    let unknown = ctx.config.warnings().iter().filter(|issue| legacy_place(&issue.path).is_none());
    let finding = |issue: &Issue| {
        let finding = about(ctx, issue);
        match issue.is_unread() {
            true => finding.fix(Fix::Config(vec![Change::Remove(issue.path.clone())])),
            // Something is read from it.
            false => finding,
        }
    };
    unknown.take(MAX).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::ids;

    #[test]
    fn mistakes_of_the_file_are_told_by_what_they_are() {
        let check = |text: &str, want: &[&str]| {
            let dir = Dir::new();
            dir.write("openclaw.json", text);
            assert_eq!(ids(&dir, &[], "config"), want, "{text}");
        };
        check("{gateway: {mode: 'local'}}", &[]);
        check("{gateway: {mode: 'remote'}}", &[]);
        check("{}", &["config.mode_unset"]);
        check("{gateway: {mode:", &["config.invalid"]);
        check("{gateway: {mode: 'local', port: 'x'}}", &["config.invalid"]);
        check("{gateway: {mode: 'local'}, odd: 1}", &["config.unknown_key"]);
        check("{gateway: {mode: 'local', token: 'x'}}", &["config.legacy_key"]);
        assert_eq!(ids(&Dir::new(), &[], "config"), ["config.missing"]);
    }
}
