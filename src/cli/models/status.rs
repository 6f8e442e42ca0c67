//! `openclaw models [status]`: which model answers, where it is, where its key comes from, and what is amiss.
//!
//! Works on the config and the environment alone and asks no server. Keys are never shown, only their place.
use super::keys::Server;
use super::load;
use crate::agents::Agents;
use crate::agents::profiles;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::models::catalogue;
use crate::models::catalogue::{IMAGE_MODEL, MODEL};
use crate::models::provider::{BUILTIN, Provider};
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "models",
    examples: &[("openclaw models", "Show which model answers and what is amiss")],
    ..STATUS
};

pub const STATUS: Command = Command {
    name: "models status",
    summary: "Show the models in use, their servers and where the keys are",
    about: "No server is asked; `openclaw models test` does that.",
    positionals: &[],
    flags: &[&[
        Flag::value("agent", "<id>", "Show this agent's own model and fallbacks"),
        Flag::switch("check", "Exit 1 when a model in use cannot be used, as for a missing key"),
        Flag::switch("plain", "Print only the provider/model that answers"),
        JSON,
    ]],
    examples: &[
        ("openclaw models status", "Show models, servers and keys"),
        ("openclaw models status --check --json", "Let a script find out whether anything is missing"),
    ],
    failure: "",
    run,
};

/// The models in use.
struct Used {
    default: String,
    fallbacks: Vec<String>,
    image: Option<String>,
    image_fallbacks: Vec<String>,
}

impl Used {
    fn of(config: &Config, env: &Env, agent: Option<&str>) -> Result<Used> {
        let texts = |names: Vec<&str>| names.into_iter().map(str::to_string).collect();
        let mut used = Used {
            default: catalogue::chosen(config).to_string(),
            fallbacks: texts(catalogue::fallbacks(config, MODEL)),
            image: catalogue::primary(config, IMAGE_MODEL).map(str::to_string),
            image_fallbacks: texts(catalogue::fallbacks(config, IMAGE_MODEL)),
        };
        if let Some(id) = agent {
            let agents = Agents::of(config, env);
            let id = crate::session_key::normalise_agent_id(id);
            if !agents.ids().contains(&id) {
                let text =
                    format!("Unknown agent id {id:?}; {} shows those there are", env.command("agents list"));
                return Err(Error::usage(text));
            }
            used.default = agents.model(&id).unwrap_or(used.default);
            used.fallbacks = agents.fallbacks(&id);
        }
        Ok(used)
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let chosen = std::iter::once(&self.default).chain(&self.fallbacks);
        chosen.chain(&self.image).chain(&self.image_fallbacks)
    }
}

/// What is known of servers and what is amiss.
struct Findings {
    servers: Vec<Server>,
    problems: Vec<String>,
    missing: Vec<String>,
}

fn look(config: &Config, env: &Env, used: &Used, agent: Option<&str>) -> Findings {
    let agent = agent.map_or_else(|| Agents::of(config, env).default_id(), str::to_string);
    let text = crate::files::read_lossy(config.path()).unwrap_or_default();
    // Without the file's own words, a key from a variable counts as one of the config.
    let written: Value = crate::config::parse::json5(&text).unwrap_or_default();
    let mut found = Findings { servers: Vec::new(), problems: Vec::new(), missing: Vec::new() };
    let in_use = used.all().map(|name| (name.clone(), true));
    let sections = config.get("models.providers").and_then(Value::as_object).into_iter().flatten();
    let others = sections.map(|(id, _)| (format!("{id}/any"), false));
    for (name, is_used) in in_use.chain(others) {
        let with_keys = |provider| profiles::apply(provider, config, env, &agent);
        let provider = match Provider::resolve(config, env, &name).and_then(with_keys) {
            Ok(provider) => provider,
            Err(e) => {
                if !found.problems.iter().any(|known| known == e.message()) {
                    found.problems.push(e.message().to_string());
                }
                continue;
            }
        };
        if found.servers.iter().any(|server| server.id == provider.id) {
            continue;
        }
        let server = Server::of(config, &written, env, &provider);
        if let Some(problem) = server.problem(&provider).filter(|_| is_used) {
            found.problems.push(problem);
            found.missing.push(server.id.clone());
        }
        found.servers.push(server);
    }
    found
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = load(context)?;
    let used = Used::of(&config, &env, args.value("agent"))?;
    let found = look(&config, &env, &used, args.value("agent"));
    let fails = args.has("check") && !found.problems.is_empty();
    let report = || as_json(&config, &env, &used, &found, args.value("agent"));
    if args.has("json") && !fails {
        context.out.json(&report());
    } else if args.has("plain") {
        context.out.whole(&used.default);
    } else if !args.has("json") {
        show(context, &config, &used, &found);
    }
    if fails {
        let text = found.problems.join("; ");
        return Err(Error::new(Kind::Unavailable, text).with("status", report()));
    }
    Ok(())
}

