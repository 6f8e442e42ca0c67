//! One line of the log file as people and scripts want to see it. Pure text in, text out.
use crate::cli::Context;
use crate::cli::parse::Args;
use crate::cli::print::Printer;
use crate::clock;
use crate::json::{self, json};
use serde_json::{Map, Value};

/// Most values of a line, and how deep they may be nested.
const MAX_VALUES: usize = 10_000;
const MAX_DEPTH: usize = 64;

/// How lines look.
pub struct Style {
    out: Printer,
    json: bool,
    /// Times as `HH:MM:SS`, for a person at a terminal.
    pretty: bool,
    /// In pieces with styles; whether they are shown is the printer's matter.
    styled: bool,
    local: bool,
}

impl Style {
    pub fn of(context: &Context, args: &Args) -> Style {
        let pretty = context.out.interactive && !args.has("plain");
        let local = args.has("local-time") || pretty && !args.has("utc");
        Style { out: context.out, json: args.has("json"), pretty, styled: !args.has("plain"), local }
    }

    /// The line in UTC without colours.
    pub fn plain(context: &Context, line: &str) -> String {
        let style = Style { out: context.out, json: false, pretty: false, styled: false, local: false };
        pieces(line, &style).into_iter().map(|(_, text)| text).collect()
    }

    /// Prints a line of the file behind `indent`; whether somebody still reads it.
    pub fn print(&self, indent: &str, line: &str) -> bool {
        if self.json {
            return self.out.json_line(&as_json(line));
        }
        let pieces = pieces(line, self);
        let pieces = pieces.iter().map(|(style, text)| (*style, text.as_str()));
        self.out.styled(&std::iter::once((0, indent)).chain(pieces).collect::<Vec<_>>())
    }

    fn time(&self, time: &str) -> String {
        let Some(ms) = clock::parse_iso(time) else { return time.to_string() };
        let zone = if self.local { None } else { Some("UTC") };
        match (self.pretty, self.local) {
            (true, _) => clock::show(&clock::zoned(ms, zone), "%H:%M:%S"),
            (false, true) => clock::show(&clock::zoned(ms, zone), "%Y-%m-%dT%H:%M:%S.%L%z"),
            (false, false) => clock::iso(ms),
        }
    }
}

/// What a line of the file says.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub time: String,
    /// Lower case.
    pub level: String,
    /// Who wrote it; may be empty.
    pub subsystem: String,
    module: Option<String>,
    pub message: String,
}

impl Entry {
    /// Reads a line; `None` when it has another format.
    pub fn parse(line: &str) -> Option<Entry> {
        let fields = json::read_object(line, MAX_VALUES, MAX_DEPTH).ok()?;
        let meta = fields.get("_meta").unwrap_or(&Value::Null);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_string();
        let named = meta.get("name").and_then(Value::as_str).and_then(bindings);
        let of = |key: &str| Some(named.as_ref()?.get(key)?.as_str()?.to_string());
        let time = fields.get("time").or_else(|| meta.get("date"));
        Some(Entry {
            time: text(time),
            level: text(meta.get("logLevelName")).to_lowercase(),
            subsystem: of("subsystem").unwrap_or_default(),
            module: of("module"),
            message: message(&fields),
        })
    }

    pub fn is_error(&self) -> bool {
        matches!(self.level.as_str(), "error" | "fatal")
    }
}

/// The names of who wrote a line, themselves written as JSON.
fn bindings(text: &str) -> Option<Map<String, Value>> {
    json::read_object(text, MAX_VALUES, MAX_DEPTH).ok()
}

/// The numbered arguments in their order, without the one that only names the writer.
fn message(fields: &Map<String, Value>) -> String {
    let mut numbered: Vec<(u32, &Value)> =
        fields.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value))).collect();
    crate::order::by_key(&mut numbered, |(place, _)| *place);
    let names_writer =
        |value: &Value| value.as_str().and_then(bindings).is_some_and(|map| map.contains_key("subsystem"));
    let words =
        numbered.iter().filter(|(place, value)| *place > 0 || !names_writer(value)).map(|(_, value)| {
            match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }
        });
    words.collect::<Vec<_>>().join(" ")
}

/// The line as scripts get it.
fn as_json(line: &str) -> Value {
    let Some(entry) = Entry::parse(line) else { return json!({"type": "raw", "raw": line}) };
    let mut object = json!({"type": "log", "time": entry.time, "level": entry.level,
        "subsystem": entry.subsystem, "message": entry.message, "raw": line});
    if let (Some(map), Some(module)) = (object.as_object_mut(), entry.module) {
        map.insert("module".into(), module.into());
    }
    object
}

/// The line as people get it, in pieces with the terminal's style for each.
fn pieces(line: &str, style: &Style) -> Vec<(u8, String)> {
    let Some(entry) = Entry::parse(line) else { return vec![(0, line.to_string())] };
    let (time, level) = (style.time(&entry.time), entry.level);
    if !style.styled {
        return vec![(0, format!("{time} {level} {} {}", entry.subsystem, entry.message))];
    }
    let tint = match level.as_str() {
        "error" | "fatal" => 31,
        "warn" => 33,
        "debug" | "trace" => 2,
        _ => 0,
    };
    let blank = || (0, " ".to_string());
    let width = if style.pretty { 5 } else { 0 };
    let level = (0, format!(" {level:<width$} "));
    vec![(2, time), level, (36, entry.subsystem), blank(), (tint, entry.message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"0":"{\"subsystem\":\"gateway/ws\"}","1":"res ok","2":{"a":1},"_meta":{"name":"{\"subsystem\":\"gateway/ws\"}","logLevelName":"WARN"},"time":"2026-11-21T01:31:07.547Z"}"#;

    fn style(pretty: bool) -> Style {
        Style { out: Printer::new(None, true), json: false, pretty, styled: true, local: false }
    }

    #[test]
    fn a_line_in_every_shape() {
        let check = |line: &str, pretty: bool, want: &str| {
            let pieces = pieces(line, &style(pretty));
            assert_eq!(pieces.into_iter().map(|(_, text)| text).collect::<String>(), want);
        };
        check(LINE, false, "2026-11-21T01:31:07.547Z warn gateway/ws res ok {\"a\":1}");
        check(LINE, true, "01:31:07 warn  gateway/ws res ok {\"a\":1}");
        check("torn {", false, "torn {");
        assert_eq!(as_json("[1]"), json!({"type": "raw", "raw": "[1]"}));
        let json = as_json(LINE);
        assert_eq!((&json["type"], &json["message"]), (&json!("log"), &json!("res ok {\"a\":1}")));
        assert_eq!(json["raw"], LINE);
    }

    #[test]
    fn a_message_that_only_looks_like_a_name_stays() {
        let entry = Entry::parse(r#"{"0":"{\"a\":1}","time":"t"}"#).unwrap();
        assert_eq!((entry.message.as_str(), entry.subsystem.as_str()), ("{\"a\":1}", ""));
    }
}
