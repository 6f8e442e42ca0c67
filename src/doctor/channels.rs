//! Checks of the channels: tokens, who may write, groups; and, where the gateway was asked too, what the platforms say.
use super::{Ctx, Finding};
use crate::agents::Agents;
use crate::channels::accounts::{self, Account};
use crate::channels::ids::Senders;
use crate::channels::issues::issues;
use crate::channels::pairing::{Login, Pairing};
use crate::channels::patterns::misfits;
use crate::channels::token::{Source, Token, told_twin, twins};
use crate::channels::{self, Channel};
use serde_json::Value;
use std::time::Duration;

/// How long a platform is waited for.
const ASKING: Duration = Duration::from_secs(3);

/// The accounts that are to run here.
fn each(ctx: &Ctx) -> Vec<(&'static Channel, Account<'_>)> {
    if !ctx.is_readable() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let all = channels::on(&ctx.config).into_iter().flat_map(|channel| {
        let ids = accounts::ids(&ctx.config, channel.id).into_iter();
        ids.map(move |id| (channel, Account::of(&ctx.config, channel.id, &id)))
    });
    all.filter(|(_, account)| account.is_enabled()).collect()
}

pub fn token(ctx: &Ctx) -> Vec<Finding> {
    let add = ctx.env.command("channels add");
    let look = |(channel, account): (&Channel, Account)| {
        let Token { problem, source, .. } = account.token(&ctx.env);
        let none = || format!("{} account {} has no token", channel.label, account.id);
        let what = problem.or_else(|| (source == Source::None).then(none))?;
        let which = format!("--channel {} --account {}", channel.id, account.id);
        Some(Finding::new(what).remedy(format!("`{add} {which}` asks for one and tries it")))
    };
    each(ctx).into_iter().filter_map(look).collect()
}

pub fn twin(ctx: &Ctx) -> Vec<Finding> {
    let all = each(ctx);
    let tokens: Vec<(String, Token)> =
        all.iter().map(|(_, account)| (account.id.clone(), account.token(&ctx.env))).collect();
    let told = |(second, first): (String, String)| {
        let (_, account) = all.iter().find(|(_, account)| account.id == second)?;
        Some(Finding::new(told_twin(account, &first)))
    };
    twins(&tokens).into_iter().filter_map(told).collect()
}

/// Files of who was let in that cannot be read: nobody is let in by them.
pub fn pairing(ctx: &Ctx) -> Vec<Finding> {
    let look = |(channel, account): (&Channel, Account)| {
        let login = Login { platform: channel.id.to_string(), account: account.id.clone() };
        let error = Pairing::new(&ctx.env.state_dir).allowed(&login).err()?;
        Some(Finding::new(format!("{} account {}: {}", channel.label, account.id, error.message())))
    };
    each(ctx).into_iter().filter_map(look).collect()
}

fn list<'a>(account: &Account<'a>, key: &str) -> &'a [Value] {
    account.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Programs that cannot be started as they lie there, and, where the gateway was asked too, those that do not stay.
pub fn program(ctx: &Ctx) -> Vec<Finding> {
    let rows = ctx.reached.as_ref().map(|reached| &reached.channels);
    let logs = ctx.env.command("channels logs");
    let look = |(channel, account): (&Channel, Account)| {
        let told = channels::obstacle(channel, &account, &ctx.env).map(|(what, fix)| (what, fix.to_string()));
        let said = || {
            let row = rows?.get(channel.id)?.get("accounts")?.get(&account.id)?;
            let is_up = row.get("connected") == Some(&Value::Bool(true));
            let why = row.get("lastError")?.as_str().filter(|_| !is_up && channel.is_program())?;
            Some((why.to_string(), format!("`{logs}` shows what it said; it is tried again by itself")))
        };
        let (what, fix) = told.or_else(said)?;
        let finding = Finding::new(format!("{} account {}: {what}", channel.label, account.id));
        Some(if fix.is_empty() { finding } else { finding.remedy(fix) })
    };
    each(ctx).into_iter().filter_map(look).collect()
}

/// Patterns by which nobody can mean the bot.
pub fn patterns(ctx: &Ctx) -> Vec<Finding> {
    if each(ctx).is_empty() {
        return Vec::new();
    }
    let agents = Agents::of(&ctx.config, &ctx.env);
    let told = |pattern: &str| {
        let what = format!(
            "mentionPatterns: {} is not understood and fits nothing",
            crate::logging::quoted(pattern)
        );
        Finding::new(what).remedy("COMPATIBILITY.md says which forms of patterns there are".to_string())
    };
    misfits(&ctx.config, &agents).into_iter().map(told).collect()
}

/// Entries that let nobody in.
pub fn allow_from(ctx: &Ctx) -> Vec<Finding> {
    let look = |(channel, account): &(&Channel, Account)| {
        let of = |key: &'static str| {
            let misfits = Senders::of(channel.id, list(account, key)).misfits;
            let place = account.place(key);
            let what = format!("{place}: {} let nobody in, only numeric ids do", misfits.join(", "));
            let remedy = "write to the bot and use the id that it answers with; names can change hands";
            (!misfits.is_empty() && channel.ids.are_numbers).then(|| Finding::new(what).remedy(remedy))
        };
        ["allowFrom", "groupAllowFrom"].into_iter().filter_map(of).collect::<Vec<_>>()
    };
    each(ctx).iter().flat_map(look).collect()
}

