//! Which model a person means by a part of its name: of those that the configuration lists.
use super::resolve;
use crate::cli::Context;
use crate::cli::parse::Args;
use crate::cli::pick::{Choice, Kind, pick_fitting};
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::models::catalogue;

const KIND: Kind = Kind { name: "model", list: "models list" };

/// The whole name of the model that `word` is a part of. What is a name by itself, or looks like one, stays as it is, and so
/// does what fits none: what is wrong with it is told where it is used.
pub fn meant(context: &Context, args: &Args, config: &Config, env: &Env, word: &str) -> Result<String> {
    if word.is_empty() || word.contains('/') || resolve(config, env, word).is_ok() {
        return Ok(word.to_string());
    }
    let choice = |listed: &catalogue::Listed| Choice {
        id: listed.reference(),
        names: vec![listed.name().to_string()],
        about: String::new(),
    };
    let choices: Vec<Choice> = catalogue::all(config).iter().map(choice).collect();
    let place = pick_fitting(context, args, &KIND, word, &choices)?;
    let found = place.and_then(|place| choices.into_iter().nth(place)).map(|choice| choice.id);
    Ok(found.unwrap_or_else(|| word.to_string()))
}
