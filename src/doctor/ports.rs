//! Checks of what each gateway needs for itself: its port, and the workspaces of its agents. Only looks.
use super::{Ctx, Finding, one};
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::net::owners::owner_of;
use crate::ports;
use std::path::PathBuf;

pub fn in_use(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.config.exists() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let port = ports::configured(&ctx.env, &ctx.config);
    let stranger = owner_of(port).filter(|(pid, _)| Some(*pid) != ctx.instance);
    one(stranger.map(|(pid, name)| {
        Finding::new(format!(
            "port {port} belongs to pid {pid} ({name}), which is not this profile's gateway"
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
    let of = |env: &Env, config: &Config| -> Vec<PathBuf> {
        let agents = Agents::of(config, env);
        let dirs = agents.ids().into_iter().map(|id| agents.workspace(&id));
        dirs.map(|dir| std::fs::canonicalize(&dir).unwrap_or(dir)).collect()
    };
    let own = of(&ctx.env, &ctx.config);
    let shared = |(profile, env, config): (String, Env, Config)| {
        let dir = of(&env, &config).into_iter().find(|dir| own.contains(dir))?;
        let text = format!("{} is a workspace of profile {profile} too", ctx.env.display(&dir));
        Some(Finding::new(text).remedy("set another agents.defaults.workspace"))
    };
    ports::profiles(&ctx.env).into_iter().filter_map(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::doctor::testing::{found, ids};
    use crate::sessions::TestDir;
    use std::net::TcpListener;

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
