//! The token by which an account signs in.
//!
//! Reads the configuration and at most one small file; never called by the state thread. No text here shows a token.
use super::accounts::{Account, DEFAULT, ids};
use crate::config::Config;
use crate::device::secret_eq;
use crate::env::Env;
use crate::error::{Cause, Error};
use crate::files;
use crate::settings::Secret;
use serde_json::Value;

/// Tokens have fewer than a hundred letters.
const MAX_TOKEN: u64 = 4096;

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    TokenFile,
    Config,
    Env,
    /// A program signs in, which may have to be linked first.
    Program,
    None,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub secret: Option<Secret>,
    pub source: Source,
    /// Why there is none, where one was named, and the one thing that mends it.
    pub problem: Option<String>,
}

impl Account<'_> {
    /// The token it signs in with. A file that is named and has none is not passed over; what cannot be a token is none.
    pub fn token(&self, env: &Env) -> Token {
        let Some(variable) = self.variable() else {
            return Token { secret: None, source: Source::Program, problem: None };
        };
        let mut token = self.named(env, variable);
        let check = super::named(self.channel).map(|channel| channel.check);
        let wrong = token.secret.as_ref().and_then(|secret| check?(secret).err());
        if let Some(why) = wrong {
            let place = match token.source {
                Source::TokenFile => self.place("tokenFile"),
                Source::Env => variable.to_string(),
                _ => self.place("botToken"),
            };
            (token.secret, token.problem) = (None, Some(format!("{} ({place})", why.message())));
        }
        token
    }

    fn named(&self, env: &Env, variable: &str) -> Token {
        let is_default = self.id == DEFAULT;
        let levels = [(self.own(), true), (self.top().filter(|_| is_default), false)];
        for (at, is_own) in levels {
            let text = |key: &str| at?.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty());
            if let Some(path) = text("tokenFile") {
                let place = if is_own { self.own_place("tokenFile") } else { self.top_place("tokenFile") };
                return from_file(env, path, &place);
            }
            if let Some(token) = text("botToken") {
                return Token { secret: Some(Secret::new(token)), source: Source::Config, problem: None };
            }
        }
        let set = env.var(variable).map(str::trim).filter(|text| is_default && !text.is_empty());
        match set {
            Some(token) => Token { secret: Some(Secret::new(token)), source: Source::Env, problem: None },
            None => Token { secret: None, source: Source::None, problem: None },
        }
    }
}

impl Account<'_> {
    /// What may hold the token of the account `default`, where the configuration has none.
    fn variable(&self) -> Option<&'static str> {
        super::named(self.channel)?.variable
    }

    /// Where its token comes from; no file is read.
    pub fn source(&self, env: &Env) -> Source {
        let Some(variable) = self.variable() else { return Source::Program };
        let is_default = self.id == DEFAULT;
        let has = |at: Option<&Value>, key: &str| {
            at.and_then(|at| at.get(key)?.as_str()).is_some_and(|text| !text.trim().is_empty())
        };
        let named = [self.own(), self.top().filter(|_| is_default)].into_iter().find_map(|at| {
            let file = has(at, "tokenFile").then_some(Source::TokenFile);
            file.or_else(|| has(at, "botToken").then_some(Source::Config))
        });
        let is_set = || is_default && env.var(variable).is_some_and(|text| !text.trim().is_empty());
        named.unwrap_or_else(|| if is_set() { Source::Env } else { Source::None })
    }

    /// The token that the configuration holds, as a path; a file is not the configuration's.
    pub fn token_path(&self) -> Option<Vec<&str>> {
        let has = |at: Option<&Value>| at.is_some_and(|at| at.get("botToken").is_some());
        let own = self.written.filter(|_| has(self.own()));
        if let Some(written) = own {
            return Some(vec!["channels", self.channel, "accounts", written, "botToken"]);
        }
        let is_top = self.id == DEFAULT && has(self.top());
        is_top.then(|| vec!["channels", self.channel, "botToken"])
    }
}