/// Whoever finds the bot may use it.
pub fn public(ctx: &Ctx) -> Vec<Finding> {
    let look = |(channel, account): (&Channel, Account)| {
        let is_all = Senders::of(channel.id, list(&account, "allowFrom")).is_all;
        let is_open = account.str("dmPolicy") == Some("open") && is_all;
        let text = format!("{} is open: whoever finds the bot has it answer", account.place("dmPolicy"));
        is_open.then(|| Finding::new(text).remedy("set dmPolicy to pairing or allowlist"))
    };
    each(ctx).into_iter().filter_map(look).collect()
}

/// Groups are known by their numbers.
pub fn groups(ctx: &Ctx) -> Vec<Finding> {
    let look = |(channel, account): &(&Channel, Account)| {
        let groups = account.get("groups").and_then(Value::as_object).into_iter().flatten();
        let is_odd = |id: &&String| id.as_str() != "*" && id.parse::<i64>().is_err();
        let odd: Vec<&str> = groups.map(|(id, _)| id).filter(is_odd).map(String::as_str).collect();
        let what = format!("{}: {} are no numeric group ids", account.place("groups"), odd.join(", "));
        let status = ctx.env.command("channels status");
        let remedy = format!("`{status}` shows the ids of groups whose messages were passed over");
        (!odd.is_empty() && channel.ids.are_numbers).then(|| Finding::new(what).remedy(remedy))
    };
    each(ctx).iter().filter_map(look).collect()
}

/// What the platforms say of tokens, webhooks, privacy mode and groups. Only where the gateway was asked too.
pub fn platform(ctx: &Ctx) -> Vec<Finding> {
    if ctx.reached.as_ref().is_none_or(|reached| reached.outcome.is_err()) {
        return Vec::new();
    }
    let ask = |(channel, account): &(&'static Channel, Account)| {
        // A program says itself what there is to say.
        if matches!(account.source(&ctx.env), Source::None | Source::Program) {
            return Vec::new();
        }
        let mut row = (channel.probe)(account, &ctx.env, ASKING);
        let is_hooked = account.str("webhookUrl").is_some();
        row.insert("mode".into(), (if is_hooked { "webhook" } else { "polling" }).into());
        row.insert(
            "allowUnmentionedGroups".into(),
            (!crate::channels::told::unmentioned(account).is_empty()).into(),
        );
        let told = |(what, fix): (String, &'static str)| {
            let finding = Finding::new(format!("{} account {}: {what}", channel.label, account.id));
            if fix.is_empty() { finding } else { finding.remedy(fix) }
        };
        issues(Some(channel), &row).into_iter().map(told).collect()
    };
    each(ctx).iter().flat_map(ask).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::ids;
    use crate::config::testing::Dir;

    #[test]
    fn i10_programs_are_looked_at_like_others() {
        for (section, want) in [
            ("{command: '/bin/sh', dmPolicy: 'open', allowFrom: ['*']}", &["channels.public"][..]),
            ("{command: '/bin/sh', allowFrom: ['ann@example.org'], groups: {team: {}}}", &[]),
            ("{command: '/bin/sh', enabled: false, dmPolicy: 'open', allowFrom: ['*']}", &[]),
        ] {
            let dir = Dir::new();
            dir.config(&format!("{{channels: {{mychat: {section}}}}}"));
            assert_eq!(ids(&dir, &[], "channels"), want, "{section}");
        }
    }

    #[test]
    fn a_program_that_cannot_start_is_found_with_what_helps() {
        let dir = Dir::new();
        let script = |name: &str, text: &str, mode: u32| {
            dir.write(name, text);
            let path = dir.path(name);
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let plain = script("plain", "#!/bin/sh\n", 0o644);
        let lost = script("lost", "#! /no/such/shell -e\n", 0o755);
        let good = script("good", "#!/bin/sh\n", 0o755);
        let folder = dir.path("").display().to_string();
        for (program, want) in [
            ("/no/such/program", "/no/such/program does not exist"),
            ("no-such-program", "no-such-program is not in PATH"),
            ("./x", "give the program's whole path"),
            (&plain, "is not executable"),
            (&lost, "is a script for /no/such/shell, which is not there"),
            (&folder, "is no file"),
            (&good, ""),
        ] {
            dir.config(&format!("{{channels: {{mychat: {{command: ['{program}', 'y']}}}}}}"));
            let found = super::super::testing::found(&dir, &[], "channels.program");
            let told = found.first().map(|(_, told)| told.as_str()).unwrap_or_default();
            assert_eq!((told.contains(want), told.is_empty()), (true, want.is_empty()), "{program}: {told}");
        }
    }

    #[test]
    fn accounts_that_cannot_work_are_found() {
        for (section, want) in [
            ("{botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}", &[][..]),
            ("{}", &["channels.token"]),
            ("{botToken: '1:x'}", &["channels.token"]),
            ("{tokenFile: '/none'}", &["channels.token"]),
            ("{enabled: false}", &[]),
            ("{botToken: '1:xAAAAAAAAAAAAAAAAAAAAA', allowFrom: ['@ann', 5]}", &["channels.allow_from"]),
            (
                "{botToken: '1:xAAAAAAAAAAAAAAAAAAAAA', groups: {team: {}, '-100': {}, '*': {}}}",
                &["channels.groups"],
            ),
            (
                "{botToken: '1:xAAAAAAAAAAAAAAAAAAAAA', dmPolicy: 'open', allowFrom: ['*']}",
                &["channels.public"],
            ),
            (
                "{accounts: {a: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}, b: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}}}",
                &["channels.twin"],
            ),
        ] {
            let dir = Dir::new();
            dir.config(&format!("{{channels: {{telegram: {section}}}}}"));
            assert_eq!(ids(&dir, &[], "channels"), want, "{section}");
        }
    }
}
