//! `memory_search`: the places of memory that share the most telling words with a question.
//!
//! Runs on a tool's thread. Files are read anew for each search: they are small, and an edit counts at once. A word
//! counts the more the fewer lines hold it; words match by their beginnings, so that "plan" finds "planned".
use crate::calls::Provenance;
use crate::error::Result;
use crate::json::{Put, json};
use crate::parts::Parts;
use crate::tools::{Context, Output, Tool, count, memory, text, usual_time};
use serde_json::Value;

/// Lines of one place, and how far the next one begins after it.
const WINDOW: usize = 8;
const STEP: usize = 4;
const MAX_SNIPPET: usize = 700;
const MAX_WORDS: usize = 24;
const USUAL_RESULTS: usize = 6;
const MOST_RESULTS: usize = 30;

/// Words that say nothing about what is looked for.
const EMPTY: &[&str] = &[
    "about", "and", "are", "did", "does", "for", "from", "has", "have", "how", "is", "it", "my", "of", "on",
    "or", "that", "the", "this", "to", "was", "what", "when", "where", "which", "who", "with", "you", "your",
];

pub const TOOL: Tool = Tool {
    name: "memory_search",
    doc: "Search MEMORY.md and memory/*.md by words before you answer about earlier work, decisions, dates, people, preferences or plans. Gives the best places with path and lines.",
    parameters: r#"{"type": "object", "required": ["query"], "properties": {
        "query": {"type": "string", "minLength": 1, "description": "Words that the notes are likely to hold"},
        "maxResults": {"type": "number", "minimum": 1},
        "minScore": {"type": "number", "description": "From 0 to 1"}}}"#,
    aliases: &[
        ("q", "query"),
        ("search", "query"),
        ("text", "query"),
        ("question", "query"),
        ("keywords", "query"),
        ("limit", "maxResults"),
        ("top_k", "maxResults"),
        ("k", "maxResults"),
        ("count", "maxResults"),
        ("threshold", "minScore"),
    ],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

struct Place {
    path: String,
    /// Counted from 0.
    first: usize,
    last: usize,
    score: f64,
    snippet: String,
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let query = text(arguments, "query").unwrap_or_default();
    let most = count(arguments, "maxResults").unwrap_or(USUAL_RESULTS).clamp(1, MOST_RESULTS);
    let least = arguments.get("minScore").and_then(Value::as_f64).unwrap_or(0.0);
    let mut texts = Vec::new();
    let mut room = memory::MAX_ALL;
    for path in memory::files(&context.workspace)? {
        // One that cannot be read must not hide the others.
        let Ok(Some(text)) = memory::read(context, &path) else { continue };
        if (text.len() as u64) > room || context.cancel.reason().is_some() {
            break;
        }
        room -= text.len() as u64;
        texts.push((path.display().to_string(), text));
    }
    let places = search(&texts, query, most, least);
    let results: Vec<Value> = places.iter().map(Place::to_json).collect();
    let mut answer = json!({"results": results, "provider": "keyword", "files": texts.len()});
    if places.is_empty()
        && let Some(map) = answer.as_object_mut()
    {
        let note = if texts.is_empty() {
            "there are no memory files yet"
        } else {
            "nothing holds these words: try others"
        };
        map.put("note", note);
    }
    Ok(Output::json(&answer).about(query.chars().take(80).collect::<String>()))
}

impl Place {
    fn to_json(&self) -> Value {
        let (first, last) = (self.first + 1, self.last + 1);
        let lines = if first == last { format!("#L{first}") } else { format!("#L{first}-L{last}") };
        json!({
            "path": self.path, "startLine": first, "endLine": last, "score": (self.score * 1000.0).round() / 1000.0,
            "snippet": self.snippet, "source": "memory", "citation": format!("{}{lines}", self.path),
        })
    }
}

/// The best places, best first, none overlapping another. A score is the share of the question's weight found.
fn search(texts: &[(String, String)], query: &str, most: usize, least: f64) -> Vec<Place> {
    let wanted = wanted(query);
    let found: Vec<(&str, Vec<(&str, u32)>)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.lines().map(|line| (line, hits(line, &wanted))).collect()))
        .collect();
    let weights = weights(&found, wanted.len());
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let mut places: Vec<Place> = Vec::new();
    for (path, lines) in &found {
        for first in (0..lines.len()).step_by(STEP) {
            let window = lines.part(first..(first + WINDOW).min(lines.len()));
            places.extend(place(path, first, window, &weights, total).filter(|place| place.score >= least));
        }
    }
    crate::order::by(&mut places, |a, b| b.score.total_cmp(&a.score));
    let mut best: Vec<Place> = Vec::new();
    for place in places {
        let overlaps = |other: &Place| {
            other.path == place.path && other.first <= place.last && place.first <= other.last
        };
        if best.len() < most && !best.iter().any(overlaps) {
            best.push(place);
        }
    }
    best
}

