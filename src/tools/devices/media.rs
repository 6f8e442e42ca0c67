//! Pictures and recordings that nodes give: kept below `<STATE>/media`, from where they may be sent on, and shown to a model that
//! sees. Runs on a tool's thread.
use crate::device::encoding::from_base64;
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::sessions::attachments::image_type;
use crate::sessions::message;
use crate::tools::{Context, Output};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Bytes of a picture that a model is shown, and of anything that is kept.
const SHOWN: usize = 5_000_000;
const MOST: usize = 20_000_000;

/// A picture: its place as text, and the picture itself.
pub fn picture(context: &Context, given: &Value) -> Result<Output> {
    let (bytes, data) = decoded(given)?;
    let (kind, ending) = kind(&bytes)?;
    let path = keep(context, &bytes, ending)?;
    Ok(shown(&path, kind, bytes.len(), data).about("picture"))
}

/// What kind of picture a node gave, and how the name of its file ends, by what it is: whatever the node calls it.
pub fn kind(bytes: &[u8]) -> Result<(&'static str, &'static str)> {
    let none = || Error::invalid("the node gave something that is no picture (PNG, JPEG, GIF or WebP)");
    let kind = image_type(bytes).ok_or_else(none)?;
    let ending = kind.strip_prefix("image/").unwrap_or("png");
    Ok((kind, if ending == "jpeg" { "jpg" } else { ending }))
}

/// A picture that is kept: its place as text, and the picture itself, in base64, if it is not too large to be shown.
pub fn shown(path: &Path, kind: &str, size: usize, data: &str) -> Output {
    let pictures = if size <= SHOWN { vec![message::image(data, kind)] } else { Vec::new() };
    Output { pictures, ..Output::text(format!("MEDIA:{}", path.display())) }
}

/// A recording: its place.
pub fn file(context: &Context, given: &Value) -> Result<Output> {
    let (bytes, _) = decoded(given)?;
    let format = given.get("format").and_then(Value::as_str).unwrap_or("mp4");
    let is_plain =
        !format.is_empty() && format.len() <= 5 && format.bytes().all(|b| b.is_ascii_alphanumeric());
    let path = keep(context, &bytes, if is_plain { format } else { "bin" })?;
    Ok(Output::text(format!("FILE:{}", path.display())).about("recording"))
}

fn decoded(given: &Value) -> Result<(Vec<u8>, &str)> {
    let data = given.get("base64").and_then(Value::as_str).unwrap_or_default();
    if data.len() / 4 * 3 > MOST {
        return Err(Error::invalid(format!("the node gave more than {MOST} bytes: ask for less")));
    }
    let bytes = from_base64(data).filter(|bytes| !bytes.is_empty());
    bytes
        .map(|bytes| (bytes, data))
        .ok_or_else(|| Error::unavailable("the node gave no picture or recording"))
}

fn keep(context: &Context, bytes: &[u8], ending: &str) -> Result<PathBuf> {
    let dir = context.settings.env.state_dir.join("media").join("inbound");
    files::private_dir(&dir)?;
    let path = dir.join(format!("node-{}.{ending}", ids::uuid()?));
    files::write_atomic(&path, bytes)?;
    Ok(path)
}
