//! Checks of the models agents run with: can be resolved, have a key. Asks no server.
use super::{Ctx, Finding, one};
use crate::agent::room;
use crate::agents::Agents;
use crate::agents::profiles;
use crate::models::provider::{Api, Provider, is_nearby, key_variable};
use crate::models::{catalogue, keyed};
use crate::service::far;
use ureq::http::Uri;

/// Every model in use with who uses it, each once; none where agents run elsewhere.
fn models(ctx: &Ctx) -> Vec<(String, String)> {
    if far::address(&ctx.env, &ctx.config).is_some() {
        return Vec::new();
    }
    let agents = Agents::of(&ctx.config, &ctx.env);
    let mut models: Vec<(String, String)> = Vec::new();
    for id in agents.ids() {
        let own = agents.model(&id).map(|model| (model, format!("agent {id}")));
        let others =
            agents.fallbacks(&id).into_iter().map(|model| (model, format!("a fallback of agent {id}")));
        for (model, user) in own.into_iter().chain(others) {
            if !models.iter().any(|(known, _)| *known == model) {
                models.push((model, user));
            }
        }
    }
    models
}

pub fn built_in(ctx: &Ctx) -> Vec<Finding> {
    let agents = Agents::of(&ctx.config, &ctx.env);
    let answers_here = ctx.is_readable() && far::address(&ctx.env, &ctx.config).is_none();
    one((answers_here && agents.model(&agents.default_id()).is_none()).then(|| {
        Finding::new("answers come from the built-in model, which only shows that everything works")
            .remedy(ctx.env.command("models scan"))
    }))
}

pub fn unusable(ctx: &Ctx) -> Vec<Finding> {
    let finding = |(model, user): (String, String)| {
        let error = Provider::resolve(&ctx.config, &ctx.env, &model).err()?;
        Some(Finding::new(format!("{user}: {}", error.message())).remedy(ctx.env.command("models list")))
    };
    models(ctx).into_iter().filter_map(finding).collect()
}

/// Models of local servers whose window the configuration does not have: such servers give a few thousand tokens
/// unless told otherwise, and cut what is longer without a word.
pub fn window(ctx: &Ctx) -> Vec<Finding> {
    let finding = |(model, user): (String, String)| {
        let provider = Provider::resolve(&ctx.config, &ctx.env, &model).ok()?;
        let reference = format!("{}/{}", provider.id, provider.model);
        let has_own =
            catalogue::find(&ctx.config, &reference).is_some_and(|listed| listed.own_window().is_some());
        let is_assumed = provider.api != Api::Builtin && catalogue::is_local(&provider) && !has_own;
        is_assumed.then(|| {
            let tokens = provider.context_window;
            Finding::new(format!(
                "{reference} ({user}): no contextWindow, {tokens} tokens are assumed until its server tells"
            ))
            .remedy(format!(
                "{}, which asks its server; where that tells none, set contextWindow beside {} in models.providers.{}.models",
                ctx.env.command(&format!("models set {reference}")),
                provider.model,
                provider.id
            ))
        })
    };
    models(ctx).into_iter().filter_map(finding).collect()
}

/// Models whose window the instructions and tools of an agent fill.
pub fn crowded(ctx: &Ctx) -> Vec<Finding> {
    if far::address(&ctx.env, &ctx.config).is_some() {
        return Vec::new();
    }
    let agents = Agents::of(&ctx.config, &ctx.env);
    let finding = |id: String| {
        let provider = Provider::resolve(&ctx.config, &ctx.env, &agents.model(&id)?).ok()?;
        let why = room::crowded(&ctx.config, &ctx.env, &id, &provider)?;
        let (what, fix) = why.split_once(": ")?;
        Some(Finding::new(format!("agent {id}: {what}")).remedy(fix.to_string()))
    };
    agents.ids().into_iter().filter_map(finding).collect()
}

pub fn key_missing(ctx: &Ctx) -> Vec<Finding> {
    let finding = |(model, user): (String, String)| {
        let provider = Provider::resolve(&ctx.config, &ctx.env, &model).ok()?;
        profiles::look(&ctx.config, &ctx.env);
        let agent = Agents::of(&ctx.config, &ctx.env).default_id();
        if let Some(lost) = profiles::apply(provider.clone(), &ctx.config, &ctx.env, &agent).err() {
            return Some(Finding::new(format!("{model} ({user}): {}", lost.message())));
        }
        let key = format!("models.providers.{}.apiKey", provider.id);
        let variable = key_variable(&provider.id);
        if let Some(file) = &provider.key_file {
            let is_there = crate::files::read_start(file, 1).is_some_and(|bytes| !bytes.is_empty());
            return (!is_there).then(|| {
                Finding::new(format!(
                    "{model} ({user}): the key file {} cannot be read",
                    ctx.env.display(file)
                ))
                .at(file)
            });
        }
        let host = provider.base_url.parse::<Uri>().ok()?.host()?.to_string();
        let has_any = provider.api_key.is_some() || keyed::has(&provider.id);
        let needs = !has_any && provider.headers.is_empty() && !is_nearby(&host);
        needs.then(|| {
            Finding::new(format!("{model} ({user}): neither {key} nor {variable} is set"))
                .remedy(ctx.env.command(&format!("config set {key} <key>")))
        })
    };
    models(ctx).into_iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::ids;

    #[test]
    fn models_are_resolved_and_keys_looked_for() {
        let check = |model: &str, vars: &[(&str, &str)], want: &[&str]| {
            let dir = Dir::new();
            let providers = "{near: {baseUrl: 'http://127.0.0.1:1/v1', models: []}, far: {baseUrl: 'https://far.example/v1', models: []}}";
            let text =
                format!("{{models: {{providers: {providers}}}, agents: {{defaults: {{model: {model}}}}}}}");
            dir.write("openclaw.json", &text);
            assert_eq!(ids(&dir, vars, "models"), want, "{model}");
        };
        check("{}", &[], &["models.built_in"]);
        // N-6
        check("{primary: 'near/m'}", &[], &["models.window"]);
        check("{primary: 'far/m'}", &[], &["models.key_missing"]);
        check("{primary: 'far/m'}", &[("FAR_API_KEY", "k-123456")], &[]);
        check("{primary: 'near/m', fallbacks: ['none/x']}", &[], &["models.unusable", "models.window"]);
    }

    #[test]
    fn n_6_a_window_that_instructions_and_tools_fill_is_told() {
        for (window, tools, want) in
            [(4096, "{}", true), (4096, "{profile: 'minimal'}", false), (32_000, "{}", false)]
        {
            let dir = Dir::new();
            let near = format!(
                "{{baseUrl: 'http://127.0.0.1:1/v1', models: [{{id: 'm', contextWindow: {window}}}]}}"
            );
            dir.write(
                "openclaw.json",
                &format!("{{tools: {tools}, models: {{providers: {{near: {near}}}}}, agents: {{defaults: {{model: 'near/m'}}}}}}"),
            );
            assert_eq!(ids(&dir, &[], "models.crowded").len(), usize::from(want), "{window} {tools}");
        }
    }
}