/// The part of a window from its first hit to its last one, a line around it.
fn place(path: &str, at: usize, window: &[(&str, u32)], weights: &[f64], total: f64) -> Option<Place> {
    let mask = window.iter().fold(0, |mask, (_, hits)| mask | hits);
    let first = window.iter().position(|(_, hits)| *hits != 0)?;
    let last = window.iter().rposition(|(_, hits)| *hits != 0)?;
    let (from, to) = (first.saturating_sub(1), (last + 1).min(window.len() - 1));
    let weight: f64 =
        weights.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, w)| w).sum();
    // Words side by side say more than the same words spread out.
    let spread = (last - first) as f64 / (WINDOW * 10) as f64;
    let lines: Vec<&str> = window.get(from..=to)?.iter().map(|(line, _)| *line).collect();
    let snippet = lines.join("\n").trim().chars().take(MAX_SNIPPET).collect();
    let score = (weight / total) * (1.0 - spread);
    Some(Place { path: path.to_string(), first: at + from, last: at + to, score, snippet })
}

/// How much each word tells: a rare one much, one that is nowhere still something.
fn weights(found: &[(&str, Vec<(&str, u32)>)], words: usize) -> Vec<f64> {
    let lines = || found.iter().flat_map(|(_, lines)| lines);
    let all = lines().count() as f64;
    let weight = |bit: usize| {
        let with = lines().filter(|(_, hits)| hits & (1 << bit) != 0).count() as f64;
        (1.0 + all / (1.0 + with)).ln()
    };
    (0..words).map(weight).collect()
}

/// One bit for each wanted word that the line holds.
fn hits(line: &str, wanted: &[String]) -> u32 {
    let mut mask = 0;
    for word in words(line) {
        for (bit, wanted) in wanted.iter().enumerate() {
            let is_same =
                word == *wanted || (wanted.chars().count() >= 3 && word.starts_with(wanted.as_str()));
            mask |= u32::from(is_same) << bit;
        }
    }
    mask
}

fn wanted(query: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in words(query) {
        if !all.contains(&word) && all.len() < MAX_WORDS {
            all.push(word);
        }
    }
    let telling: Vec<String> = all.iter().filter(|word| !EMPTY.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { all } else { telling }
}

/// Runs of letters and digits in lower case. Scripts without spaces give one word a character.
fn words(text: &str) -> impl Iterator<Item = String> {
    let spaceless = |c: char| matches!(c as u32, 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff);
    let lower = text.to_lowercase();
    let mut found: Vec<String> = Vec::new();
    for run in lower.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        for c in run.chars() {
            if spaceless(c) {
                found.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                found.push(c.to_string());
            } else {
                word.push(c);
            }
        }
        found.extend((!word.is_empty()).then_some(word));
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn the_most_telling_place_comes_first() {
        let filler = "The day was long.\n".repeat(20);
        let texts = vec![
            ("MEMORY.md".to_string(), format!("# Memory\n{filler}The cat is called Miezi.\n{filler}")),
            (
                "memory/a.md".to_string(),
                "The cat food is in the cellar.\nBirthday of Anna: 3 May\n".to_string(),
            ),
        ];
        let check = |query: &str, want: &str| {
            let found = search(&texts, query, 6, 0.0);
            let first = found.first().map(|p| format!("{}:{}-{}", p.path, p.first + 1, p.last + 1));
            assert_eq!(first.as_deref().unwrap_or(""), want, "{query}");
        };
        check("what is the cat called?", "MEMORY.md:21-23");
        check("When is Anna's BIRTHDAY", "memory/a.md:1-2");
        check("birth", "memory/a.md:1-2");
        check("zebra", "");
        check("???", "");
        let found = search(&texts, "cat", 1, 0.0);
        assert_eq!(found.len(), 1);
        assert!(found[0].score > 0.9 && search(&texts, "cat zebra", 6, 0.9).is_empty());
    }

    #[test]
    fn words_are_taken_from_any_script() {
        assert_eq!(words("Ärger, mit 2 Bäumen!").collect::<Vec<_>>(), ["ärger", "mit", "2", "bäumen"]);
        assert_eq!(words("x猫が").collect::<Vec<_>>(), ["x", "猫", "が"]);
        assert_eq!(wanted("what is it"), ["what", "is", "it"]);
        assert_eq!(wanted("what is tea tea"), ["tea"]);
    }

    #[test]
    fn results_have_paths_lines_and_citations() {
        let (context, dir) = context("{}");
        let empty: Value =
            serde_json::from_str(&run(&context, &json!({"query": "tea"})).unwrap().text).unwrap();
        assert_eq!(
            (empty["results"].as_array().unwrap().len(), &empty["note"]),
            (0, &"there are no memory files yet".into())
        );
        dir.write("ws/memory/2026-01-01.md", "a\nb\nAnna likes green tea\nc\n");
        let said: Value =
            serde_json::from_str(&run(&context, &json!({"query": "tea"})).unwrap().text).unwrap();
        let first = &said["results"][0];
        assert_eq!((&first["startLine"], &first["endLine"]), (&2.into(), &4.into()));
        assert_eq!(first["citation"], "memory/2026-01-01.md#L2-L4");
        assert_eq!(first["snippet"], "b\nAnna likes green tea\nc");
    }
}
