//! Commands that the original has and this version has not: what to use instead.

const INSTEAD: &[(&[&str], &str)] = &[
    (&["tui", "terminal"], "use `openclaw chat`, a conversation at the terminal"),
    (
        &["channel", "directory", "login", "logout", "channels capabilities", "channels resolve"],
        "`openclaw channels` shows the bots, `channels add` and `channels logout` change them",
    ),
    (
        &["message search", "message pins", "message reactions"],
        "platforms show bots no history; `openclaw message read` shows what was talked about with the agent",
    ),
    (&["message broadcast"], "call `openclaw message send` for each target"),
    (&["clawbot", "voicecall"], "there are no calls; `openclaw agent --message TEXT` talks to the agent"),
    (&["qr"], "`openclaw devices list` shows the devices that wait, `devices approve` lets one in"),
    (&["update", "upgrade"], "install the new one as this one was, then `openclaw gateway restart`"),
    (&["reset"], "`openclaw backup create`, then move the state directory away and run `openclaw setup`"),
    (
        &["hooks", "webhooks"],
        "webhooks are set by the keys `hooks` (docs/webhooks.md), hooks that are programs are not here",
    ),
    (
        &["tasks", "flows"],
        "`openclaw agent --message TEXT` starts a turn, `openclaw cron` and `openclaw system event` others",
    ),
    (
        &["memory", "wiki"],
        "the agent itself searches MEMORY.md and memory/*.md of its workspace, word by word; they are plain files",
    ),
    (
        &["skills search", "skills install", "skills update", "skills sync", "clawhub"],
        "put the skill's folder with its SKILL.md into skills/ of the workspace or the state directory yourself (docs/agents.md); `openclaw skills check` says what it needs",
    ),
    (&["plugins", "mcp"], "it has no plugins; tools are set by the key `tools`"),
    (
        &["acp"],
        "an editor's agent panel has no bridge here; `openclaw chat` talks to the agent at a terminal",
    ),
    (&["tts"], "it speaks no answers; a node that can do that is told by `openclaw nodes invoke`"),
    (&["canvas"], "`openclaw nodes canvas` shows pages on a node's screen"),
    (
        &["sandbox"],
        "there is nothing to manage: the keys `tools.exec.sandbox` say what commands reach (docs/exec.md)",
    ),
    (
        &["exec-policy", "secrets"],
        "`openclaw approvals` has the rules for commands; `openclaw security audit` shows what can be reached",
    ),
    (&["infer", "capability"], "`openclaw models test` asks a model"),
    (&["dns", "proxy"], "see docs/remote.md for ways to reach a gateway elsewhere"),
    (
        &["crestodian"],
        "`openclaw onboard` asks, `openclaw doctor --fix` mends; `openclaw migrate` takes over from the original",
    ),
    (&["commitments", "transcripts", "workboard"], "it keeps conversations only: `openclaw sessions`"),
    (
        &["models auth"],
        "keys are in the config, a variable or the state directory's .env; `openclaw models status` shows which is used",
    ),
    (
        &["models set-image", "models image-fallbacks"],
        "pictures go to the model that answers; `openclaw models set MODEL` chooses it",
    ),
    (
        &["sessions cleanup"],
        "the key `session.maintenance` cleans up; `openclaw sessions delete` takes one session out",
    ),
    (
        &["agents bind", "agents unbind", "agents bindings"],
        "routing is the key `bindings`; `openclaw agents list --bindings` shows it",
    ),
    (
        &["devices remove"],
        "`openclaw devices revoke` takes a device's token, `openclaw devices clear` removes devices",
    ),
    (&["man", "manual"], "see `openclaw help`, or `man openclaw` where `make install` has put the page"),
    (&["docs"], "see README.md and docs/ of this version, or `openclaw --help`"),
];

/// What helps whoever typed a command of the original: its first word, or its two.
pub fn instead(words: &str) -> Option<&'static str> {
    let first = words.split(' ').next()?;
    INSTEAD
        .iter()
        .find(|(names, _)| names.contains(&first) || names.contains(&words))
        .map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::super::parse::below;
    use super::*;

    #[test]
    fn n_38_no_command_of_ours_is_told_to_be_missing() {
        for name in INSTEAD.iter().flat_map(|(names, _)| names.iter()) {
            assert!(below(name).next().is_none(), "{name}");
        }
        assert!(instead("tui").is_some() && instead("status").is_none());
    }
}