impl Source {
    /// As `channels.status` names it.
    pub fn name(self) -> &'static str {
        match self {
            Source::TokenFile => "tokenFile",
            Source::Config => "config",
            Source::Env => "env",
            Source::Program => "program",
            Source::None => "none",
        }
    }
}

/// Tokens in the configuration that cannot be one: accounts that are on and could not sign in.
pub fn mistakes(config: &Config, env: &Env) -> Vec<Error> {
    let all = super::on(config).into_iter().flat_map(|channel| {
        ids(config, channel.id).into_iter().filter_map(move |id| {
            let account = Account::of(config, channel.id, &id);
            let is_meant = account.is_enabled() && account.source(env) == Source::Config;
            is_meant.then(|| account.token(env).problem).flatten()
        })
    });
    all.map(|why| Error::config(why).because(Cause::Account)).collect()
}

/// Which accounts have the token of one before them, and the first that has it: two polls end each other. The account
/// `default` is before all others: it was there before anybody gave accounts names.
pub fn twins(tokens: &[(String, Token)]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (default, others): (Vec<_>, Vec<_>) = tokens.iter().partition(|(id, _)| id == DEFAULT);
    let ordered: Vec<&(String, Token)> = default.into_iter().chain(others).collect();
    for (n, (id, token)) in ordered.iter().enumerate() {
        let Some(secret) = &token.secret else { continue };
        let is_same =
            |other: &Token| other.secret.as_ref().is_some_and(|o| secret_eq(o.reveal(), secret.reveal()));
        let first = ordered.iter().take(n).find(|(_, other)| is_same(other));
        found.extend(first.map(|(first, _)| (id.clone(), first.clone())));
    }
    found
}

/// What the second of two is told.
pub fn told_twin(account: &Account, first: &str) -> String {
    format!(
        "account {} is not started: it has the bot token of account {first}; give it one of its own ({})",
        account.id,
        account.own_place("botToken")
    )
}

