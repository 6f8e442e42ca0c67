//! What is configured and not in this version (`features`), and its checks: a finding for each feature that is asked for. Only
//! looks.
mod features;

pub use features::{Asked, asked, line};

use super::{Ctx, Finding, one};

fn told(ctx: &Ctx, id: &str) -> Vec<Finding> {
    let asked = ctx.is_readable().then(|| features::asked_for(id, &ctx.config, &ctx.env)).flatten();
    one(asked.map(|asked| {
        Finding::new(format!("{}: configured, and nothing here acts on it", asked.what))
            .at(&ctx.env.config_path)
            .remedy(asked.feature.instead)
    }))
}

pub fn channels(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "channels")
}

pub fn exec(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "exec")
}

pub fn hooks(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "hooks")
}

pub fn http(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "http")
}

pub fn media(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "media")
}

pub fn memory(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "memory")
}

pub fn model_params(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "model_params")
}

pub fn network(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "network")
}

pub fn pages(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "pages")
}

pub fn plugins(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "plugins")
}

pub fn broadcast(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "broadcast")
}

pub fn web_search(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, "web_search")
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::{found, ids};

    #[test]
    fn n_2_each_feature_that_is_asked_for_is_a_finding_and_nothing_claims_that_it_works() {
        let dir = Dir::new();
        let text = "{gateway: {mode: 'local', auth: {token: 'sixteen-letters-'}},
            channels: {discord: {token: 'x'}, whatsapp: {}}, hooks: {internal: {enabled: true}},
            tools: {elevated: {enabled: true, allowFrom: {telegram: ['*']}}}, commands: {bash: true}, logging: {redactSensitive: 'off'}}";
        dir.write("openclaw.json", text);
        let all = ["unsupported.channels", "unsupported.exec", "unsupported.hooks"];
        assert_eq!(ids(&dir, &[], "unsupported"), all);
        assert!(found(&dir, &[], "unsupported.channels")[0].1.starts_with("2 channels (discord, whatsapp)"));
        for claimed in ["gateway", "hooks", "tools", "logging"] {
            assert!(ids(&dir, &[], claimed).is_empty(), "{claimed}");
        }
    }
}
