//! One session as the commands list it: a row for people, an object for scripts.
use crate::cli::Context;
use crate::cli::gateway::usage::short;
use crate::cli::print::age;
use crate::parts::shortened;
use crate::session_key;
use serde_json::{Map, Value};

/// What scripts get of an entry.
const SHOWN: [&str; 18] = [
    "sessionId",
    "label",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "modelProvider",
    "model",
    "contextTokens",
    "modelOverride",
    "providerOverride",
    "thinkingLevel",
    "verboseLevel",
    "systemSent",
    "abortedLastRun",
    "compactionCount",
    "fallbackNoticeSelectedModel",
    "fallbackNoticeActiveModel",
    "fallbackNoticeReason",
];

/// One session as listed.
pub struct Row {
    pub key: String,
    pub updated_at: u64,
    pub entry: Map<String, Value>,
}

impl Row {
    /// A row of the gateway's own lists.
    pub fn told(entry: &Value) -> Option<Row> {
        let entry = entry.as_object()?.clone();
        let key = entry.get("key")?.as_str()?.to_string();
        let updated_at = entry.get("updatedAt").and_then(Value::as_u64).unwrap_or_default();
        Some(Row { key, updated_at, entry })
    }

    pub fn text(&self, name: &str) -> String {
        self.entry.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.entry.get(name).and_then(Value::as_u64)
    }

    /// The entry as scripts get it, with its key, kind and age.
    pub fn to_json(&self, now: u64) -> Value {
        let mut object = Map::new();
        object.insert("key".into(), self.key.as_str().into());
        object.insert("kind".into(), session_key::kind_of(&self.key).into());
        object.insert("updatedAt".into(), self.updated_at.into());
        object.insert("ageMs".into(), now.saturating_sub(self.updated_at).into());
        for name in SHOWN {
            if let Some(value) = self.entry.get(name) {
                object.insert(name.into(), value.clone());
            }
        }
        if let Some((used, all)) = self.window() {
            object.insert("remainingTokens".into(), all.saturating_sub(used).into());
            object.insert("percentUsed".into(), (used.saturating_mul(100) / all).into());
        }
        object.into()
    }

    /// Tokens used of the window and its size, where both are known.
    fn window(&self) -> Option<(u64, u64)> {
        self.number("totalTokens").zip(self.number("contextTokens").filter(|all| *all > 0))
    }

    /// `1.2k/64k (1%)`
    pub(super) fn tokens(&self) -> String {
        match (self.window(), self.number("totalTokens")) {
            (Some((used, all)), _) => {
                format!("{}/{} ({}%)", short(used), short(all), used.saturating_mul(100) / all)
            }
            (None, Some(used)) => short(used),
            (None, None) => "-".to_string(),
        }
    }

    /// What differs from the usual: `think:high fallback:rate_limit`
    fn flags(&self) -> String {
        let named = [
            ("think", "thinkingLevel"),
            ("verbose", "verboseLevel"),
            ("reasoning", "reasoningLevel"),
            ("send", "sendPolicy"),
            ("fallback", "fallbackNoticeReason"),
        ];
        let flag = |(short, name): (&str, &str)| {
            Some(self.text(name)).filter(|t| !t.is_empty()).map(|t| format!("{short}:{t}"))
        };
        let aborted = self.entry.get("abortedLastRun").and_then(Value::as_bool) == Some(true);
        let flags = named.into_iter().filter_map(flag).chain(aborted.then(|| "aborted".to_string()));
        flags.collect::<Vec<_>>().join(" ")
    }

    /// Which model answers instead of the chosen one, and why.
    pub fn fallback(&self) -> Option<String> {
        let text = |name: &str| Some(self.text(name)).filter(|text| !text.is_empty());
        let (to, from) = (text("fallbackNoticeActiveModel")?, text("fallbackNoticeSelectedModel")?);
        Some(format!("{to} answers instead of {from} ({})", text("fallbackNoticeReason")?))
    }
}

/// Letters of a session's id that tell it apart where there is little room; commands take a beginning.
const SHORT_ID: usize = 8;
/// Columns of models and flags where there is little room.
const SHORT: usize = 16;

/// The sessions as a table, a line each where that can be done: a narrow terminal shows less of each.
pub fn show(context: &Context, rows: &[&Row], now: u64) {
    let mut head = ["Kind", "Key", "Age", "Model", "Tokens (ctx %)", "Session", "Flags"];
    let cells = rows.iter().map(|row| {
        let age = age(now.saturating_sub(row.updated_at));
        [
            session_key::kind_of(&row.key).to_string(),
            row.key.clone(),
            age,
            row.text("model"),
            row.tokens(),
            row.text("sessionId"),
            row.flags(),
        ]
    });
    let mut cells: Vec<[String; 7]> = cells.collect();
    // A program that reads them is not to miss anything.
    if !context.out.interactive {
        return context.out.table(&head, &cells);
    }
    let whole = (head, cells.clone());
    for less in LESS {
        if context.out.is_flat(&head, &cells) {
            break;
        }
        head[4] = "Tokens";
        cells.iter_mut().for_each(less);
    }
    for most in (SHORT..=48).rev().step_by(4) {
        if context.out.is_flat(&head, &cells) {
            break;
        }
        cells.iter_mut().for_each(|[_, key, ..]| *key = without_middle(key, most));
    }
    // With less than that nobody is served.
    let (head, cells) = if context.out.is_flat(&head, &cells) { (head, cells) } else { whole };
    context.out.table(&head, &cells);
}

/// What is left out of a row, one after the other, until all rows are lines.
const LESS: [fn(&mut [String; 7]); 5] = [
    |[.., id, _]| *id = id.chars().take(SHORT_ID).collect(),
    |[kind, ..]| kind.clear(),
    |[_, key, ..]| *key = key.strip_prefix("agent:").unwrap_or(key).to_string(),
    |[.., id, _]| id.clear(),
    |[.., model, _, _, flags]| (*model, *flags) = (shortened(model, SHORT), shortened(flags, SHORT)),
];

/// The beginning and the end of a text that is longer than `most` characters.
fn without_middle(text: &str, most: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    let (kept, half) = (most.saturating_sub(1), most / 2);
    if all.len() <= most {
        return text.to_string();
    }
    all.iter().take(kept - half).chain(&['…']).chain(all.iter().skip(all.len() - half)).collect()
}
