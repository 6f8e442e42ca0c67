//! Files that a program lays into its account's folder, as a turn gets them.
use super::run::Line;
use super::wire::Message;
use crate::device::encoding::base64;
use crate::files;
use crate::json::json;
use crate::sessions::attachments::Attachments;
use serde_json::Value;

const MAX_FILE: u64 = 5_000_001;
const MAX_FILES: usize = 16;

/// Names in the account's folder, and none that leads elsewhere.
pub fn names<'a>(message: &Message<'a>) -> impl Iterator<Item = &'a str> {
    let name = |file: &'a Value| file.get("file")?.as_str();
    let is_plain = |name: &&str| !name.is_empty() && !name.contains('/') && *name != "." && *name != "..";
    message.files.iter().take(MAX_FILES).filter_map(name).filter(is_plain)
}

/// Pictures and texts are read; what is neither, or is not there, is named.
pub fn attachments(line: &Line, message: &Message) -> Attachments {
    let mut all = Attachments::default();
    for file in message.files.iter().take(MAX_FILES) {
        let text = |name: &str| file.get(name).and_then(Value::as_str);
        let shown = text("name").or(text("file")).unwrap_or_default();
        let path = names(&Message { files: std::slice::from_ref(file), ..message.clone() }).next();
        let bytes = path.and_then(|name| files::read_start(&line.dir.join(name), MAX_FILE));
        let read = bytes.and_then(|bytes| {
            let item =
                json!({"fileName": shown, "mimeType": (text("mimeType")), "content": (base64(&bytes))});
            Attachments::read(&[item]).ok()
        });
        match read {
            Some(read) => {
                all.images.extend(read.images);
                all.texts += &read.texts;
            }
            None => {
                let quoted = crate::logging::quoted(shown);
                let name = names(&Message { files: std::slice::from_ref(file), ..message.clone() }).next();
                all.texts += &match name.and_then(|name| keep(line, name)) {
                    Some(path) => format!("\n\n[media attached: {path} ({quoted})]"),
                    None => format!("\n\n[a file that cannot be read: {quoted}]"),
                };
            }
        }
    }
    all
}

/// A file that is neither picture nor text stays where media lie; it is known by its path.
fn keep(line: &Line, name: &str) -> Option<String> {
    let (from, dir) = (line.dir.join(name), line.house.settings().env.state_dir.join("media/inbound"));
    std::fs::symlink_metadata(&from).ok().filter(|found| found.is_file())?;
    files::private_dir(&dir).ok()?;
    let is_safe = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, "bin"));
    let safe = |text: &str, most: usize| text.chars().filter(is_safe).take(most).collect::<String>();
    let path = dir.join(format!("{}---{}.{}", safe(stem, 60), crate::ids::uuid().ok()?, safe(end, 10)));
    // It is removed when the turn is accepted, and not before: the turn may be asked for once more.
    std::fs::hard_link(&from, &path).or_else(|_| std::fs::copy(&from, &path).map(drop)).ok()?;
    Some(path.to_string_lossy().into_owned())
}
