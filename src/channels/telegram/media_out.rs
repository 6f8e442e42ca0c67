//! Files that go out: found where they may come from (SEC-13: the media root, the workspace of the agent whose words they
//! belong to; SEC-30: public addresses), opened once, and told apart by what is in them. On a sender's thread.
use super::form::{Content, MAX_UPLOAD, Upload};
use super::line::Line;
use crate::agents::{inside, own};
use crate::channels::accounts::Account;
use crate::channels::outgoing::Outgoing;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::fetch::outbound::{self, Rules};
use crate::files;
use crate::parts::Parts;
use crate::workspace::beneath;
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// A larger picture is sent as a file.
const MAX_PHOTO: u64 = 10 << 20;
/// The name under which calls hold the file.
pub const PART: &str = "file";
const REDIRECTS: usize = 3;
const FETCH: Duration = Duration::from_secs(60);

/// A file that is open, and how it is sent.
pub struct Media {
    pub method: &'static str,
    /// The parameter that holds it.
    pub kind: &'static str,
    pub upload: Upload,
}

pub fn open(
    line: &Line,
    config: &Config,
    account: &Account,
    out: &Outgoing,
    name: &str,
    is_voice: bool,
) -> Result<Media> {
    let name = name.trim();
    let is_address = ["http://", "https://"]
        .iter()
        .any(|scheme| name.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let (file, name) = match is_address {
        true => fetch(line, config, account, name)?,
        false => (find(line, config, out, name)?, name.to_string()),
    };
    let length = file.metadata().map_err(|e| Error::io("read the file", e))?.len();
    if length == 0 {
        return Err(Error::invalid("the file is empty: Telegram takes none without content"));
    }
    if length > MAX_UPLOAD {
        let size = length >> 20;
        return Err(Error::invalid(format!(
            "the file has {size} MB: Telegram takes 50 MB from a bot at most"
        )));
    }
    let mut head = [0; 16];
    let n = file.read_at(&mut head, 0).map_err(|e| Error::io("read the file", e))?;
    let (method, kind) = kind(head.head(n), length, is_voice, out.is_gif());
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let base = path.trim_end_matches('/').rsplit('/').next().filter(|base| !base.is_empty()).unwrap_or(kind);
    let file_name = base.chars().filter(|c| !c.is_control()).take(120).collect();
    let upload = Upload { part: PART.into(), file_name, content: Content::Open(file, length) };
    Ok(Media { method, kind, upload })
}

/// A file of this machine. What a guest's turn says names none: what others sent lies below the media root, too.
fn find(line: &Line, config: &Config, out: &Outgoing, name: &str) -> Result<File> {
    let (env, agents) = (&line.house.settings().env, line.agents(config));
    if !out.may_name_files() {
        return Err(Error::invalid("no file of this machine is sent where a guest asked"));
    }
    let root = env.state_dir.join("media");
    if Path::new(name).starts_with(&root) {
        let relative = beneath::relative(&root, name)?;
        return own::open(config, env, &root, &relative)?.ok_or_else(missing);
    }
    let agent = out.session().and_then(|key| key.strip_prefix("agent:")?.split(':').next());
    let workspace = agents.workspace(agent.unwrap_or(&agents.default_id()));
    let relative = inside::relative(config, env, &workspace, name)?;
    own::open(config, env, &workspace, &relative)?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::not_found("there is no such file")
}

/// A file of the web, kept without a name while it is sent.
fn fetch(line: &Line, config: &Config, account: &Account, address: &str) -> Result<(File, String)> {
    let dir = line.house.settings().env.state_dir.join("media/outbound");
    files::private_dir(&dir)?;
    let path = dir.join(crate::ids::uuid()?);
    let made = files::private_options().read(true).create_new(true).open(&path);
    let mut file = made.map_err(|e| Error::io(format_args!("write {}", path.display()), e))?;
    std::fs::remove_file(&path).map_err(|e| Error::io(format_args!("remove {}", path.display()), e))?;
    let most = account.set("mediaMaxMb").and_then(|(most, _)| most.as_f64());
    let most = most.map_or(MAX_UPLOAD, |mb| (mb * f64::from(1 << 20)) as u64).min(MAX_UPLOAD);
    let allowed = config.get("tools.web.fetch.allowHosts").and_then(Value::as_array).into_iter().flatten();
    let rules = Rules {
        allow_hosts: allowed.filter_map(Value::as_str).map(str::to_string).collect(),
        max_redirects: REDIRECTS,
        max_bytes: most as usize,
        time: FETCH,
        user_agent: None,
    };
    let fetched = outbound::get_into(address, &rules, line.house.cancel(), &mut file)?;
    if !(200..300).contains(&fetched.status) {
        return Err(Error::unavailable(format!("its server answered {}", fetched.status)));
    }
    if fetched.is_cut {
        let mb = most >> 20;
        return Err(Error::invalid(format!("the file has more than {mb} MB (channels.telegram.mediaMaxMb)")));
    }
    Ok((file, fetched.url))
}

/// What it is sent as, by how it begins.
fn kind(head: &[u8], length: u64, is_voice: bool, is_gif: bool) -> (&'static str, &'static str) {
    let at = |from: usize, what: &[u8]| head.get(from..from + what.len()) == Some(what);
    let is_mp3 = at(0, b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe6 == 0xe2);
    let is_mp4 = at(4, b"ftyp");
    let is_m4a = is_mp4 && at(8, b"M4A");
    let is_picture = at(0, b"\x89PNG") || at(0, b"\xff\xd8\xff") || (at(0, b"RIFF") && at(8, b"WEBP"));
    match () {
        () if at(0, b"GIF8") => ("sendAnimation", "animation"),
        () if is_picture && length <= MAX_PHOTO => ("sendPhoto", "photo"),
        () if (at(0, b"OggS") || is_mp3 || is_m4a) && is_voice => ("sendVoice", "voice"),
        () if at(0, b"OggS") || is_mp3 || is_m4a || at(0, b"fLaC") => ("sendAudio", "audio"),
        () if at(0, b"RIFF") && at(8, b"WAVE") => ("sendAudio", "audio"),
        () if is_mp4 && is_gif => ("sendAnimation", "animation"),
        () if is_mp4 => ("sendVideo", "video"),
        () => ("sendDocument", "document"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sent_as_what_is_in_it() {
        for (head, length, as_it_is, as_asked) in [
            (&b"\x89PNG\r\n"[..], 9, "photo", "photo"),
            (b"\x89PNG\r\n", MAX_PHOTO + 1, "document", "document"),
            (b"\xff\xd8\xff\xe0", 9, "photo", "photo"),
            (b"GIF89a", 9, "animation", "animation"),
            (b"OggS....", 9, "audio", "voice"),
            (b"\xff\xfb\x90", 9, "audio", "voice"),
            (b"ID3\x04", 9, "audio", "voice"),
            (b"\0\0\0\x20ftypisom", 9, "video", "animation"),
            (b"\0\0\0\x20ftypM4A ", 9, "audio", "voice"),
            (b"RIFF....WAVEfmt ", 9, "audio", "audio"),
            (b"RIFF....WEBPVP8 ", 9, "photo", "photo"),
            (b"%PDF-1.7", 9, "document", "document"),
            (b"x", 9, "document", "document"),
        ] {
            let kind_of = |is_asked| kind(head, length, is_asked, is_asked).1;
            assert_eq!((kind_of(false), kind_of(true)), (as_it_is, as_asked), "{head:?}");
        }
    }
}
