//! Checks of who can get at the gateway: secrets, addresses, publication, webhooks, elevated tools. Only looks; tells
//! lengths and places of secrets, never the secrets.
use super::{Change, Ctx, Finding, Fix, one};
use crate::device::secret_eq;
use crate::net::bind::Plan;
use crate::shared::Auth;
use serde_json::Value;

/// Secrets shorter than this are weak (R-16e).
const WEAK: usize = 16;

/// How the gateway would judge clients.
fn auth(ctx: &Ctx) -> Option<Auth> {
    Auth::resolve(&ctx.config, &ctx.env, None, None, None).ok()
}

/// A gateway that runs here, be it on loopback or not.
fn is_open(ctx: &Ctx) -> Option<bool> {
    if !ctx.is_readable() || ctx.config.str("gateway.mode") == Some("remote") {
        return None;
    }
    // An address that cannot be understood is told as a mistake of the file.
    Plan::resolve(None, &ctx.config).ok().map(|plan| !plan.is_loopback())
}

fn without_secret(ctx: &Ctx, open: bool) -> Vec<Finding> {
    let lacks = |auth: &Auth| auth.secret.is_none() && (open || !auth.allow_tailscale);
    let found = auth(ctx).filter(|auth| is_open(ctx) == Some(open) && lacks(auth)).map(|auth| {
        let name = auth.mode.name();
        let upper = name.to_uppercase();
        let bind = ctx.config.str("gateway.bind").unwrap_or("loopback");
        let finding = Finding::new(format!(
            "gateway.bind is {bind} and no {name} is set; the gateway refuses to start"
        ));
        let finding = finding.remedy(format!("set gateway.auth.{name} or OPENCLAW_GATEWAY_{upper}"));
        match name {
            "token" => finding.fix(Fix::Config(vec![Change::Token("gateway.auth.token")])),
            _ => finding,
        }
    });
    one(found)
}

pub fn bind_no_auth(ctx: &Ctx) -> Vec<Finding> {
    without_secret(ctx, true)
}

pub fn no_auth(ctx: &Ctx) -> Vec<Finding> {
    without_secret(ctx, false)
}

fn short_secret(ctx: &Ctx, open: bool) -> Vec<Finding> {
    let found = auth(ctx).filter(|_| is_open(ctx) == Some(open)).and_then(|auth| {
        let length = auth.secret.as_ref()?.reveal().len();
        let name = auth.mode.name();
        (length < WEAK).then(|| {
            Finding::new(format!("the gateway's {name} has {length} characters; use at least {WEAK}"))
                .remedy(format!("set a longer gateway.auth.{name} (openssl rand -hex 24 makes one)"))
        })
    });
    one(found)
}

pub fn bind_weak(ctx: &Ctx) -> Vec<Finding> {
    short_secret(ctx, true)
}

pub fn weak(ctx: &Ctx) -> Vec<Finding> {
    short_secret(ctx, false)
}

/// The gateway takes the config before the environment, the command line the environment before the config.
pub fn mismatch(ctx: &Ctx) -> Vec<Finding> {
    let differs = |name: &str| {
        let key = format!("gateway.auth.{name}");
        let variable = format!("OPENCLAW_GATEWAY_{}", name.to_uppercase());
        let (config, env) = (ctx.config.str(&key)?, ctx.env.var_or_legacy(&variable)?);
        (!secret_eq(config.trim(), env.trim())).then(|| {
            Finding::new(format!(
                "{key} and {variable} differ: the gateway expects the first, commands send the second"
            ))
            .remedy(format!(
                "unset {variable}, here and in the state directory's .env, or make both the same"
            ))
        })
    };
    if ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    ["token", "password"].into_iter().filter_map(differs).collect()
}

fn flagged(ctx: &Ctx, key: &str, detail: &str, fix: Option<Change>) -> Vec<Finding> {
    let told = || {
        let finding = Finding::new(format!("{key} is on: {detail}")).remedy(format!("set {key} to false"));
        match fix {
            Some(change) => finding.fix(Fix::Config(vec![change])),
            None => finding,
        }
    };
    one(ctx.config.bool(key).then(told))
}

pub fn insecure_ui(ctx: &Ctx) -> Vec<Finding> {
    let key = "gateway.controlUi.allowInsecureAuth";
    let off = Change::Set(key, false.into());
    flagged(ctx, key, "the page connects without a device identity, also over plain HTTP", Some(off))
}

pub fn no_devices(ctx: &Ctx) -> Vec<Finding> {
    let key = "gateway.controlUi.dangerouslyDisableDeviceAuth";
    flagged(ctx, key, "the devices it names are not looked at", Some(Change::Set(key, false.into())))
}

fn published(ctx: &Ctx, mode: &str, detail: &str) -> Vec<Finding> {
    let is = ctx.config.str("gateway.tailscale.mode") == Some(mode);
    one(is.then(|| Finding::new(format!("gateway.tailscale.mode is {mode}: {detail}"))))
}

pub fn funnel(ctx: &Ctx) -> Vec<Finding> {
    published(ctx, "funnel", "anybody on the Internet reaches the gateway's port")
}

pub fn serve(ctx: &Ctx) -> Vec<Finding> {
    published(ctx, "serve", "every member of the tailnet reaches the gateway's port")
}

pub fn tls(ctx: &Ctx) -> Vec<Finding> {
    let is_on = ctx.config.bool("gateway.tls.enabled") && ctx.config.str("gateway.mode") != Some("remote");
    one(is_on.then(|| {
        Finding::new("gateway.tls.enabled is on: the gateway refuses to start")
            .remedy("unset it and put a tunnel or proxy in front")
            .fix(Fix::Config(vec![Change::Set("gateway.tls.enabled", false.into())]))
    }))
}

