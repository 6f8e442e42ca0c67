//! Putting secrets back: a text that shows `__OPENCLAW_REDACTED__` where the present file has a value gets that
//! value's own source, so that quotes, `${NAME}` and numbers come back as they were written.
//!
//! Pure; any thread. Items of lists are told apart by their `id` or `name`, else by their place in a list of the same
//! length; a place that cannot be found is an error, never a guess.
use crate::config::join;
use crate::config::members::{Member, Object, Scanner};
use crate::config::raw;
use crate::config::redact::HIDDEN;
use crate::config::tokens::{Token, tokens};
use crate::error::{Error, Result};
use crate::parts::Parts;
use std::borrow::Cow;
use std::ops::Range;

/// Lists without names for their items are matched through these members of the items.
const NAMES: [&str; 2] = ["id", "name"];

/// `text` with everything hidden in it replaced by what `present` has at the same path.
/// `secrets` are those of the present file, known to be secret wherever they stand.
pub fn restore<'t>(text: &'t str, present: &str, secrets: &[String]) -> Result<Cow<'t, str>> {
    if !text.contains(HIDDEN) {
        return Ok(text.into());
    }
    let mut walk = Walk { text, present, found: comments(text, present, secrets) };
    let root = |text: &str| Scanner::new(text).root().map(|root| root.open..root.close + 1);
    if let Some(span) = root(text) {
        walk.value("", span, root(present))?;
    }
    crate::order::by_key(&mut walk.found, |(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, with) in walk.found {
        out.push_str(text.part(done..span.start));
        out.push_str(with);
        done = span.end;
    }
    out.push_str(text.tail(done));
    Ok(out.into())
}

/// The error for a hidden value that cannot be put back. Clients know the text up to the path.
pub fn refused(path: &str) -> Error {
    let name = path.rsplit('.').find(|name| name.parse::<usize>().is_err()).unwrap_or_default();
    Error::invalid(format!(
        "config write rejected: \"{name}\" is redacted; set an explicit value instead of {HIDDEN} at {path}"
    ))
}

struct Walk<'a> {
    text: &'a str,
    present: &'a str,
    found: Vec<(Range<usize>, &'a str)>,
}

impl<'a> Walk<'a> {
    /// `path` is for the error.
    fn value(&mut self, path: &str, span: Range<usize>, old: Option<Range<usize>>) -> Result<()> {
        let source = self.text.part(span.clone());
        if !source.contains(HIDDEN) {
            return Ok(());
        }
        let old_object = old.clone().and_then(|old| Scanner::new(self.present).object_at(old.start));
        let Some(object) = Scanner::new(self.text).object_at(span.start) else {
            let told: Option<String> = json5::from_str(source).ok();
            let with = old.filter(|_| old_object.is_none()).and_then(|old| self.present.get(old));
            return match with {
                Some(with) if told.as_deref() == Some(HIDDEN) && !with.contains(HIDDEN) => {
                    self.found.push((span, with));
                    Ok(())
                }
                _ => Err(refused(path)),
            };
        };
        let old_object = old_object.filter(|old| old.is_list == object.is_list);
        for member in &object.members {
            let old = old_object.as_ref().and_then(|old| self.counterpart(&object, member, old));
            self.value(&join(path, &member.name), member.value.clone(), old)?;
        }
        Ok(())
    }

    fn counterpart(&self, object: &Object, member: &Member, old: &Object) -> Option<Range<usize>> {
        let named = |name: &str| old.members.iter().rfind(|m| m.name == name).map(|m| m.value.clone());
        if !object.is_list {
            return named(&member.name);
        }
        for key in NAMES {
            let Some(wanted) = text_member(self.text, &member.value, key) else { continue };
            let same = |m: &&Member| text_member(self.present, &m.value, key).as_ref() == Some(&wanted);
            let mut fits = old.members.iter().filter(same);
            let first = fits.next().map(|m| m.value.clone());
            // Two of the same name could be either.
            return first.filter(|_| fits.next().is_none());
        }
        if old.members.len() == object.members.len() { named(&member.name) } else { None }
    }
}

