//! Checks of the gateway's port: who has it, and which profiles want the same. Only looks.
use super::{Ctx, Finding, one};
use crate::net::owners::owner_of;
use crate::ports;

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

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::{found, ids};
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
}
