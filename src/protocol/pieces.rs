//! The text of an event on its way out: its own words, and between them long ones that other frames have too.
//!
//! What a run has said stands in two events at its end, and in each of them once more as what is new: it is made JSON
//! once. Pure; what is shared is never changed.
use crate::parts::Parts;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// At most this many shared texts stand in one frame.
const MOST: usize = 2;
/// What a frame's text is in, then.
pub const PARTS: usize = 2 * MOST + 1;

/// A text as JSON, its end, or a value in a longer one.
#[derive(Debug, Clone)]
pub struct Shared {
    json: Arc<String>,
    at: Range<usize>,
}

/// A frame's text.
#[derive(Debug, Default)]
pub struct Pieces {
    own: String,
    /// Behind how much of what is its own they stand.
    shared: [Option<(usize, Shared)>; MOST],
    len: usize,
}

/// Where in a value a shared text stands, by the names and positions on the way.
pub type Place<'a> = (&'a [&'a str], &'a Shared);

impl Shared {
    pub fn of(text: &str) -> Shared {
        let json = json_of(text);
        Shared { at: 0..json.len(), json: Arc::new(json) }
    }

    /// A part of JSON that is text already, a whole value.
    pub fn part(json: Arc<String>, at: Range<usize>) -> Shared {
        Shared { json, at }
    }

    /// The end of the same text, which reads `end`. Each character is written by itself, so it is the end of the JSON.
    pub fn end(&self, end: &str) -> Shared {
        let mut count = Count(0);
        // Counting does not fail.
        let _ = serde_json::to_writer(&mut count, end);
        // But for the quotation mark that it begins with.
        Shared {
            at: self.at.end.saturating_sub(count.0.saturating_sub(1))..self.at.end,
            json: self.json.clone(),
        }
    }

    fn text(&self) -> &str {
        self.json.part(self.at.clone())
    }
}

impl From<String> for Pieces {
    fn from(own: String) -> Pieces {
        Pieces { len: own.len(), own, shared: Default::default() }
    }
}

impl Pieces {
    /// `before` and the value, with the shared texts in their places.
    pub fn around(before: String, value: &Value, places: &[Place]) -> Pieces {
        let mut pieces = Pieces { own: before, ..Pieces::default() };
        pieces.write(value, places);
        pieces.own.shrink_to_fit();
        pieces.len = pieces.parts().iter().map(|part| part.len()).sum();
        pieces
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn push_str(&mut self, own: &str) {
        self.own.push_str(own);
        self.len += own.len();
    }

    /// Adds what is shared, as it is.
    pub fn put(&mut self, shared: &Shared) {
        let at = self.own.len();
        self.len += shared.text().len();
        match self.shared.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some((at, shared.clone())),
            None => self.own.push_str(shared.text()),
        }
    }

    /// All of it, in order.
    pub fn parts(&self) -> [&[u8]; PARTS] {
        let [first, second] = &self.shared;
        let cut = |place: &'_ Option<(usize, Shared)>| place.as_ref().map_or(self.own.len(), |(at, _)| *at);
        let (one, two) = (cut(first), cut(second));
        let [first, second] =
            [first, second].map(|place| place.as_ref().map_or("", |(_, shared)| shared.text()));
        let (before, between, behind) =
            (self.own.head(one), self.own.head(two).tail(one), self.own.tail(two));
        [before, first, between, second, behind].map(str::as_bytes)
    }

    fn write(&mut self, value: &Value, places: &[Place]) {
        match (places, value) {
            ([([], shared), ..], _) => self.share(shared),
            ([], value) => self.own.push_str(&value.to_string()),
            (_, Value::Object(map)) => {
                let members = map.iter().map(|(name, value)| (name.as_str(), value));
                self.write_all('{', members, true, places);
                self.own.push('}');
            }
            (_, Value::Array(items)) => {
                let names: Vec<String> = (0..items.len()).map(|n| n.to_string()).collect();
                self.write_all('[', names.iter().map(String::as_str).zip(items), false, places);
                self.own.push(']');
            }
            (_, value) => self.own.push_str(&value.to_string()),
        }
    }

    fn write_all<'a>(
        &mut self,
        open: char,
        members: impl Iterator<Item = (&'a str, &'a Value)>,
        are_named: bool,
        places: &[Place],
    ) {
        let mut before = open;
        for (name, value) in members {
            self.own.push(before);
            before = ',';
            if are_named {
                self.own.push_str(&json_of(name));
                self.own.push(':');
            }
            let below = places.iter().filter_map(|(path, shared)| match path {
                [first, rest @ ..] if *first == name => Some((rest, *shared)),
                _ => None,
            });
            self.write(value, &below.collect::<Vec<Place>>());
        }
        if before == open {
            self.own.push(open);
        }
    }

    fn share(&mut self, shared: &Shared) {
        if shared.at.start > 0 {
            self.own.push('"');
        }
        self.put(shared);
    }
}

#[cfg(test)]
impl std::fmt::Display for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(std::str::from_utf8(part).unwrap()))
    }
}

fn json_of(text: &str) -> String {
    let mut json = Vec::new();
    // Into memory nothing fails.
    let _ = serde_json::to_writer(&mut json, text);
    json.shrink_to_fit();
    // All of it was text.
    String::from_utf8(json).unwrap_or_default()
}

/// How long something is that is written.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(pieces: &Pieces) -> String {
        let text = pieces.to_string();
        assert_eq!(text.len(), pieces.len());
        text
    }

    #[test]
    fn s_m2_a_text_in_several_places_is_one_text() {
        let said = "a \"word\"\n\u{1} and é 😀 at its end";
        let shared = Shared::of(said);
        for from in said.char_indices().map(|(at, _)| at) {
            let end = &said[from..];
            let (message, delta) = (["message", "content", "0", "text"], ["deltaText"]);
            let value = json!({"x": [1, {}], "message": {"role": "a", "content": [{"type": "text", "text": ""}], "n": []}, "deltaText": "", "y": null});
            let pieces =
                Pieces::around("{\"p\":".into(), &value, &[(&message, &shared), (&delta, &shared.end(end))]);
            let mut want = value.clone();
            want["message"]["content"][0]["text"] = said.into();
            want["deltaText"] = end.into();
            assert_eq!(text(&pieces), format!("{{\"p\":{want}"));
        }
        assert_eq!(Arc::strong_count(&shared.json), 1, "none is left behind");
        assert_eq!(text(&Pieces::around(String::new(), &json!({}), &[(&["a"], &shared)])), "{}");
        assert_eq!(text(&Pieces::from("x".to_string())), "x");
    }
}
