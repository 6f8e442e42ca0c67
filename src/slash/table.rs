//! The COMMANDS table: a row is the whole of what parsing, help and authorisation know about a command.
use super::{Act, Command, Deed, Scope};
use Act::{Run, Say};
use Scope::{Admin, Approvals, Read, Write};

macro_rules! commands {
    ($($name:literal [$($alias:literal)*] $args:literal $scope:ident $act:expr, $doc:literal $($directive:ident)?;)+) => {
        /// All commands, sorted by name.
        pub static COMMANDS: &[Command] = &[$(Command {
            name: $name, aliases: &[$($alias),*], args: $args, doc: $doc, scope: $scope, act: $act,
            is_directive: commands!(@ $($directive)?),
        }),+];
    };
    (@) => { false };
    (@ directive) => { true };
}

const NO_SHELL: &str = "this version runs no commands from a chat; commands.bash has no effect. Send the text without the leading sign";

commands! {
    "activation" [] "mention|always" Write Run(Deed::Activation), "Choose which messages of a group are answered";
    "allowlist" [] "..." Admin Say("not in this version; edit allowFrom below channels in the configuration"), "";
    "approve" [] "id allow-once|allow-always|deny" Approvals Run(Deed::Approve), "Allow or refuse a command that waits";
    "bash" [] "..." Admin Say(NO_SHELL), "";
    "commands" [] "" Read Run(Deed::Commands), "List all commands";
    "compact" [] "[instructions]" Write Run(Deed::Compact), "Replace the conversation so far by a summary";
    "config" [] "..." Admin Say("editing the configuration from a chat is not in this version, whatever commands.config says; edit the file, it is read again by itself"), "";
    "context" [] "[list|detail|json]" Read Run(Deed::Context), "Show what the model is given besides your words";
    "debug" [] "..." Admin Say("overriding the configuration from a chat is not in this version, whatever commands.debug says; edit the file, it is read again by itself"), "";
    "elevated" ["elev"] "[off|on|ask|full]" Admin Run(Deed::Elevated), "Let commands of this session run without asking" directive;
    "exec" [] "[security=...] [ask=...] [default]" Admin Run(Deed::Exec), "Choose which commands run in this session and when you are asked" directive;
    "help" [] "" Read Run(Deed::Help), "Show the commands used most";
    "model" [] "[ref|number|list|status|default]" Write Run(Deed::Model), "Show or choose the model of this session" directive;
    "models" [] "[provider]" Read Run(Deed::Models), "List the models by provider";
    "new" [] "[model] [text]" Write Run(Deed::New), "Start a new session, and go on with the text";
    "queue" [] "[mode] [debounce:2s] [cap:20] [drop:old|new|summarize]" Write Run(Deed::Queue), "Choose what a message does while a turn goes on" directive;
    "reasoning" ["reason"] "[off|on|stream]" Write Run(Deed::Reasoning), "Show the model's reasoning or hide it" directive;
    "reset" [] "[model] [text]" Write Run(Deed::New), "The same as /new";
    "restart" [] "" Admin Say("restarting from a chat is not in this version, whatever commands.restart says; restart the gateway's service"), "";
    "send" [] "[on|off|inherit]" Admin Run(Deed::Send), "Allow or forbid turns in this session";
    "skill" [] "..." Write Say("running a skill by name is not in this version; ask for it in your own words"), "";
    "status" [] "" Read Run(Deed::Status), "Show model, context, settings and runs";
    "stop" [] "" Write Run(Deed::Stop), "Stop the turn that goes on";
    "subagents" [] "[list|stop|log|info|send]" Write Run(Deed::Subagents), "See to the subagents of this session";
    "think" ["t" "thinking"] "[off|minimal|low|medium|high|xhigh]" Write Run(Deed::Think), "Choose how much the model reasons" directive;
    "tts" [] "..." Write Say("not in this version: replies are text"), "";
    "usage" [] "[off|tokens|full|cost]" Write Run(Deed::Usage), "Choose the usage line of replies, or sum up the costs";
    "verbose" ["v"] "[off|on|full]" Write Run(Deed::Verbose), "Show tool calls, or their results too" directive;
    "whoami" ["id"] "" Read Run(Deed::Whoami), "Show who you are to the gateway";
}

/// The command of a name or alias, in any case.
pub fn find(name: &str) -> Option<&'static Command> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    COMMANDS.iter().find(|command| is(command.name) || command.aliases.iter().any(|alias| is(alias)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_sorted_and_every_name_is_one_commands() {
        let mut seen = HashSet::new();
        for pair in COMMANDS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
        for command in COMMANDS {
            for name in command.aliases.iter().chain([&command.name]) {
                assert!(seen.insert(*name), "{name} twice");
                assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{name}");
                assert_eq!(find(&name.to_ascii_uppercase()).unwrap().name, command.name);
            }
        }
    }

    #[test]
    fn help_lists_what_works_and_only_that() {
        for command in COMMANDS {
            let works = matches!(command.act, Run(_));
            assert_eq!(works, !command.doc.is_empty(), "/{}", command.name);
            if works {
                assert!(command.doc.starts_with(|c: char| c.is_uppercase()) && !command.doc.ends_with('.'));
            }
        }
    }
}
