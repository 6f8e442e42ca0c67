//! Whether a message of a group means the bot: by mention, by a pattern, by what the session's `/activation` says.
use super::line::Line;
use super::message::{ChatKind, Message};
use super::place::Placed;
use super::typed::Typed;
use crate::channels::accounts::Account;
use crate::channels::gate::Dropped;
use crate::channels::mention::{self, Bot, Said};
use crate::channels::patterns::{self, Pattern};
use crate::config::Config;
use serde_json::Value;

/// Why messages may not reach the bot.
const PRIVACY: &str = "privacy-mode";

/// `None` when it means the bot, or need not.
pub fn judge(
    line: &Line,
    account: &Account,
    place: &Placed,
    message: &Message,
    typed: &Typed,
) -> Option<Dropped> {
    let topic = message.topic.and_then(|id| u64::try_from(id).ok());
    mention::judge(account, &message.chat.id.to_string(), topic, place.activation(), || {
        is_meant(line, account.config, &place.route.agent, message, typed)
    })
}

/// Whether no mention is asked for there.
pub fn reads_all(account: &Account, place: &Placed, message: &Message) -> bool {
    let topic = message.topic.and_then(|id| u64::try_from(id).ok());
    mention::judge(account, &message.chat.id.to_string(), topic, place.activation(), || false).is_none()
}

fn is_meant(line: &Line, config: &Config, agent: &str, message: &Message, typed: &Typed) -> bool {
    let agents = line.agents(config);
    let identity = agents.entry(agent).and_then(|agent| agent.get("identity"));
    let name =
        |member: &str| identity.and_then(|identity| identity.get(member)?.as_str()).unwrap_or_default();
    let users = message.mentioned();
    let said = Said {
        text: &message.text,
        users: &users,
        answers: message.reply.as_ref().and_then(|reply| reply.sender.user()),
        answers_topic: false,
        is_command: typed.is_command,
    };
    let names = [name("name"), name("emoji")];
    let bot =
        Bot { id: u64::try_from(line.id).unwrap_or_default(), username: &line.me().username, names: &names };
    let patterns = patterns::of(config, agents.entry(agent));
    let fits = |text: &str| patterns.iter().filter_map(|one| Pattern::read(one)).any(|one| one.fits(text));
    mention::is_meant(&said, &bot, (!patterns.is_empty()).then_some(&fits as &dyn Fn(&str) -> bool))
}

/// What means nobody here has come all the same: privacy mode keeps nothing of this chat back.
pub fn learn(line: &Line, account: &Account, place: &Placed, message: &Message, typed: &Typed) {
    let is_meant = || is_meant(line, account.config, &place.route.agent, message, typed);
    if !line.me().reads_all && (message.chat.kind == ChatKind::Channel || !is_meant()) {
        line.house.board().misses_nothing(line.house.login(), &message.chat.id.to_string(), PRIVACY);
    }
}

/// Tells what of the configuration cannot work as it is written, once an account's life.
pub fn tell(line: &Line, account: &Account) {
    let config = account.config;
    let agents = line.agents(config);
    for pattern in patterns::misfits(config, &agents) {
        let pattern = crate::logging::quoted(pattern);
        log::warn!(target: "channels/telegram", "[{}] mentionPatterns: {pattern} is not understood and fits nothing: see COMPATIBILITY.md", line.name());
    }
    let Some((groups, place)) = account.set("groups") else { return };
    let listed = groups.as_object().into_iter().flatten();
    let reads = |group: &Value| group.get("requireMention") == Some(&Value::Bool(false));
    for (id, _) in listed.filter(|(_, group)| reads(group) && !line.me().reads_all) {
        let key = format!("{place}.{id}.requireMention");
        line.house.board().may_miss(line.house.login(), id, PRIVACY, &key);
        log::warn!(target: "channels/telegram", "[{}] {key} is false, but @{} is in privacy mode: Telegram shows it mentions and commands only, unless it is an admin. Turn it off by /setprivacy at @BotFather, then remove the bot from the group and add it again", line.name(), line.me().username);
    }
}
