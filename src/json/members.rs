//! Members of an object by name, as the text they have: what is not wanted is passed over and costs no memory.
//!
//! Pure; runs on any thread. Judges no bounds: the texts are read one by one, by `json::read` with a bound for each.
use super::Unread;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Longest name that is given back of a member nobody asked for, bytes.
const MAX_NAME: usize = 100;

/// The members that were asked for, in that order; of a name that comes twice the last, as everywhere.
#[derive(Debug)]
pub struct Members<'a, const N: usize> {
    pub texts: [Option<&'a str>; N],
    /// Name of the first member with another name; empty when the name is too long to be told.
    pub other: Option<String>,
}

/// Reads the members called `names`. `Ok(None)` when the text is JSON, but no object.
pub fn members<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Result<Option<Members<'a, N>>, Unread> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(Wanted(names)).and_then(|found| reader.end().map(|()| found));
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Ok(None),
            Err(_) => Err(Unread::Malformed(e.to_string())),
        },
    }
}

struct Wanted<'n, const N: usize>(&'n [&'n str; N]);

impl<'a, const N: usize> Visitor<'a> for Wanted<'_, N> {
    type Value = Members<'a, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Members { texts: [None; N], other: None };
        while let Some(name) =
            map.next_key_seed(Name { known: self.0, is_other_known: found.other.is_some() })?
        {
            match name {
                Found::Known(at) => {
                    let raw: &'a RawValue = map.next_value()?;
                    if let Some(place) = found.texts.get_mut(at) {
                        *place = Some(raw.get());
                    }
                    continue;
                }
                Found::Other(name) => found.other = Some(name),
                Found::Another => {}
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}

enum Found {
    Known(usize),
    Other(String),
    Another,
}

/// Compares a name where it stands, so that it is copied only to be told.
struct Name<'n> {
    known: &'n [&'n str],
    is_other_known: bool,
}

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Found, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Found, E> {
        Ok(match self.known.iter().position(|known| *known == name) {
            Some(at) => Found::Known(at),
            None if self.is_other_known => Found::Another,
            None => Found::Other(Some(name).filter(|n| n.len() <= MAX_NAME).unwrap_or_default().to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_others_passed_over() {
        let text = r#" {"a": [1, 2], "x": {"a": 9}, "\u0062":"t", "a":{} , "y": "\ud83d"} "#;
        let found = members(text, &["a", "b", "c"]).unwrap().unwrap();
        assert_eq!(found.texts, [Some("{}"), Some("\"t\""), None]);
        assert_eq!(found.other.as_deref(), Some("x"));
        assert!(members("{}", &["a"]).unwrap().unwrap().other.is_none());
    }

    #[test]
    fn what_is_no_object_or_no_json_is_told_apart() {
        for text in ["[]", "null", "7", "\"{}\""] {
            assert!(members(text, &["a"]).unwrap().is_none(), "{text}");
        }
        for text in ["", "{", "{\"a\":1,}", "{\"a\":1} x", "[", "{\"a\"}"] {
            assert!(members(text, &["a"]).is_err(), "{text}");
        }
    }
}
