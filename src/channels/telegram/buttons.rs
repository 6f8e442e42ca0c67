//! Buttons under a message: rows of `{text, callback_data}` -> Telegram's inline keyboard.
use crate::approvals::seal;
use crate::error::Error;
use serde_json::{Value, json};

/// Bytes that Telegram gives back when a button is pressed.
const MAX_DATA: usize = 64;

/// Whether they are the gateway's own, of which the words of their message tell, too.
pub fn are_own(buttons: &Value) -> bool {
    let first = buttons.pointer("/0/0/callback_data").and_then(Value::as_str);
    first.is_some_and(seal::is_command)
}

/// `reply_markup`; the sentence says which button is wrong.
pub fn keyboard(buttons: &Value) -> Result<Value, Error> {
    let no_rows = || Error::invalid("buttons must be an array of button rows");
    let rows = buttons.as_array().ok_or_else(no_rows)?;
    let mut keyboard = Vec::with_capacity(rows.len());
    for (y, row) in rows.iter().enumerate() {
        let row = row.as_array().ok_or_else(no_rows)?;
        let row: Vec<Value> =
            row.iter().enumerate().map(|(x, value)| button(value, y, x)).collect::<Result<_, _>>()?;
        // Telegram refuses a row without buttons.
        if !row.is_empty() {
            keyboard.push(Value::Array(row));
        }
    }
    Ok(json!({ "inline_keyboard": keyboard }))
}

fn button(value: &Value, row: usize, column: usize) -> Result<Value, Error> {
    let text_of = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let (Some(text), Some(data)) = (text_of("text"), text_of("callback_data")) else {
        return Err(Error::invalid(format!("buttons[{row}][{column}] requires text and callback_data")));
    };
    // What gives a command is the gateway's own (`seal::kept`).
    let data = if seal::is_command(data) { seal::sealed(data)? } else { data.to_string() };
    if data.len() > MAX_DATA {
        let words = format!("buttons[{row}][{column}] callback_data too long (max {MAX_DATA} chars)");
        return Err(Error::invalid(words));
    }
    Ok(json!({ "text": text, "callback_data": data }))
}