fn hooks(ctx: &Ctx) -> Option<&str> {
    ctx.config.bool("hooks.enabled").then(|| ctx.config.str("hooks.token").unwrap_or_default().trim())
}

pub fn hooks_weak(ctx: &Ctx) -> Vec<Finding> {
    let weak = hooks(ctx).filter(|token| token.len() < WEAK);
    one(weak.map(|token| {
        Finding::new(format!("hooks.token has {} characters; use at least {WEAK}", token.len()))
            .remedy("set a longer hooks.token (openssl rand -hex 24 makes one)")
    }))
}

pub fn hooks_reuse(ctx: &Ctx) -> Vec<Finding> {
    let same = hooks(ctx).filter(|token| {
        let auth = auth(ctx);
        let secret = auth.as_ref().and_then(|auth| auth.secret.as_ref());
        secret.is_some_and(|secret| secret_eq(secret.reveal(), token))
    });
    one(same.map(|_| {
        Finding::new("hooks.token is the gateway's secret: whoever may send webhooks may do everything")
            .remedy("give hooks.token a value of its own")
    }))
}

pub fn hooks_root(ctx: &Ctx) -> Vec<Finding> {
    let root = hooks(ctx).filter(|_| ctx.config.str("hooks.path").map(str::trim) == Some("/"));
    one(root.map(|_| Finding::new("hooks.path is /").remedy("set hooks.path to \"/hooks\"")))
}

pub fn redact_off(ctx: &Ctx) -> Vec<Finding> {
    let off = ctx.config.str("logging.redactSensitive") == Some("off");
    one(off.then(|| {
        Finding::new("logging.redactSensitive is off: output of tools is shown with the secrets in it")
            .remedy("set logging.redactSensitive to \"tools\"")
            .fix(Fix::Config(vec![Change::Set("logging.redactSensitive", "tools".into())]))
    }))
}

pub fn elevated(ctx: &Ctx) -> Vec<Finding> {
    let channels = ctx.config.get("tools.elevated.allowFrom").and_then(Value::as_object);
    let all = |list: &Value| list.as_array().is_some_and(|ids| ids.iter().any(|id| id == "*"));
    let open = channels.into_iter().flatten().filter(|(_, list)| all(list));
    open.filter(|_| ctx.config.bool("tools.elevated.enabled"))
        .map(|(channel, _)| {
            Finding::new(format!(
                "tools.elevated.allowFrom.{channel} holds \"*\": every sender may use elevated tools"
            ))
            .remedy(format!("list the senders in tools.elevated.allowFrom.{channel}"))
        })
        .collect()
}

/// The line that stands in every audit, as existing scripts expect.
pub fn summary(ctx: &Ctx) -> Vec<Finding> {
    let state = |on: bool| if on { "enabled" } else { "disabled" };
    let bind = ctx.config.str("gateway.bind").unwrap_or("loopback");
    one(ctx.config.exists().then(|| {
        Finding::new(format!(
            "gateway bind: {bind}\ntools.elevated: {}\nhooks: {}\ncontrol page: {}",
            state(ctx.config.bool("tools.elevated.enabled")),
            state(ctx.config.bool("hooks.enabled")),
            state(ctx.config.bool("gateway.controlUi.enabled")),
        ))
    }))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::{found, ids};

    #[test]
    fn r_16_secrets_and_addresses_are_judged_together() {
        let check = |gateway: &str, want: &[&str]| {
            let dir = Dir::new();
            dir.write("openclaw.json", &format!("{{gateway: {{mode: 'local', {gateway}}}}}"));
            let mut got = ids(&dir, &[], "gateway");
            got.sort();
            assert_eq!(got, want, "{gateway}");
        };
        check("auth: {token: 'sixteen-letters-'}", &[]);
        check("", &["gateway.loopback_no_auth"]);
        check("bind: 'lan'", &["gateway.bind_no_auth"]);
        check("auth: {token: 'short'}", &["gateway.token_too_short"]);
        check("bind: 'lan', auth: {password: 'short'}", &["gateway.bind_weak_secret"]);
        check("auth: {token: 'sixteen-letters-'}, tls: {enabled: true}", &["gateway.tls"]);
        check(
            "auth: {token: 'sixteen-letters-'}, tailscale: {mode: 'funnel'}",
            &["gateway.tailscale_funnel"],
        );
        check(
            "auth: {token: 'sixteen-letters-'}, controlUi: {allowInsecureAuth: true, dangerouslyDisableDeviceAuth: true}",
            &["gateway.control_ui.device_auth_disabled", "gateway.control_ui.insecure_auth"],
        );
    }

    #[test]
    fn r_22b_two_secrets_are_compared_and_neither_is_told() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{gateway: {mode: 'local', auth: {token: 'canary-in-config'}}, hooks: {enabled: true, path: '/', token: 'canary-in-config'}}",
        );
        let told = found(&dir, &[("OPENCLAW_GATEWAY_TOKEN", "canary-in-env-12")], "gateway");
        assert_eq!(told.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["gateway.token_mismatch"]);
        let hooks = found(&dir, &[], "hooks");
        assert_eq!(
            hooks.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
            ["hooks.path_root", "hooks.token_reuse_gateway_token"]
        );
        assert!(!told.iter().chain(&hooks).any(|(_, detail)| detail.contains("canary")));
    }
}