fn show(context: &Context, config: &Config, used: &Used, found: &Findings) {
    let names = |names: &[String]| if names.is_empty() { "-".to_string() } else { names.join(", ") };
    let aliases: Vec<String> = catalogue::aliases(config)
        .iter()
        .map(|(alias, reference)| format!("{alias} -> {reference}"))
        .collect();
    let note = if used.default == BUILTIN { " (built in; it only shows that the gateway works)" } else { "" };
    for (name, value) in [
        ("Config", context.env.display(config.path())),
        ("Default", format!("{}{note}", used.default)),
        ("Fallbacks", names(&used.fallbacks)),
        ("Image model", used.image.clone().unwrap_or_else(|| "-".to_string())),
        ("Image fallbacks", names(&used.image_fallbacks)),
        ("Aliases", names(&aliases)),
    ] {
        context.out.line(format!("{name:<15} : {value}"));
    }
    context.out.line("");
    let cells = |s: &Server| vec![s.id.clone(), s.url.clone(), s.api.to_string(), s.key().to_string()];
    context
        .out
        .table(&["Provider", "Server", "Api", "Key"], &found.servers.iter().map(cells).collect::<Vec<_>>());
    if !found.problems.is_empty() {
        context.out.line("");
        context.out.line("Problems");
        found.problems.iter().for_each(|problem| context.out.line(format!("- {problem}")));
    }
}

fn as_json(config: &Config, env: &Env, used: &Used, found: &Findings, agent: Option<&str>) -> Value {
    let agents = Agents::of(config, env);
    let agent = agent.map_or_else(|| agents.default_id(), crate::session_key::normalise_agent_id);
    let resolved =
        Provider::resolve(config, env, &used.default).ok().map(|p| format!("{}/{}", p.id, p.model));
    let aliases: Map<String, Value> = catalogue::aliases(config)
        .into_iter()
        .map(|(alias, reference)| (alias.to_string(), reference.into()))
        .collect();
    let allowed: Vec<&String> = catalogue::allowed(config).into_iter().flat_map(Map::keys).collect();
    json!({
        "configPath": config.path(),
        "agentDir": agents.agent_dir(&agent),
        "defaultModel": used.default,
        "resolvedDefault": resolved,
        "fallbacks": used.fallbacks,
        "imageModel": used.image,
        "imageFallbacks": used.image_fallbacks,
        "aliases": aliases,
        "allowed": allowed,
        "auth": {
            "providersWithOAuth": [],
            "missingProvidersInUse": found.missing,
            "providers": found.servers.iter().map(Server::to_json).collect::<Vec<_>>(),
        },
        "problems": found.problems,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn keys_are_named_by_their_place_only() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{agents: {defaults: {model: {primary: 'plain/m', fallbacks: ['openai/x', 'nope/y']}}},\
             models: {providers: {plain: {baseUrl: 'https://a.example/v1', apiKey: 'sk-canary-1234567'},\
             var: {baseUrl: 'https://b.example/v1', apiKey: '${VAR_KEY}'}, usual: {baseUrl: 'https://c.example/v1'},\
             file: {baseUrl: 'https://d.example/v1', apiKeyFile: '/k'}, near: {baseUrl: 'http://127.0.0.1:9/v1'}}}}",
        );
        let mut env = dir.env(&[("VAR_KEY", "sk-canary-2345678"), ("USUAL_API_KEY", "sk-canary-3456789")]);
        let config = Config::load(&mut env).unwrap();
        let used = Used::of(&config, &env, None).unwrap();
        let found = look(&config, &env, &used, None);
        let rows: Vec<String> =
            found.servers.iter().map(|s| format!("{} {} {}", s.id, s.kind, s.detail)).collect();
        let want = [
            "plain config models.providers.plain.apiKey",
            "openai missing ",
            "var env VAR_KEY",
            "usual env USUAL_API_KEY",
            "file file /k",
            "near none ",
        ];
        assert_eq!(rows, want);
        assert_eq!(found.missing, ["openai"]);
        assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
        let report = as_json(&config, &env, &used, &found, None).to_string();
        assert!(!report.contains("canary"), "{report}");
    }
}
