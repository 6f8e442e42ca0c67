//! Issue 12, sentence 5: the original's own control pages, served by `gateway.controlUi.root`. `make test-ui-original`
//! fetches them from the registry; `OPENCLAW_UI_ORIGINAL` names a folder with one for each release: `2026.2.9/ui`.
//!
//! Each tab is opened: no banner of an error, no call that fails, nothing thrown. Then a word is said and answered, and the
//! sessions, the configuration and the log are looked at.
use super::*;
use std::path::{Path, PathBuf};

/// A release, how its page is told the token, and its tabs with words that each shows.
type Release = (&'static str, char, &'static [(&'static str, &'static str)]);

const RELEASES: [Release; 2] = [
    (
        "2026.2.9",
        '?',
        &[
            ("/overview", "Uptime"),
            ("/channels", "Channel"),
            ("/instances", "Instances"),
            ("/sessions", "agent:main:main"),
            ("/usage", "Usage"),
            ("/cron", "Cron"),
            ("/agents", "Workspace"),
            ("/skills", "Skills"),
            ("/nodes", "Devices"),
            ("/config", "Settings"),
            ("/debug", "Snapshots"),
            ("/logs", "gateway"),
            ("/chat", "said by the model"),
        ],
    ),
    (
        "2026.9.6",
        '#',
        &[
            ("/agents", "Agents"),
            ("/sessions", "Sessions"),
            ("/systems", "Systems"),
            ("/automations", "Automations"),
            ("/tasks", "Tasks"),
            ("/usage", "Usage"),
            ("/skills", "Skills"),
            ("/plugins", "Plugins"),
            ("/logs", "gateway"),
            ("/debug", "Debug"),
            ("/activity", "Activity"),
            ("/worktrees", "Worktrees"),
            ("/settings/general", "Settings"),
            ("/settings/appearance", "Appearance"),
            ("/settings/agents", "Settings"),
            ("/settings/profile", "Settings"),
            ("/settings/channels", "Channels"),
            ("/settings/devices", "Devices"),
            ("/settings/approvals", "Approvals"),
            ("/settings/memory", "Memory"),
            ("/settings/search", "no service is configured"),
            ("/settings/connection", "Connection"),
            ("/settings/updates", "Updates"),
            ("/chat/main", "said by the model"),
        ],
    ),
];

/// Notes what the page asks for and is refused.
const LISTEN: &str = "window.refused = []; window.WebSocket = class extends WebSocket { \
    constructor(...all) { super(...all); const asked = {}; const send = this.send.bind(this); \
        this.send = (text) => { try { const f = JSON.parse(text); asked[f.id] = f.method } catch {} send(text) }; \
        this.addEventListener('message', (event) => { try { const f = JSON.parse(event.data); \
            if (f.type === 'res' && !f.ok) window.refused.push(`${asked[f.id]}: ${f.error.message}`) } catch {} }) } };";

/// The banners of errors that a page shows, in shadow trees too. That a form cannot show a field is none, and
/// that there is no scheduler is true.
const BANNERS: &str = "(() => { const found = []; const walk = (root) => { for (const e of root.querySelectorAll('*')) { \
    if (e.shadowRoot) walk(e.shadowRoot); const name = typeof e.className === 'string' ? e.className : ''; \
    const is = /(callout|pill|status|banner)\\S*[- ]+\\S*(danger|error)|banner-error|callout--error|error-banner|hero-error/.test(name) || e.getAttribute('role') === 'alert'; \
    if (is && e.getClientRects().length && e.innerText.trim()) found.push(`${name}: ${e.innerText.trim()}`) } }; \
    walk(document); return found.filter((text) => !/Use Raw|Scheduler disabled/.test(text)) })()";

/// All that a page shows, in shadow trees too.
const TEXT: &str = "(() => { const walk = (root) => [...root.querySelectorAll('*')].map((e) => e.shadowRoot ? walk(e.shadowRoot) : '').join(' ') + (root.body ?? root).textContent; return walk(document) + document.body.innerText })()";

#[test]
fn i12_5_every_tab_of_the_originals_pages_opens() {
    let Some(pages) = folder() else { return };
    for (release, sign, tabs) in RELEASES {
        let root = pages.join(release).join("ui");
        assert!(root.join("index.html").is_file(), "{} is not there", root.display());
        let mut world = World::apart(
            vec![model::texts(&["said by ", "the model"])],
            json!({"gateway": {"controlUi": {"root": root}}}),
        );
        world.page.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": LISTEN}));
        world.page.open(&format!("{}{sign}token={TOKEN}", world.url()));
        world.page.wait("document.querySelector('textarea') && !document.querySelector('textarea').disabled");
        world.page.eval("document.querySelector('textarea').focus()");
        world.page.typed("hello");
        world.page.key("Enter");
        world.page.wait(&format!("{TEXT}.includes('said by the model')"));
        std::thread::sleep(Duration::from_millis(1500));
        let shown = world.page.eval(&format!("({TEXT}.split('\\nhello\\n').length - 1)"));
        assert_eq!(shown, json!(1), "{release}: what was said is shown once");
        let mut wrong = Vec::new();
        for (path, words) in tabs {
            world.page.eval(&format!(
                "(history.pushState({{}}, '', '{path}'), dispatchEvent(new PopStateEvent('popstate')))"
            ));
            let since = Instant::now();
            let mut seen = String::new();
            while since.elapsed() < DEADLINE && !seen.contains(words) {
                std::thread::sleep(Duration::from_millis(200));
                seen = world.page.eval(TEXT).as_str().unwrap_or_default().to_string();
            }
            if !seen.contains(words) {
                wrong.push(format!("{path}: it does not say {words:?}"));
            }
            // What it asks for is answered by now, as everything is here.
            std::thread::sleep(Duration::from_millis(700));
            wrong.extend(list(world.page.eval(BANNERS)).map(|banner| format!("{path}: {banner}")));
            wrong.extend(
                list(world.page.eval("window.refused.splice(0)")).map(|one| format!("{path}: {one}")),
            );
            wrong.extend(
                world
                    .page
                    .noise
                    .drain(..)
                    .filter(|one| !is_from_elsewhere(one))
                    .map(|one| format!("{path}: {one}")),
            );
            world.page.picture(&format!("original-{release}{}", path.replace('/', "-")));
            eprintln!("{release} {path}: opened");
        }
        assert!(wrong.is_empty(), "{release}:\n{}", wrong.join("\n"));
    }
}

/// Fonts of another host, which tests do not reach.
fn is_from_elsewhere(noise: &str) -> bool {
    noise.contains("fonts.googleapis.com")
}

fn list(value: Value) -> impl Iterator<Item = String> {
    let texts = value.as_array().cloned().unwrap_or_default();
    texts.into_iter().filter_map(|text| text.as_str().map(str::to_string))
}

/// Where the pages are, if they are to be tried.
#[expect(clippy::disallowed_methods, reason = "how the test that starts it says where they are")]
fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("OPENCLAW_UI_ORIGINAL")?;
    if browser::program().is_none() {
        eprintln!(
            "\nNOT TESTED: the original's pages, for there is no Chromium here (apt-get install chromium)\n"
        );
        return None;
    }
    Some(Path::new(&named).to_path_buf())
}
