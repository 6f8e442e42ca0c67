//! Who an agent is towards people: name, emoji, picture.
//!
//! From the configuration, and from `- Name: value` lines of the workspace's IDENTITY.md, which is read by the
//! caller's thread. A picture that is a file is named by the address it will be served at, never by its path.
use super::Agents;
use crate::agents::own;
use crate::config::Config;
use crate::env::Env;
use crate::json::{Put, json};
use crate::workspace::beneath;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Bytes of an IDENTITY.md that are looked at.
const MAX_FILE: u64 = 16 << 10;
const MAX_NAME: usize = 50;
const MAX_AVATAR: usize = 200;
const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "webp", "svg", "ico"];

impl Agents<'_> {
    /// One row of `agents.list`.
    pub fn row(&self, id: &str) -> Value {
        let mut row = Map::new();
        row.put("id", id);
        if let Some(name) = self.text(id, "name") {
            row.put("name", name);
        }
        let mut identity = Map::new();
        for member in ["name", "theme", "emoji", "avatar"] {
            if let Some(text) = self.configured(id, member) {
                identity.insert(member.into(), text.into());
            }
        }
        let avatar = self.configured(id, "avatar").and_then(|avatar| self.avatar_url(id, avatar));
        if let Some(url) = avatar {
            identity.put("avatarUrl", url);
        }
        if !identity.is_empty() {
            row.put("identity", identity);
        }
        Value::Object(row)
    }

    /// Name, avatar and emoji as `agent.identity.get` gives them. Reads a file.
    pub fn identity(&self, id: &str) -> Value {
        let ui = |key: &str| self.config.str(key).map(str::trim).filter(|s| !s.is_empty());
        let file = read_identity(&self.config, self.env, &self.workspace(id), "IDENTITY.md");
        let of_file =
            |member: &str| file.iter().find(|(name, _)| name == member).map(|(_, value)| value.as_str());
        let name = ui("ui.assistant.name")
            .or_else(|| self.configured(id, "name"))
            .or_else(|| of_file("name"))
            .unwrap_or("Assistant");
        let is_emoji = |text: &&str| !text.is_ascii() && text.chars().count() <= 16;
        let emoji = self.configured(id, "emoji").or_else(|| of_file("emoji")).filter(is_emoji);
        let avatars = [ui("ui.assistant.avatar"), self.configured(id, "avatar"), of_file("avatar"), emoji];
        let avatar = avatars.into_iter().flatten().find_map(|avatar| match is_file(avatar) {
            true => self.avatar_url(id, avatar),
            false => Some(avatar.to_string()),
        });
        let short = |text: &str, max: usize| text.chars().take(max).collect::<String>();
        let avatar = short(avatar.as_deref().unwrap_or("A"), MAX_AVATAR);
        let mut identity = json!({"agentId": id, "name": short(name, MAX_NAME), "avatar": avatar});
        if let (Some(map), Some(emoji)) = (identity.as_object_mut(), emoji) {
            map.put("emoji", emoji);
        }
        identity
    }

    /// Where the picture of an agent can be fetched, if it has one. Reads a file.
    pub fn picture_url(&self, id: &str) -> Option<String> {
        self.avatar_url(id, &self.picture(id)?)
    }

    /// The file of its workspace that is its picture. Reads another file.
    pub fn picture_file(&self, id: &str) -> Option<PathBuf> {
        let picture = self.picture(id).filter(|picture| is_picture(picture) && !is_address(picture))?;
        beneath::relative(&self.workspace(id), &picture).ok()
    }

    /// The picture of an agent that there is, as it is written.
    fn picture(&self, id: &str) -> Option<String> {
        self.ids().iter().find(|known| *known == id)?;
        let file = read_identity(&self.config, self.env, &self.workspace(id), "IDENTITY.md");
        let of_file = file.iter().find(|(name, _)| name == "avatar").map(|(_, value)| value.as_str());
        let all =
            [self.config.str("ui.assistant.avatar").map(str::trim), self.configured(id, "avatar"), of_file];
        let mut pictures = all.into_iter().flatten().filter(|text| is_address(text) || is_picture(text));
        pictures.next().map(str::to_string)
    }

    fn configured(&self, id: &str, member: &str) -> Option<&str> {
        let own = self.entry(id)?.get("identity")?.get(member)?.as_str();
        own.map(str::trim).filter(|s| !s.is_empty())
    }

    /// Where a picture can be fetched: its own address, or ours for a file of the workspace. `None` for a file
    /// elsewhere and for what is no picture.
    fn avatar_url(&self, id: &str, avatar: &str) -> Option<String> {
        if is_address(avatar) {
            return Some(avatar.to_string());
        }
        let inside = is_file(avatar) && beneath::relative(&self.workspace(id), avatar).is_ok();
        let base = self.config.str("gateway.controlUi.basePath").unwrap_or_default().trim_matches('/');
        let base = if base.is_empty() { String::new() } else { format!("/{base}") };
        inside.then(|| format!("{base}/avatar/{id}"))
    }
}

