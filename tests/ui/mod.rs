//! Issue 12, sentence 4: the control page in a real browser.
//!
//! A short round of flows runs with every test; `make test-ui` runs all (`OPENCLAW_UI=all`) and measures. Pictures of what
//! was seen are kept below the target directory (`tmp/ui/`). Where there is no Chromium that is said, and nothing is tried.
mod chat;
mod connect;
mod kept;
mod look;
mod markdown;
mod mends;
mod original;
mod pages;

use crate::harness::browser::{self, Browser, Page};
use crate::harness::*;

/// A gateway whose model answers in this way, and a browser that is connected to it.
pub struct World {
    pub page: Page,
    pub gateway: Gateway,
    pub model: ModelServer,
    _browser: Browser,
}

/// Whether a flow is to be tried: the short round's always, the others when all are wanted.
#[expect(clippy::disallowed_methods, reason = "how the test that starts it says what to do")]
pub fn is_wanted(is_short: bool) -> bool {
    let wanted = is_short || std::env::var("OPENCLAW_UI").is_ok_and(|what| what == "all");
    if wanted && browser::program().is_none() {
        eprintln!(
            "\nNOT TESTED: the control page, for there is no Chromium here (apt-get install chromium)\n"
        );
        return false;
    }
    wanted
}

impl World {
    pub fn new(replies: Vec<model::Reply>, config: Value) -> World {
        let mut world = World::apart(replies, config);
        world.page.open(&format!("{}#token={TOKEN}", world.url()));
        world.connected();
        world
    }

    /// The same before anything was opened.
    pub fn apart(replies: Vec<model::Reply>, config: Value) -> World {
        let model = ModelServer::start(replies);
        let mut all = model.config();
        all["models"]["providers"]["test"]["models"][0]["input"] = json!(["text", "image"]);
        all["models"]["providers"]["test"]["models"][0]["cost"] = json!({"input": 1, "output": 5});
        merge(&mut all, &config);
        let gateway = Gateway::start(&Setup::config(all));
        let browser = Browser::start(&[]);
        World { page: browser.page(), gateway, model, _browser: browser }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.gateway.port)
    }

    pub fn connected(&mut self) {
        self.page.wait("document.getElementById('link').textContent.startsWith('Connected')");
    }

    pub fn go(&mut self, page: &str) {
        self.page.eval(&format!("location.hash = {}", json!(format!("/{page}"))));
    }

    /// Writes a message and sends it.
    pub fn say(&mut self, text: &str) {
        self.page.click(".composer textarea");
        self.page.typed(text);
        self.page.key("Enter");
    }

    /// Nothing went wrong in the page that no check looked for.
    pub fn quiet(&mut self) {
        self.page.eval("1");
        assert!(self.page.noise.is_empty(), "{:#?}", self.page.noise);
    }
}

/// What an axe would say: names of all that can be used, one heading, landmarks, ids that are one element's, contrast of
/// all text that is seen.
pub fn is_accessible(page: &mut Page, place: &str) {
    const USED: [&str; 8] =
        ["button", "link", "textbox", "searchbox", "combobox", "checkbox", "tab", "option"];
    let spoken = page.spoken();
    let nameless: Vec<_> =
        spoken.iter().filter(|(role, name)| USED.contains(&role.as_str()) && name.is_empty()).collect();
    assert!(nameless.is_empty(), "{place}: without a name: {nameless:?}");
    for role in ["main", "heading"] {
        assert!(spoken.iter().any(|(known, _)| known == role), "{place}: no {role}");
    }
    let wrong = page.eval(CHECK);
    assert_eq!(wrong, json!([]), "{place}");
}

/// Elements whose text is too faint against what is behind it (WCAG 2.2 AA), repeated ids, pictures without words.
const CHECK: &str = r#"(() => {
  const wrong = [];
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((i) => i === id).length > 1) wrong.push(`id ${id} twice`);
  for (const img of document.images) if (!img.hasAttribute('alt')) wrong.push(`no alt: ${img.src.slice(0, 60)}`);
  if (document.querySelectorAll('h1').length !== 1) wrong.push(`${document.querySelectorAll('h1').length} h1`);
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => {
    const layers = [];
    for (let n = e; n; n = n.parentElement) { const c = rgba(getComputedStyle(n).backgroundColor); if (c[3]) layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.checkVisibility({ visibilityProperty: true }) || e.closest('.unseen, option, svg, :disabled')) continue;
    const style = getComputedStyle(e);
    const ground = behind(e);
    const [a, b] = [light(over(rgba(style.color), ground)), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)}: ${e.className || e.tagName} "${node.textContent.trim().slice(0, 40)}"`);
  }
  return [...new Set(wrong)];
})()"#;
