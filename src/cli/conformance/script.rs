//! A transcript: a text file that says what a client sends and what it must get, in order. How it is read, and whether
//! an answer fits. Pure; the tests read the same files by it (`tests/harness/transcript.rs`).
//!
//! One instruction a line; `#` starts a comment line; a line that begins with a space continues the one before.
//!
//! ```text
//! protocols 3 4        run the file once for each; `$P` stands for the protocol in what follows
//! config {..}          overlaid on the plain configuration (before the first other instruction)
//! open [path]          a new connection; the challenge is taken and its nonce is `$NONCE`
//! connect {..}         open, connect with these members over the plain params, expect hello-ok
//! > text               send a text frame exactly as written
//! >bin text            send it as a binary frame
//! >pad N {..}          send the request with `params.pad` filled up to N bytes in all
//! < pattern            the next answer (`res`) must match
//! <event NAME pattern  the next event of that name must have a payload that matches
//! close CODE reason    the server must close with this code and exactly this reason; `<string>` = any, not empty
//! ```
//! In a pattern `"<any>"`, `"<string>"`, `"<int>"`, `"<uuid>"`, `"<hex>"` stand for such values, a string
//! `"text..."` matches by its beginning, a member `"...": 0` allows members not named, and an array may end
//! in `"..."`; a member `{"...": 0}` may be missing. `<TOKEN>` is the shared token, `<STATE>` the state directory. Everything else must be equal.
use serde_json::Value;

/// The instructions of a file, each with the number of its line.
pub fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    for (number, line) in
        text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'))
    {
        match out.last_mut() {
            Some((_, last)) if line.starts_with(' ') => last.push_str(line.trim_start()),
            _ => out.push((number + 1, line.to_string())),
        }
    }
    out
}

/// What follows the first instruction of this name.
pub fn told<'l>(lines: &'l [(usize, String)], name: &str) -> Option<&'l str> {
    lines.iter().find_map(|(_, line)| line.strip_prefix(name)?.strip_prefix(' '))
}

/// The frame with `params.pad` of such a length that its text has `size` bytes.
pub fn padded(size: usize, frame: &Value) -> String {
    let with = |pad: String| {
        let mut frame = frame.clone();
        if let Some(members) = frame.as_object_mut() {
            members.insert("params".into(), serde_json::json!({ "pad": pad }));
        }
        frame.to_string()
    };
    let bare = with(String::new()).len();
    with("x".repeat(size.saturating_sub(bare)))
}

/// Whether `value` matches `pattern`; the error says where not.
pub fn matches(pattern: &Value, value: &Value, at: &str) -> Result<(), String> {
    let differs = || Err(format!("at {at}/: expected {pattern}, got {value}"));
    match (pattern, value) {
        (Value::String(p), _) if matches_text(p, value) => Ok(()),
        (Value::String(_), _) => differs(),
        (Value::Object(p), Value::Object(v)) => {
            let open = p.contains_key("...");
            if let Some(extra) = v.keys().find(|k| !open && !p.contains_key(*k)) {
                return Err(format!("at {at}/: unexpected member {extra:?}"));
            }
            p.iter().filter(|(k, _)| *k != "...").try_for_each(|(k, p)| match v.get(k) {
                Some(v) => matches(p, v, &format!("{at}/{k}")),
                // Nothing is asked of it.
                None if p.as_object().is_some_and(|p| p.len() == 1 && p.contains_key("...")) => Ok(()),
                None => Err(format!("at {at}/: no member {k:?}")),
            })
        }
        (Value::Array(p), Value::Array(v)) => {
            let open = p.last().is_some_and(|l| l == "...");
            let fixed = p.len() - usize::from(open);
            if v.len() < fixed || (!open && v.len() != fixed) {
                return differs();
            }
            let pairs = p.iter().zip(v).take(fixed).enumerate();
            pairs.into_iter().try_for_each(|(i, (p, v))| matches(p, v, &format!("{at}/{i}")))
        }
        _ if pattern == value => Ok(()),
        _ => differs(),
    }
}

fn matches_text(pattern: &str, value: &Value) -> bool {
    let text = value.as_str();
    match pattern {
        "<any>" => true,
        "<int>" => value.is_u64() || value.is_i64(),
        "<string>" => text.is_some_and(|t| !t.is_empty()),
        "<uuid>" => text.is_some_and(is_uuid),
        "<hex>" => text.is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit())),
        p => text.is_some_and(|t| p.strip_suffix("...").map_or(p == t, |start| t.starts_with(start))),
    }
}

/// Whether `text` looks like a version 4 UUID.
pub fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12])
        && parts.get(2).is_some_and(|part| part.starts_with('4'))
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