fn is_address(avatar: &str) -> bool {
    let lower = avatar.to_ascii_lowercase();
    ["http://", "https://", "data:"].iter().any(|start| lower.starts_with(start))
}

/// Whether this means a file: it has a slash or ends like a picture's name.
fn is_file(avatar: &str) -> bool {
    !is_address(avatar) && (avatar.contains(['/', '\\']) || is_picture(avatar))
}

/// Whether it ends like a picture's name.
fn is_picture(avatar: &str) -> bool {
    let ends_so = |(_, end): (&str, &str)| PICTURES.contains(&end.to_ascii_lowercase().as_str());
    avatar.rsplit_once('.').is_some_and(ends_so)
}

/// The `- Name: value` lines of a file, names in lower case, the last line first: of two it counts. Empty when there is
/// nothing to read. A link is followed as
/// for the prompt, and none of the gateway's own files is read by another name.
pub fn read_identity(config: &Config, env: &Env, dir: &Path, name: &str) -> Vec<(String, String)> {
    let bytes = own::persona(config, env, dir, name, MAX_FILE).ok().flatten().unwrap_or_default();
    // A character cut in two at the end spoils its own line only.
    let text = String::from_utf8_lossy(&bytes);
    let pairs = text.lines().rev().filter_map(|line| line.trim().strip_prefix('-')?.split_once(':'));
    let clean = |text: &str| text.trim().trim_matches('*').trim().to_string();
    pairs
        .map(|(name, value)| (clean(name).to_lowercase(), clean(value)))
        .filter(|(_, value)| !value.is_empty() && !value.starts_with(['(', '_']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn pictures_are_named_by_address_and_never_lead_out_of_the_workspace() {
        let dir = Dir::new();
        let cases = [
            ("pics/me.png", Some("/ui/avatar/a"), "/ui/avatar/a"),
            ("me.webp", Some("/ui/avatar/a"), "/ui/avatar/a"),
            ("https://h/x.png", Some("https://h/x.png"), "https://h/x.png"),
            ("data:image/png;base64,AA", Some("data:image/png;base64,AA"), "data:image/png;base64,AA"),
            ("../x.png", None, "A"),
            ("/etc/passwd", None, "A"),
            ("🦀", None, "🦀"),
        ];
        for (avatar, url, shown) in cases {
            dir.write(
                "openclaw.json",
                &json!({
                    "gateway": {"controlUi": {"basePath": "/ui/"}},
                    "agents": {"list": [{"id": "a", "workspace": "/nowhere", "identity": {"name": "Zed", "avatar": avatar}}]},
                })
                .to_string(),
            );
            let mut env = dir.env(&[]);
            let config = Config::load(&mut env).unwrap();
            let agents = Agents::of(&config, &env);
            let row = agents.row("a");
            assert_eq!(row["identity"].get("avatarUrl").and_then(Value::as_str), url, "{avatar}");
            assert_eq!(
                (&row["identity"]["name"], &row["identity"]["avatar"]),
                (&json!("Zed"), &json!(avatar))
            );
            assert_eq!(agents.identity("a"), json!({"agentId": "a", "name": "Zed", "avatar": shown}));
        }
    }

    #[test]
    fn s_l13_an_identity_file_is_none_of_the_gateways_own_by_another_name() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{}");
        let mut env = dir.env(&[]);
        let config = Config::inspect(&mut env);
        let w = env.state_dir.join("workspace");
        let told = |name: &str| read_identity(&config, &env, &w, name);
        let named = |name: &str| [("name".to_string(), name.to_string())];
        std::fs::create_dir_all(env.state_dir.join("identity")).unwrap();
        std::fs::create_dir_all(&w).unwrap();
        std::fs::write(w.join("IDENTITY.md"), "# I\n\n- **Name:** Zed\n- Emoji: (one)\n- x\n").unwrap();
        assert_eq!(told("IDENTITY.md"), named("Zed"));
        let secret = env.state_dir.join("identity/secret");
        std::fs::write(&secret, "- Name: leaked\n").unwrap();
        std::os::unix::fs::symlink(&secret, w.join("LINK.md")).unwrap();
        std::fs::hard_link(&secret, w.join("HARD.md")).unwrap();
        assert!(told("LINK.md").is_empty() && told("HARD.md").is_empty());
        std::fs::write(w.join("ada.md"), "- Name: Ada\n").unwrap();
        std::os::unix::fs::symlink(w.join("ada.md"), w.join("MINE.md")).unwrap();
        assert_eq!(told("MINE.md"), named("Ada"), "a text that the owner linked, as in the prompt");
    }
}
