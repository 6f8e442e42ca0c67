//! Pictures and files of a request: as data URLs, or by addresses that are fetched as an agent's tools fetch (SEC-30),
//! within the bounds of the endpoint's section. What can be neither shown nor read is refused, never left out.
//!
//! Runs on the connection's own thread, which waits for what it fetches. Base64 is judged by its length before it is
//! decoded (SEC-23).
use super::{Judged, wrong};
use crate::cancel::Cancel;
use crate::config::Config;
use crate::device::encoding::from_base64;
use crate::fetch::outbound::{self, Rules};
use crate::sessions::attachments::Attachments;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Most of a request, and their bytes together.
const MOST: usize = 16;
const MOST_BYTES: usize = 20_000_000;

/// Where one is.
pub enum Source<'a> {
    /// A data URL, or an address.
    Url(&'a str),
    Base64 {
        mime: &'a str,
        data: &'a str,
    },
}

pub struct Files {
    config: Config,
    section: &'static str,
    count: usize,
    bytes: usize,
}

impl Files {
    pub fn new(config: Config, section: &'static str) -> Files {
        Files { config, section, count: 0, bytes: 0 }
    }

    /// One more picture.
    pub fn picture(&mut self, source: &Source, param: &str, to: &mut Attachments) -> Judged<()> {
        let before = to.images.len();
        self.add("images", "", source, param, to)?;
        let Some(image) = to.images.get(before) else {
            return Err(wrong("this is no picture: PNG, JPEG, GIF and WebP are taken", param));
        };
        let allowed = self.config.strings(&self.key("images", "allowedMimes"));
        let mime = image.get("mimeType").and_then(Value::as_str).unwrap_or_default();
        match allowed.is_empty() || allowed.contains(&mime) {
            true => Ok(()),
            false => Err(wrong(format!("{mime} is not among {}", self.key("images", "allowedMimes")), param)),
        }
    }

    /// One more file: a picture, or text.
    pub fn file(&mut self, name: &str, source: &Source, param: &str, to: &mut Attachments) -> Judged<()> {
        self.add("files", name, source, param, to)
    }

    fn add(
        &mut self,
        kind: &str,
        name: &str,
        source: &Source,
        param: &str,
        to: &mut Attachments,
    ) -> Judged<()> {
        self.count += 1;
        if self.count > MOST {
            return Err(wrong(format!("at most {MOST} pictures and files are taken at a time"), param));
        }
        let most = self.number(kind, "maxBytes", 5 << 20);
        let (mime, bytes) = match source {
            Source::Base64 { mime, data } => (mime.to_string(), decode(data, most, param)?),
            Source::Url(url) => match url.trim().strip_prefix("data:") {
                Some(data) => {
                    let (mime, data) = data.split_once(";base64,").ok_or_else(|| {
                        wrong("a data URL must be of the form data:<type>;base64,<data>", param)
                    })?;
                    (mime.to_string(), decode(data, most, param)?)
                }
                None => self.fetch(kind, url.trim(), most, param)?,
            },
        };
        self.bytes += bytes.len();
        if self.bytes > MOST_BYTES {
            return Err(wrong(
                format!("pictures and files are larger than {MOST_BYTES} bytes together"),
                param,
            ));
        }
        let label: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let label = if label.is_empty() { "file".to_string() } else { label };
        to.add(&label, &mime, bytes).map_err(|what| wrong(format!("{label}: {what}"), param))
    }

    fn fetch(&self, kind: &str, url: &str, most: usize, param: &str) -> Judged<(String, Vec<u8>)> {
        if !self.config.bool(&self.key(kind, "allowUrl")) {
            let text =
                format!("files are taken as data URLs only here; {} is off", self.key(kind, "allowUrl"));
            return Err(wrong(text, param));
        }
        let time = Duration::from_millis(self.number(kind, "timeoutMs", 10_000) as u64);
        let hosts = self.config.strings("tools.web.fetch.allowHosts").into_iter().map(str::to_string);
        let rules = Rules {
            allow_hosts: hosts.collect(),
            max_redirects: self.number(kind, "maxRedirects", 3).min(20),
            max_bytes: most,
            time,
            user_agent: None,
        };
        let fetched = outbound::get(url, &rules, &Cancel::with_deadline(Instant::now() + time))
            .map_err(|e| wrong(e.message(), param))?;
        if !(200..300).contains(&fetched.status) {
            return Err(wrong(format!("the address answered HTTP {}", fetched.status), param));
        }
        if fetched.is_cut {
            return Err(wrong(format!("what is at the address is larger than {most} bytes"), param));
        }
        Ok((fetched.content_type, fetched.body))
    }

    fn key(&self, kind: &str, name: &str) -> String {
        format!("gateway.http.endpoints.{}.{kind}.{name}", self.section)
    }

    fn number(&self, kind: &str, name: &str, usual: usize) -> usize {
        self.config.u64(&self.key(kind, name)).map_or(usual, |n| n as usize)
    }
}

fn decode(data: &str, most: usize, param: &str) -> Judged<Vec<u8>> {
    if data.len() / 4 * 3 > most.saturating_add(3) {
        return Err(wrong(format!("this is larger than {most} bytes"), param));
    }
    let bytes = from_base64(data.trim()).filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| wrong("this is no base64", param))
}
