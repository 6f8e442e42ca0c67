//! A JSON value as its text, in what serde reads and writes. Pure; any thread.
//!
//! The text is not made values: who reads a line with one in it reads the line under bounds first.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Writes JSON text as the value that it is.
pub fn write<S: Serializer>(text: &str, out: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
    raw.serialize(out)
}

/// The text of the value that stands there.
pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let raw: Box<RawValue> = Deserialize::deserialize(from)?;
    Ok(Box::<str>::from(raw).into())
}
