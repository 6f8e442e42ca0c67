//! JSON5 text to a value, with the line and column of what is wrong.
//!
//! Pure; any thread. Nesting is bounded before the recursive parser sees the text, and whole numbers written
//! as `1e4` or `5.0` become integers, as in the program these files come from.
use super::tokens::{Token, tokens};
use serde_json::{Map, Number, Value};

/// Deepest nesting of objects and lists.
const MAX_DEPTH: usize = 100;

/// Why a text is not a configuration: `at` is line and column, counted from 1.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub message: String,
    pub at: Option<(usize, usize)>,
}

impl Failure {
    /// ` at 3:5`, or nothing.
    pub fn place(&self) -> String {
        self.at.map_or(String::new(), |(line, column)| format!(" at {line}:{column}"))
    }
}

/// Parses a whole file.
pub fn json5(text: &str) -> Result<Value, Failure> {
    if let Some(at) = too_deep(text) {
        return Err(Failure { message: format!("nested deeper than {MAX_DEPTH} levels"), at: Some(at) });
    }
    let mut value: Value = ::json5::from_str(text).map_err(|e| {
        let message = e.code().map_or_else(|| "not a JSON5 value".to_string(), |code| code.to_string());
        // The parser names no place for what is missing at the end.
        let at = e.position().map_or_else(|| place(text), |p| (p.line + 1, p.column + 1));
        let message = if message.starts_with("EOF") { cut(text, at) } else { message };
        Failure { message, at: Some(at) }
    })?;
    whole_numbers(&mut value);
    Ok(value)
}

/// How the message of a text that ends too early ends.
pub const CUT: &str = " that begins here is never closed";

/// What to say of a text that ends too early; `at` is mostly where the innermost thing begins that is open.
fn cut(text: &str, (line, column): (usize, usize)) -> String {
    match text.lines().nth(line - 1).and_then(|line| line.chars().nth(column - 1)) {
        Some('{') => format!("the object{CUT}"),
        Some('[') => format!("the list{CUT}"),
        _ => "the file ends too early".to_string(),
    }
}

fn too_deep(text: &str) -> Option<(usize, usize)> {
    let mut depth = 0usize;
    for (token, span) in tokens(text) {
        match token {
            Token::Punct('{' | '[') => depth += 1,
            Token::Punct('}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(place(text.get(..span.start).unwrap_or_default()));
        }
    }
    None
}

/// Line and column of the end of `before`.
pub fn place(before: &str) -> (usize, usize) {
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

/// A whole number written as a fraction becomes an integer.
pub fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Beyond 2^53 a float no longer tells neighbouring integers apart.
            let whole = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0);
            if let Some(whole) = whole {
                *number = Number::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Takes out members that are null: written, but not set.
pub fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        match value {
            Value::Object(inner) => drop_nulls(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(drop_nulls),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json5_is_read() {
        let text = "\u{feff}// c\n{a: 1, 'b': [0x10, 1e4, 5.0, .5,], /* d */ c: 'x\\\ny',}";
        assert_eq!(json5(text), Ok(json!({"a": 1, "b": [16, 10000, 5, 0.5], "c": "xy"})));
    }

    #[test]
    fn failures_name_line_and_column() {
        for (text, at) in
            [("", Some((1, 1))), ("{\n  a: 1\n  b: 2\n}", Some((3, 3))), ("{a: }", Some((1, 5)))]
        {
            assert_eq!(json5(text).unwrap_err().at, at, "{text:?}");
        }
        for (text, told) in [
            ("{\n a: {b: 'x", "the object that begins here is never closed at 2:5"),
            ("{a: [1,", "the list that begins here is never closed at 1:5"),
            ("// none\n", "the file ends too early at 2:1"),
        ] {
            let failure = json5(text).unwrap_err();
            assert_eq!(failure.message.clone() + &failure.place(), told, "{text:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(json5(&deep).unwrap_err().at, Some((1, 101)));
    }
}
