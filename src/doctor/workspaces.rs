//! Checks of the workspaces that the configuration names: whether they are there, and this user's. Only looks.
use super::{Ctx, Finding};
use crate::agents::Agents;
use rustix::fs::{Access, access};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where other users have their homes.
const HOMES: [&str; 3] = ["/home", "/Users", "/root"];

/// The configured ones, each with the key that names it.
fn named(ctx: &Ctx) -> Vec<(PathBuf, String)> {
    if ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let agents = Agents::of(&ctx.config, &ctx.env);
    let general = ctx.config.str("agents.defaults.workspace").map(|dir| ctx.env.expand(dir));
    let mut named: Vec<(PathBuf, String)> = Vec::new();
    let own = agents.ids().into_iter().map(|id| (agents.workspace(&id), format!("agent {id}")));
    let own = own.filter(|(dir, _)| *dir != ctx.env.default_workspace());
    for (dir, user) in
        general.map(|dir| (dir, "agents.defaults.workspace".to_string())).into_iter().chain(own)
    {
        if !named.iter().any(|(known, _)| *known == dir) {
            named.push((dir, user));
        }
    }
    named
}

/// Those of another user, or of another state directory.
pub fn foreign(ctx: &Ctx) -> Vec<Finding> {
    let finding = |(dir, user): (PathBuf, String)| {
        let why = why_foreign(ctx, &dir)?;
        let command = match user.strip_prefix("agent ") {
            None => "config set agents.defaults.workspace '~/DIR'".to_string(),
            Some(id) => format!("agents list, then config set agents.list[N].workspace '~/DIR' for {id}"),
        };
        let told = format!("{user}: the workspace {} {why}", ctx.env.display(&dir));
        Some(Finding::new(told).at(&dir).remedy(ctx.env.command(&command)))
    };
    named(ctx).into_iter().filter_map(finding).collect()
}

fn why_foreign(ctx: &Ctx, dir: &Path) -> Option<String> {
    let existing = dir.ancestors().find(|place| place.exists()).unwrap_or(Path::new("/"));
    let user = rustix::process::geteuid();
    let is_other = std::fs::metadata(existing).is_ok_and(|meta| meta.uid() != user.as_raw());
    if existing == dir && is_other && access(dir, Access::WRITE_OK).is_err() {
        return Some("belongs to another user".to_string());
    }
    if existing != dir && access(existing, Access::WRITE_OK).is_err() {
        return Some(format!("does not exist and cannot be made below {}", existing.display()));
    }
    let is_mine = dir.starts_with(&ctx.env.home) || dir.starts_with(&ctx.env.state_dir);
    let is_state = |place: &Path| {
        place.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".openclaw"))
    };
    match dir.ancestors().skip(1).find(|place| is_state(place)) {
        _ if is_mine => None,
        Some(place) => Some(format!("lies in {}, the state directory of another home", place.display())),
        None if HOMES.iter().any(|homes| dir.starts_with(homes)) => Some("lies in another home".to_string()),
        None => None,
    }
}

/// Those that are not there yet, and may be made.
pub fn missing(ctx: &Ctx) -> Vec<Finding> {
    let is_missing = |(dir, _): &(PathBuf, String)| !dir.exists() && why_foreign(ctx, dir).is_none();
    let finding = |(dir, user): (PathBuf, String)| {
        let told = format!(
            "{user}: the workspace {} does not exist; the first file makes it",
            ctx.env.display(&dir)
        );
        Finding::new(told).at(&dir).remedy(format!("mkdir -m 700 -p {}", ctx.env.pasted(&dir)))
    };
    named(ctx).into_iter().filter(is_missing).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::found;

    #[test]
    fn n_40_a_workspace_of_another_home_is_told() {
        let dir = Dir::new();
        let told = |workspace: &str| {
            dir.write("openclaw.json", &format!("{{agents: {{defaults: {{workspace: '{workspace}'}}}}}}"));
            let found = found(&dir, &[], "workspace");
            found.into_iter().map(|(id, told)| format!("{id}: {told}")).collect::<Vec<_>>().join("\n")
        };
        let elsewhere = Dir::new();
        let other = elsewhere.path("other/.openclaw");
        std::fs::create_dir_all(other.join("workspace")).unwrap();
        let foreign = told(&other.join("workspace").display().to_string());
        assert!(foreign.starts_with("workspace.foreign: agents.defaults.workspace: "), "{foreign}");
        assert!(foreign.contains("the state directory of another home"), "{foreign}");
        let missing = told(&dir.path("ws").display().to_string());
        assert!(missing.starts_with("workspace.missing: ") && !missing.contains('\n'), "{missing}");
        std::fs::create_dir(dir.path("ws")).unwrap();
        assert_eq!(told(&dir.path("ws").display().to_string()), "");
    }
}