/// The text that the object at `span` has as its member `key`.
fn text_member(text: &str, span: &Range<usize>, key: &str) -> Option<String> {
    let object = Scanner::new(text).object_at(span.start).filter(|object| !object.is_list)?;
    let member = object.members.iter().rfind(|m| m.name == key)?;
    let found: String = json5::from_str(text.get(member.value.clone())?).ok()?;
    (found != HIDDEN).then_some(found)
}

/// Comments that were hidden whole are put back in their order, if none of them was added or taken away.
fn comments<'a>(text: &str, present: &'a str, secrets: &[String]) -> Vec<(Range<usize>, &'a str)> {
    let is_hidden =
        |source: Option<&str>| source.is_some_and(|source| source.trim_matches(['/', '*', ' ']) == HIDDEN);
    let hidden: Vec<Range<usize>> = spans(text).filter(|span| is_hidden(text.get(span.clone()))).collect();
    if hidden.is_empty() {
        return Vec::new();
    }
    // What was shown of the present text has the same comments in the same order.
    let shown = raw::redact(present, true, secrets);
    let pairs = spans(&shown).zip(spans(present)).filter(|(span, _)| is_hidden(shown.get(span.clone())));
    let own: Vec<Range<usize>> = pairs.map(|(_, span)| span).collect();
    if own.len() != hidden.len() {
        return Vec::new();
    }
    hidden.into_iter().zip(own).filter_map(|(at, own)| Some((at, present.get(own)?))).collect()
}

fn spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    tokens(text).filter(|(token, _)| *token == Token::Comment).map(|(_, span)| span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "{\n  // botToken: 'old'\n  gateway: { auth: { token: '${THE_TOKEN}', password: 12345 } },\n  models: { providers: { 'a.b': { apiKey: \"k-1\" } } },\n  channels: { slack: { list: [ { id: 'x', token: 'tx' }, { id: 'y', token: 'ty' } ], tokens: ['t1', 't2'] } },\n}\n";

    fn shown() -> String {
        raw::redact(FILE, true, &[])
    }

    #[test]
    fn what_was_shown_comes_back_byte_for_byte() {
        // The ids too: all of a program's section is hidden that only the program reads.
        assert_eq!(shown().matches(HIDDEN).count(), 10, "{}", shown());
        assert_eq!(restore(&shown(), FILE, &[]).unwrap(), FILE);
        let changed = shown()
            .replace("12345", "1")
            .replace("'a.b'", "\"a.b\"")
            .replace("  models", "  ui: {},\n  models");
        let want = FILE.replace("'a.b'", "\"a.b\"").replace("  models", "  ui: {},\n  models");
        assert_eq!(restore(&changed, FILE, &[]).unwrap(), want);
    }

    #[test]
    fn items_are_told_apart_by_name_or_not_at_all() {
        let restored =
            |text: &str| restore(&text.replace('#', &format!("'{HIDDEN}'")), FILE, &[]).map(Cow::into_owned);
        assert_eq!(
            restored("{channels: {slack: {list: [{id: 'y', token: #}]}}}").unwrap(),
            "{channels: {slack: {list: [{id: 'y', token: 'ty'}]}}}"
        );
        assert_eq!(
            restored("{channels: {slack: {tokens: [#, 'new']}}}").unwrap(),
            "{channels: {slack: {tokens: ['t1', 'new']}}}"
        );
        for (text, name, path) in [
            ("{channels: {slack: {tokens: [#]}}}", "tokens", "channels.slack.tokens.0"),
            ("{channels: {slack: {list: [{id: 'z', token: #}]}}}", "token", "channels.slack.list.0.token"),
            ("{gateway: {auth: #}}", "auth", "gateway.auth"),
            ("{hooks: {token: #}}", "token", "hooks.token"),
            ("{hooks: {token: 'Bearer __OPENCLAW_REDACTED__'}}", "token", "hooks.token"),
        ] {
            let error = restored(text).unwrap_err();
            assert!(error.message().contains(&format!("\"{name}\" is redacted")), "{text}: {error}");
            assert!(error.message().ends_with(&format!(" at {path}")), "{text}: {error}");
        }
    }
}
