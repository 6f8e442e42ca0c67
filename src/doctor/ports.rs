//! Checks of what each gateway needs for itself: its port, and the workspaces of its agents. Only looks.
use super::{Ctx, Finding, one};
use crate::agents::Agents;
use crate::agents::own;
use crate::agents::sharing::real;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::owners;
use crate::service::far;
use crate::session_key::id_of;
use crate::workspace::{PERSONA, links};
use serde_json::Value;
use std::path::PathBuf;

pub fn in_use(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.config.exists() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    // A gateway elsewhere may be meant.
    if far::names_other_port(&ctx.env, &ctx.config) && far::address(&ctx.env, &ctx.config).is_some() {
        return Vec::new();
    }
    let port = ports::configured(&ctx.env, &ctx.config);
    one(owners::stranger(port, ctx.instance).map(|listener| {
        Finding::new(format!(
            "port {port} belongs to {}, which is not this profile's gateway",
            listener.told()
        ))
        .remedy("stop it, or set another gateway.port")
    }))
}

pub fn collisions(ctx: &Ctx) -> Vec<Finding> {
    ports::port_collisions(&ctx.env, &ctx.config).iter().map(|one| Finding::new(one.to_string())).collect()
}

pub fn workspaces(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.config.exists() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let of = |env: &Env, config: &Config| -> Vec<(String, PathBuf)> {
        let agents = Agents::of(config, env);
        agents.ids().into_iter().map(|id| (id.clone(), real(agents.workspace(&id)))).collect()
    };
    let own = of(&ctx.env, &ctx.config);
    let shared = |(profile, env, config): (String, Env, Config)| {
        let theirs = of(&env, &config);
        let (id, dir) = own.iter().find(|(_, dir)| theirs.iter().any(|(_, other)| other == dir))?;
        let text = format!("{} is a workspace of profile {profile} too", ctx.env.display(dir));
        let set = format!("config set {} <directory>", workspace_key(&ctx.config, id));
        Some(Finding::new(text).remedy(format!("give agent {id} another one: {}", ctx.env.command(&set))))
    };
    ports::profiles(&ctx.env).into_iter().filter_map(shared).collect()
}

/// The key that says where an agent works: its own if it is listed, else that of all.
fn workspace_key(config: &Config, id: &str) -> String {
    let list = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let place = list.into_iter().position(|agent| id_of(agent).as_deref() == Some(id));
    place.map_or("agents.defaults.workspace".to_string(), |place| format!("agents.list[{place}].workspace"))
}

/// Texts that agents are made of and go without: links that are not followed, what cannot be read.
pub fn texts(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.config.exists() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let agents = Agents::of(&ctx.config, &ctx.env);
    let mut dirs: Vec<PathBuf> = agents.ids().into_iter().map(|id| agents.workspace(&id)).collect();
    dirs.dedup();
    let linked = |dir: &PathBuf| {
        let dir = dir.clone();
        links::left_out(&dir).into_iter().map(move |link| {
            let path = dir.join(link);
            Finding::new(format!("{} is left out by its agent: {}", ctx.env.display(&path), links::WHY))
                .at(&path)
        })
    };
    let of = |dir: &PathBuf| {
        let dir = dir.clone();
        PERSONA.into_iter().filter_map(move |name| {
            let why = own::persona(&ctx.config, &ctx.env, &dir, name, 1).err()?;
            let path = dir.join(name);
            Some(
                Finding::new(format!(
                    "{} is not in its agent's prompt: {}",
                    ctx.env.display(&path),
                    why.message()
                ))
                .at(&path),
            )
        })
    };
    let dirs = dirs.iter().filter(|dir| dir.is_dir());
    dirs.flat_map(|dir| of(dir).chain(linked(dir))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::doctor::testing::{found, ids};
    use crate::sessions::TestDir;
    use std::net::TcpListener;

    #[test]
    fn b_f37_a_text_that_is_left_out_is_told() {
        let dir = Dir::new();
        let workspace = dir.path("w").display().to_string();
        dir.write("openclaw.json", &format!("{{agents: {{defaults: {{workspace: '{workspace}'}}}}}}"));
        dir.write("w/SOUL.md", "s");
        dir.write("elsewhere/key", "secret");
        std::os::unix::fs::symlink(dir.path("elsewhere/key"), dir.path("w/AGENTS.md")).unwrap();
        let told = found(&dir, &[], "workspace.texts");
        assert!(
            told.len() == 1 && told[0].1.contains("AGENTS.md") && told[0].1.contains("is a link"),
            "{told:?}"
        );
        std::os::unix::fs::symlink(dir.path("elsewhere"), dir.path("w/skills")).unwrap();
        let told = found(&dir, &[], "workspace.texts");
        assert!(told.len() == 2 && told[1].1.contains("w/skills is left out"), "{told:?}");
    }

    #[test]
    fn a_taken_port_names_its_owner() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = Dir::new();
        let port = held.local_addr().unwrap().port();
        dir.write("openclaw.json", &format!("{{gateway: {{mode: 'local', port: {port}}}}}"));
        let told = found(&dir, &[], "port.in_use");
        assert!(told.len() == 1 && told[0].1.contains(&format!("pid {}", std::process::id())), "{told:?}");
        drop(held);
        assert!(ids(&dir, &[], "port.in_use").is_empty());
    }

    #[test]
    fn a_workspace_of_two_profiles_is_told() {
        let home = TestDir::new();
        let configure = |profile: &str, text: &str| {
            let vars = [("HOME".to_string(), home.0.display().to_string())];
            let env = Env::from_vars(vars, Some(profile)).unwrap();
            std::fs::create_dir_all(&env.state_dir).unwrap();
            std::fs::write(&env.config_path, text).unwrap();
            workspaces(&Ctx::look(&env, false)).into_iter().map(|f| f.detail).collect::<Vec<_>>()
        };
        assert!(configure("a", "{}").is_empty());
        assert!(configure("b", "{}").is_empty(), "each has its own by default");
        configure("a", "{agents: {defaults: {workspace: '~/w'}}}");
        let told = configure("b", "{agents: {list: [{id: 'x', workspace: '~/w'}]}}");
        assert_eq!(told, ["~/w is a workspace of profile a too"]);
    }
}
