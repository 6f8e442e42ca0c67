//! The line that stands in every audit: what there is to reach, and by what.
//!
//! Only looks, as every check does. What agents may do is told as their rules say it, for a turn of the owner in the
//! main session; of the approvals the rules are told, never the commands.
use super::access::auth;
use super::{Ctx, Finding};
use crate::agents::Agents;
use crate::approvals::{Ask, Rules, Security, file};
use crate::calls::Provenance;
use crate::error::Result;
use crate::models::provider::BUILTIN;
use crate::tools::{self, Tool, commands};
use serde_json::Value;

/// Tools that fetch what lies elsewhere.
const REACHING: [&str; 3] = ["web_fetch", "web_search", "image"];
/// Turns that others begin, as `tools.surfaces` names them.
const SURFACES: [(Provenance, &str); 5] = [
    (Provenance::Guest, "guests"),
    (Provenance::Hook, "hooks"),
    (Provenance::Cron, "cron"),
    (Provenance::Agent, "agents"),
    (Provenance::Node, "nodes"),
];

pub fn summary(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.config.exists() {
        return Vec::new();
    }
    if ctx.config.str("gateway.mode") == Some("remote") {
        return vec![Finding::new("no gateway here: gateway.mode is remote")];
    }
    let bind = ctx.config.str("gateway.bind").unwrap_or("loopback");
    let credential = match auth(ctx) {
        Some(auth) if auth.secret.is_some() => format!("shared {} or paired device", auth.mode.name()),
        _ => "paired device".to_string(),
    };
    let tailscale =
        if auth(ctx).is_some_and(|auth| auth.allow_tailscale) { ", Tailscale identity" } else { "" };
    let list = |key: &str, none: &str| {
        let list = ctx.config.strings(key);
        if list.is_empty() { none.to_string() } else { list.join(", ") }
    };
    let agents = Agents::of(&ctx.config, &ctx.env);
    let offered: Vec<(String, Vec<&'static Tool>)> =
        agents.ids().into_iter().map(|id| (id.clone(), offered(ctx, &agents, &id))).collect();
    let has = |name: &str| offered.iter().any(|(_, tools)| tools.iter().any(|tool| tool.name == name));
    let reaching = REACHING.into_iter().filter(|name| has(name)).collect::<Vec<_>>().join(", ");
    vec![Finding::new(format!(
        "gateway bind: {bind}\nsign-in: {credential}{tailscale}\ntrusted proxies: {}\nweb pages that may connect: {}\n\
         tools that reach out: {}\ncommands on the host: {}",
        list("gateway.trustedProxies", "none"),
        list("gateway.controlUi.allowedOrigins", "those of the gateway's own address"),
        if reaching.is_empty() { "none" } else { &reaching },
        on_the_host(ctx, &offered),
    ))]
}

fn offered(ctx: &Ctx, agents: &Agents, id: &str) -> Vec<&'static Tool> {
    let model = agents.model(id).unwrap_or_else(|| BUILTIN.to_string());
    tools::offered(&ctx.config, &ctx.env, id, &model, &format!("agent:{id}:main"))
}

