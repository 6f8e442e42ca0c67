//! Which one of several things a person means by a few letters: sessions, devices, requests, models.
//!
//! Its whole name first, then a beginning, then any part of it or of what else it is called. Where several fit, a terminal
//! is asked, with numbers; elsewhere the error names them. Pure but for the question.
use super::Context;
use super::onboard::ask::Asker;
use super::parse::Args;
use crate::error::{Error, Result};
use crate::parts::first;

/// More are not listed: whoever has so many writes a few letters more.
const MOST: usize = 20;

/// What is chosen from.
pub struct Kind {
    /// In words: `session`, `pairing request`.
    pub name: &'static str,
    /// The command that lists all of them.
    pub list: &'static str,
}

/// One that may be meant.
pub struct Choice {
    pub id: String,
    /// What else it is called.
    pub names: Vec<String>,
    /// What it is told apart by.
    pub about: String,
}

/// The place of the one that is meant; `named` may be empty, which fits all.
pub fn pick(context: &Context, args: &Args, kind: &Kind, named: &str, choices: &[Choice]) -> Result<usize> {
    let found = pick_fitting(context, args, kind, named, choices)?;
    let Kind { name, list } = kind;
    let list = context.env.command(list);
    found.ok_or_else(|| match choices {
        [] => Error::not_found(format!("there is no {name}: see `{list}`")),
        _ => Error::not_found(format!("no {name} fits '{named}': see `{list}`")),
    })
}

/// The same, if any fits.
pub fn pick_fitting(
    context: &Context,
    args: &Args,
    kind: &Kind,
    named: &str,
    choices: &[Choice],
) -> Result<Option<usize>> {
    let found = fitting(named, choices);
    if found.len() < 2 {
        return Ok(found.first().copied());
    }
    let Kind { name, list } = kind;
    let shown = first(&found, MOST);
    let rows: Vec<String> = shown.iter().filter_map(|place| choices.get(*place).map(Choice::row)).collect();
    if context.out.interactive
        && !args.has("json")
        && let Ok(mut asker) = Asker::terminal(context.out, "")
    {
        let place = asker.choice(&format!("Which {name}?"), &rows, 0)?;
        return Ok(shown.get(place).copied());
    }
    let more = match found.len() - shown.len() {
        0 => String::new(),
        more => format!("\n  and {more} more: see `{}`", context.env.command(list)),
    };
    let rows = rows.join("\n  ");
    Err(Error::usage(match named.trim() {
        "" => format!("name the {name}, a part of it is enough:\n  {rows}{more}"),
        named => format!("{} {name}s fit '{named}'; write more of one:\n  {rows}{more}", found.len()),
    }))
}

impl Choice {
    fn row(&self) -> String {
        format!("{}  {}", self.id, self.about).trim_end().to_string()
    }
}

/// The places of those that fit best.
fn fitting(named: &str, choices: &[Choice]) -> Vec<usize> {
    let (exact, named) = (named.trim(), named.trim().to_lowercase());
    let ways: [&dyn Fn(&Choice) -> bool; 5] = [
        // Two may differ by case alone.
        &|choice| choice.words().any(|word| word == exact),
        &|choice| choice.id.to_lowercase() == named,
        &|choice| choice.names.iter().any(|name| name.to_lowercase() == named),
        &|choice| choice.words().any(|word| word.to_lowercase().starts_with(&named)),
        &|choice| choice.words().any(|word| word.to_lowercase().contains(&named)),
    ];
    let all = |way: &&dyn Fn(&Choice) -> bool| -> Vec<usize> {
        choices.iter().enumerate().filter(|(_, choice)| way(choice)).map(|(place, _)| place).collect()
    };
    ways.iter().map(all).find(|found| !found.is_empty()).unwrap_or_default()
}

impl Choice {
    fn words(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.id).chain(&self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_goes_before_a_beginning_and_a_beginning_before_a_part() {
        let choice = |id: &str, name: &str| Choice {
            id: id.to_string(),
            names: vec![name.to_string()],
            about: String::new(),
        };
        let all =
            [choice("agent:main:work", "Work"), choice("agent:main:workshop", ""), choice("x:2", "shop")];
        for (named, want) in [
            ("agent:main:work", &[0][..]),
            ("WORK", &[0]),
            ("agent:main:w", &[0, 1]),
            ("shop", &[2]),
            ("sho", &[2]),
            ("hop", &[1, 2]),
            ("nothing", &[]),
            ("", &[0, 1, 2]),
        ] {
            let named_all = fitting(named, &all);
            assert!(named_all == want || named.is_empty() && !named_all.is_empty(), "{named}: {named_all:?}");
        }
    }
}