/// The token of a file; `place` is the key that names it.
pub fn from_file(env: &Env, path: &str, place: &str) -> Token {
    let file = env.expand(path);
    let text =
        files::read_bytes(&file, MAX_TOKEN).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_string());
    let why = match text {
        Ok(text) if text.is_empty() => "is empty".to_string(),
        Ok(text) if text.contains(char::is_whitespace) => "holds more than a token".to_string(),
        Ok(text) => {
            // No configuration has it, so the log is told here.
            crate::logging::hide(vec![text.clone()]);
            return Token { secret: Some(Secret::new(&text)), source: Source::TokenFile, problem: None };
        }
        Err(e) => format!("cannot be read: {e}"),
    };
    let problem = format!("the token file {} ({place}) {why}; put the bot's token into it", file.display());
    Token { secret: None, source: Source::None, problem: Some(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    const VARIABLE: &str = "TELEGRAM_BOT_TOKEN";

    #[test]
    fn tokens_are_taken_in_the_originals_order() {
        let dir = Dir::new();
        dir.write("token", " 1:fileAAAAAAAAAAAAAAAAAA \n");
        dir.write("empty", "\n");
        let file = |name: &str| dir.path(name).display().to_string();
        let (good, empty, none) = (file("token"), file("empty"), file("none"));
        for (text, id, want) in [
            ("{}".to_string(), "default", ("env", Some("9:envAAAAAAAAAAAAAAAAAAA"))),
            ("{}".into(), "work", ("none", None)),
            (
                "{botToken: '2:topAAAAAAAAAAAAAAAAAAA'}".into(),
                "default",
                ("config", Some("2:topAAAAAAAAAAAAAAAAAAA")),
            ),
            (
                format!("{{tokenFile: '{good}', botToken: '2:topAAAAAAAAAAAAAAAAAAA'}}"),
                "default",
                ("tokenFile", Some("1:fileAAAAAAAAAAAAAAAAAA")),
            ),
            (
                format!("{{tokenFile: '{empty}', botToken: '2:topAAAAAAAAAAAAAAAAAAA'}}"),
                "default",
                ("none", None),
            ),
            (
                format!(
                    "{{botToken: '2:topAAAAAAAAAAAAAAAAAAA', accounts: {{default: {{tokenFile: '{none}'}}}}}}"
                ),
                "default",
                ("none", None),
            ),
            (
                "{tokenFile: '/x', accounts: {default: {botToken: '3:ownAAAAAAAAAAAAAAAAAAA'}}}".into(),
                "default",
                ("config", Some("3:ownAAAAAAAAAAAAAAAAAAA")),
            ),
            ("{botToken: '2:topAAAAAAAAAAAAAAAAAAA', accounts: {work: {}}}".into(), "work", ("none", None)),
        ] {
            let config = dir.config(&format!("{{channels: {{telegram: {text}}}}}"));
            let token = Account::of(&config, "telegram", id)
                .token(&dir.env(&[(VARIABLE, "9:envAAAAAAAAAAAAAAAAAAA")]));
            let source = Account::of(&config, "telegram", id)
                .source(&dir.env(&[(VARIABLE, "9:envAAAAAAAAAAAAAAAAAAA")]));
            assert!(source == token.source || token.problem.is_some(), "{text}");
            assert_eq!((token.source.name(), token.secret.as_ref().map(Secret::reveal)), want, "{text}");
            assert_eq!(
                token.problem.is_some(),
                want.1.is_none() && text.contains("tokenFile"),
                "{:?}",
                token.problem
            );
            assert!(!format!("{token:?}").contains("AAA"), "{token:?}");
        }
    }

    #[test]
    fn i11_5_what_cannot_be_a_token_is_told_with_its_place_and_is_none() {
        let dir = Dir::new();
        dir.write("half", "123456:canary");
        let half = dir.path("half").display().to_string();
        for (text, id, place) in [
            ("{botToken: '123456:canary'}".to_string(), "default", "channels.telegram.botToken"),
            ("{accounts: {b: {botToken: 'canary'}}}".into(), "b", "channels.telegram.accounts.b.botToken"),
            (format!("{{tokenFile: '{half}'}}"), "default", "channels.telegram.tokenFile"),
            ("{}".into(), "default", VARIABLE),
        ] {
            let config = dir.config(&format!("{{channels: {{telegram: {text}}}}}"));
            let token = Account::of(&config, "telegram", id).token(&dir.env(&[(VARIABLE, "canary")]));
            let problem = token.problem.unwrap();
            assert!(token.secret.is_none() && problem.contains("@BotFather"), "{problem}");
            assert!(problem.ends_with(&format!("({place})")) && !problem.contains("canary"), "{problem}");
        }
    }

    #[test]
    fn r_41_the_second_account_with_a_token_is_told_of_the_first() {
        let dir = Dir::new();
        let config = dir.config(
            "{channels: {telegram: {accounts: {a: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}, b: {botToken: '2:xAAAAAAAAAAAAAAAAAAAAA'}, c: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}, d: {}, e: {}}}}}",
        );
        let tokens: Vec<_> = ids(&config, "telegram")
            .into_iter()
            .map(|id| (id.clone(), Account::of(&config, "telegram", &id).token(&dir.env(&[]))))
            .collect();
        assert_eq!(twins(&tokens), [("c".to_string(), "a".to_string())]);
        // The default account goes on, whatever the other is called (issue 13, m).
        let config = dir.config(
            "{channels: {telegram: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA', accounts: {ann: {botToken: '1:xAAAAAAAAAAAAAAAAAAAAA'}}}}}",
        );
        let tokens: Vec<_> = ["ann", DEFAULT]
            .map(|id| (id.to_string(), Account::of(&config, "telegram", id).token(&dir.env(&[]))))
            .into();
        assert_eq!(twins(&tokens), [("ann".to_string(), DEFAULT.to_string())]);
        let told = told_twin(&Account::of(&config, "telegram", "c"), "a");
        assert_eq!(
            told,
            "account c is not started: it has the bot token of account a; give it one of its own \
             (channels.telegram.accounts.c.botToken)"
        );
    }
}