/// What commands agents may run: said once where it is the same for all.
fn on_the_host(ctx: &Ctx, offered: &[(String, Vec<&'static Tool>)]) -> String {
    let book = file::read(&ctx.env).map(|book| Value::Object(book.file));
    let all: Vec<(&str, String)> =
        offered.iter().map(|(id, tools)| (id.as_str(), commands_of(ctx, id, tools, &book))).collect();
    match all.first() {
        Some((_, first)) if all.iter().all(|(_, other)| other == first) => first.clone(),
        _ => all.iter().map(|(id, what)| format!("agent {id} {what}")).collect::<Vec<_>>().join("; "),
    }
}

fn commands_of(ctx: &Ctx, id: &str, tools: &[&'static Tool], book: &Result<Value>) -> String {
    let Some(exec) = tools.iter().find(|tool| tool.name == "exec") else { return "none".to_string() };
    let Ok(book) = book else { return "none, as exec-approvals.json cannot be read".to_string() };
    let rules = commands::rules(&ctx.config, id, book);
    let (listed, granted) = (rules.patterns.len(), rules.granted());
    let listed =
        format!("those that are listed ({listed} patterns, {granted} allowed for good, and filters)");
    let what = match rules {
        Rules { security: Security::Deny, .. } => return "none".to_string(),
        Rules { ask: Ask::Always, .. } => "each by the owner's word".to_string(),
        Rules { security: Security::Full, .. } => "any, without asking".to_string(),
        Rules { ask: Ask::Off, .. } => format!("{listed}, no others"),
        Rules { .. } => format!("{listed}, others by the owner's word"),
    };
    let others = SURFACES.into_iter().filter(|(whose, _)| tools::serves(&ctx.config, exec, *whose));
    let others = others.map(|(_, name)| name).collect::<Vec<_>>().join(", ");
    if others.is_empty() { what } else { format!("{what}; also in turns of: {others}") }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::found;

    fn told(rest: &str, approvals: Option<&str>) -> String {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            &format!("{{gateway: {{mode: 'local', auth: {{token: 'sixteen-letters-'}}}}, {rest}}}"),
        );
        approvals.into_iter().for_each(|text| dir.write("exec-approvals.json", text));
        found(&dir, &[], "summary")[0].1.clone()
    }

    #[test]
    fn n_20_the_audit_s_summary_names_only_what_exists() {
        let told = told("", None);
        for gone in ["elevated", "hooks", "control page"] {
            assert!(!told.contains(gone), "{told:?}");
        }
        assert!(told.contains("gateway bind: loopback\nsign-in: shared token"), "{told:?}");
    }

    #[test]
    fn n_20_commands_and_tools_are_told_as_policy_and_approvals_have_them() {
        let list = r#"{"version": 1, "agents": {"main": {"allowlist": [{"pattern": "/usr/bin/uptime"}]}}}"#;
        for (rest, approvals, want) in [
            (
                "",
                None,
                "those that are listed (0 patterns, 0 allowed for good, and filters), others by the owner's word",
            ),
            (
                "",
                Some(list),
                "those that are listed (1 patterns, 0 allowed for good, and filters), others by the owner's word",
            ),
            ("tools: {exec: {security: 'full', ask: 'off'}}", None, "any, without asking"),
            ("tools: {exec: {ask: 'always'}}", None, "each by the owner's word"),
            ("tools: {exec: {ask: 'off'}}", Some(list), "and filters), no others"),
            ("tools: {exec: {security: 'deny'}}", None, "host: none"),
            ("tools: {deny: ['group:runtime']}", None, "host: none"),
            (
                "tools: {exec: {security: 'full'}, surfaces: {cron: ['exec']}}",
                None,
                "any, without asking; also in turns of: cron",
            ),
            (
                "agents: {list: [{id: 'main'}, {id: 'ops', tools: {exec: {security: 'deny'}}}]}, tools: {exec: {security: 'full'}}",
                None,
                "host: agent main any, without asking; agent ops none",
            ),
        ] {
            let said = told(rest, approvals);
            assert!(said.ends_with(want), "{rest}: {said}");
        }
        let reach_out = |rest: &str| {
            let said = told(rest, None);
            said.lines()
                .find_map(|line| line.strip_prefix("tools that reach out: ").map(str::to_string))
                .unwrap()
        };
        let search =
            "tools: {web: {search: {provider: 'searxng', searxng: {baseUrl: 'http://127.0.0.1:1'}}}}";
        assert!(reach_out("").starts_with("web_fetch") && !reach_out("").contains("web_search"));
        assert!(reach_out(search).starts_with("web_fetch, web_search"));
        assert!(!reach_out("tools: {web: {fetch: {enabled: false}}}").contains("web_fetch"));
        assert_eq!(reach_out("tools: {profile: 'minimal'}"), "none");
    }
}
