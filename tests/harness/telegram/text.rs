//! What the API says of a text: how long it may be, and how its marks are read.
use super::super::{Value, json};
use super::html;
use super::params::Params;
use super::wire::{Answer, bad};

/// Longer raw texts are not looked at.
const MAX_RAW: usize = 32_768;

/// A text as it is shown, with its entities; both counted after the marks were read.
pub fn read(params: &Params, name: &str, most: usize) -> Answer<(String, Vec<Value>)> {
    let raw = params.text(name).replace('\r', "");
    if raw.len() > MAX_RAW {
        return Err(bad("text is too long"));
    }
    let (plain, entities) = match params.text("parse_mode").to_ascii_lowercase().as_str() {
        "" => (raw, plain_entities(params, name)?),
        "html" => marks(&raw)?,
        "markdown" | "markdownv2" => (raw, Vec::new()),
        _ => return Err(bad("unsupported parse_mode")),
    };
    let plain = plain.trim().to_string();
    if plain.chars().count() > most {
        let what = if name == "caption" { "message caption is too long" } else { "message is too long" };
        return Err(bad(what));
    }
    Ok((plain, entities))
}

fn marks(raw: &str) -> Answer<(String, Vec<Value>)> {
    let parsed = html::read(raw).map_err(bad)?;
    let entity = |entity: &html::Entity| {
        let mut value = json!({"type": entity.kind, "offset": entity.offset, "length": entity.length});
        if let Some(detail) = &entity.value {
            value[if entity.kind == "text_link" { "url" } else { "language" }] = detail.as_str().into();
        }
        value
    };
    Ok((parsed.text, parsed.entities.iter().map(entity).collect()))
}

fn plain_entities(params: &Params, name: &str) -> Answer<Vec<Value>> {
    let name = if name == "caption" { "caption_entities" } else { "entities" };
    let given = params.nested(name)?;
    // Further ones are dropped without an error.
    Ok(given.as_array().map(|all| all.iter().take(100).cloned().collect()).unwrap_or_default())
}

/// The buttons of a message, if they may be sent.
pub fn markup(params: &Params) -> Answer<Option<Value>> {
    let markup = params.nested("reply_markup")?;
    if markup.is_null() {
        return Ok(None);
    }
    if markup.to_string().len() > 10_240 {
        return Err(bad("reply markup is too long"));
    }
    let rows = markup["inline_keyboard"].as_array().cloned().unwrap_or_default();
    for button in rows.iter().filter_map(|row| row.as_array()).flatten() {
        if button["text"].as_str().is_none_or(str::is_empty) {
            return Err(bad(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            ));
        }
        if button["callback_data"].as_str().is_some_and(|data| data.is_empty() || data.len() > 64) {
            return Err(bad("BUTTON_DATA_INVALID"));
        }
    }
    Ok(Some(markup))
}

/// Puts a text and its entities into a message.
pub fn put(message: &mut Value, name: &str, text: String, entities: Vec<Value>) {
    message[name] = text.into();
    if !entities.is_empty() {
        let name = if name == "caption" { "caption_entities" } else { "entities" };
        message[name] = json!(entities);
    }
}
