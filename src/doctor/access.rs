//! Checks of who can get at the gateway: secrets, addresses, what crosses the network. Only looks; tells lengths and
//! places of secrets, never the secrets.
use super::{Change, Ctx, Finding, Fix, one};
use crate::config::address::split;
use crate::config::bind::Plan;
use crate::device::secret_eq;
use crate::service::far;
use crate::settings::{Auth, file};
use std::net::IpAddr;

/// Secrets shorter than this are weak (R-16e).
const WEAK: usize = 16;

/// How the gateway would judge clients.
pub(super) fn auth(ctx: &Ctx) -> Option<Auth> {
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
        let upper = name.to_ascii_uppercase();
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

/// The token or password of the configuration, maybe in a file of its own.
fn configured(ctx: &Ctx, name: &str) -> Option<String> {
    match file::read(&ctx.config, &ctx.env, name) {
        Ok(None) => ctx.config.str(&format!("gateway.auth.{name}")).map(str::to_string),
        found => found.ok()?.map(|found| found.text),
    }
}

/// A file of the secret's own that is not there, or has no secret.
pub fn secret_file(ctx: &Ctx) -> Vec<Finding> {
    let is_here = ctx.is_readable() && ctx.config.str("gateway.mode") != Some("remote");
    let names = ["token", "password"].into_iter().filter(|_| is_here);
    let failed = names.filter_map(|name| file::read(&ctx.config, &ctx.env, name).err());
    let told = failed.map(|error| match error.message().split_once("; ") {
        Some((what, fix)) => Finding::new(format!("{what}; the gateway refuses to start")).remedy(fix),
        None => Finding::new(error.message().to_string()),
    });
    told.collect()
}

/// One that others of this machine can read.
pub fn secret_file_open(ctx: &Ctx) -> Vec<Finding> {
    let open = |name: &&str| {
        file::read(&ctx.config, &ctx.env, name).ok().flatten().is_some_and(|found| found.is_open)
    };
    let paths = ["token", "password"].into_iter().filter(open);
    let told = paths.filter_map(|name| {
        let path = file::path(&ctx.config, &ctx.env, name)?;
        let shown = ctx.env.display(&path);
        let finding = Finding::new(format!("{shown} of {} can be read by others", file::key(name)));
        Some(finding.at(&path).remedy(format!("chmod 600 {shown}")).fix(Fix::Mode(vec![path], 0o600)))
    });
    told.collect()
}

/// What is shown to many programs elsewhere must open nothing but webhooks.
pub fn hooks_token(ctx: &Ctx) -> Vec<Finding> {
    let token = ctx.config.str("hooks.token").filter(|_| ctx.config.bool("hooks.enabled"));
    let own = ["token", "password"].map(|name| configured(ctx, name));
    one(token.and_then(|token| {
        let is_shared = own.iter().flatten().any(|secret| secret_eq(secret.trim(), token.trim()));
        let what = match (is_shared, token.chars().count() < 16) {
            (true, _) => {
                "hooks.token is the gateway's own secret: whoever may send a webhook may do everything"
            }
            (false, true) => "hooks.token has fewer than 16 characters: it can be guessed",
            (false, false) => return None,
        };
        Some(Finding::new(what).remedy("set hooks.token to one of its own (openssl rand -hex 24)"))
    }))
}

/// The gateway takes the config before the environment, the command line the environment before the config.
pub fn mismatch(ctx: &Ctx) -> Vec<Finding> {
    let differs = |name: &str| {
        let is_filed = ctx.config.str(&file::key(name)).is_some();
        let key = if is_filed { file::key(name) } else { format!("gateway.auth.{name}") };
        let variable = format!("OPENCLAW_GATEWAY_{}", name.to_ascii_uppercase());
        let (config, env) = (configured(ctx, name)?, ctx.env.var_or_legacy(&variable)?);
        (!secret_eq(config.trim(), env.trim())).then(|| {
            Finding::new(format!(
                "{key} and {variable} differ: the gateway expects the first, commands send the second"
            ))
            .remedy(format!(
                "unset {variable}, here and in the state directory's .env, or make both the same"
            ))
        })
    };
    let is_remote = ctx.config.str("gateway.mode") == Some("remote");
    let is_elsewhere = || far::address(&ctx.env, &ctx.config).is_some();
    if is_remote || far::names_other_port(&ctx.env, &ctx.config) && is_elsewhere() {
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

/// A gateway whose frames, secrets among them, pass the network as they are. A tailnet encrypts by itself.
pub fn bind_plain(ctx: &Ctx) -> Vec<Finding> {
    let bind = ctx.config.str("gateway.bind").unwrap_or("loopback");
    let is_tls = ctx.config.bool("gateway.tls.enabled");
    one((is_open(ctx) == Some(true) && bind != "tailnet" && !is_tls).then(|| {
        Finding::new(format!(
            "gateway.bind is {bind} and the port speaks no TLS: whoever sees the traffic reads tokens and messages"
        ))
        .remedy(
            "set gateway.tls.enabled, or gateway.bind to loopback or tailnet with a tunnel or a TLS proxy (docs/remote.md)",
        )
    }))
}

/// The same for a gateway elsewhere. A tunnel's end is on loopback.
pub fn remote_plain(ctx: &Ctx) -> Vec<Finding> {
    let url =
        ctx.config.str("gateway.remote.url").filter(|_| ctx.config.str("gateway.mode") == Some("remote"));
    let Some((false, host, _)) = url.and_then(|url| split(url).ok()) else { return Vec::new() };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_tailnet = host.ends_with(".ts.net") || address.as_ref().is_ok_and(is_tailnet_address);
    let is_here = host == "localhost" || address.as_ref().is_ok_and(|ip| ip.is_loopback());
    one((!is_here && !is_tailnet).then(|| {
        Finding::new(format!(
            "gateway.remote.url is ws:// to {host}: whoever sees the traffic reads the token"
        ))
        .remedy("use wss://, or an SSH tunnel to the gateway's host (docs/remote.md)")
    }))
}

/// What stands here is the client's; the gateway's own files are not looked at.
pub fn elsewhere(ctx: &Ctx) -> Vec<Finding> {
    let address = far::address(&ctx.env, &ctx.config);
    one(address.map(|address| {
        Finding::new(format!("only this machine is looked at, the gateway is at {address}"))
            .remedy("run `openclaw doctor` on the gateway's host too")
    }))
}

/// Addresses that tailnets hand out.
fn is_tailnet_address(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]),
        IpAddr::V6(v6) => v6.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0],
    }
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
        check("bind: 'lan'", &["gateway.bind_no_auth", "gateway.bind_plain"]);
        check("auth: {token: 'short'}", &["gateway.token_too_short"]);
        check("bind: 'lan', auth: {password: 'short'}", &["gateway.bind_plain", "gateway.bind_weak_secret"]);
        check("auth: {token: 'sixteen-letters-'}, bind: 'lan', tls: {enabled: true}", &["gateway.tls.shown"]);
        let none = "auth: {token: 'sixteen-letters-'}, tls: {enabled: true, autoGenerate: false}";
        check(none, &["gateway.tls"]);
        check(
            "auth: {token: 'sixteen-letters-'}, controlUi: {allowInsecureAuth: true, dangerouslyDisableDeviceAuth: true}",
            &["gateway.control_ui.device_auth_disabled", "gateway.control_ui.insecure_auth"],
        );
    }

    #[test]
    fn i12_2_webhooks_have_a_secret_of_their_own() {
        for (token, is_weak) in
            [("sixteen-letters-", true), ("short", true), ("another-one-of-24-letters", false)]
        {
            let dir = Dir::new();
            let gateway = "{mode: 'local', auth: {token: 'sixteen-letters-'}}";
            dir.write(
                "openclaw.json",
                &format!("{{gateway: {gateway}, hooks: {{enabled: true, token: '{token}'}}}}"),
            );
            assert_eq!(!ids(&dir, &[], "hooks").is_empty(), is_weak, "{token}");
        }
    }

    #[test]
    fn r_22b_two_secrets_are_compared_and_neither_is_told() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{gateway: {mode: 'local', auth: {token: 'canary-in-config'}}}");
        let told = found(&dir, &[("OPENCLAW_GATEWAY_TOKEN", "canary-in-env-12")], "gateway");
        assert_eq!(told.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["gateway.token_mismatch"]);
        assert!(!told.iter().any(|(_, detail)| detail.contains("canary")));
    }
    #[test]
    fn n_20_what_crosses_the_network_in_the_clear_is_warned_of() {
        let check = |gateway: &str, want: &[&str]| {
            let dir = Dir::new();
            dir.write("openclaw.json", &format!("{{gateway: {{{gateway}}}}}"));
            let mut got = ids(&dir, &[], "gateway");
            got.retain(|id| id.ends_with("_plain"));
            assert_eq!(got, want, "{gateway}");
        };
        let local = |rest: &str| format!("mode: 'local', auth: {{token: 'sixteen-letters-'}}, {rest}");
        check(&local("bind: 'lan'"), &["gateway.bind_plain"]);
        check(&local("bind: 'custom', customBindHost: '192.0.2.7'"), &["gateway.bind_plain"]);
        check(&local("bind: 'loopback'"), &[]);
        check(&local("bind: 'tailnet'"), &[]);
        check(&local("bind: 'auto'"), &[]);
        let remote = |url: &str| format!("mode: 'remote', remote: {{url: '{url}'}}");
        check(&remote("ws://192.168.1.7:18789"), &["gateway.remote_plain"]);
        check(&remote("ws://gateway:18789"), &["gateway.remote_plain"]);
        for fine in [
            "wss://gateway.example",
            "ws://127.0.0.1:1",
            "ws://[::1]:1",
            "ws://localhost:1",
            "ws://100.100.1.2:1",
            "ws://x.y.ts.net:1",
        ] {
            check(&remote(fine), &[]);
        }
    }
}
