//! What is asked of a browser: the table of routes, and what each has to know. The routes and their shapes are those of the
//! original's control service.
use super::cdp::{Cdp, Wait};
use super::launch::Plan;
use super::life;
use super::policy::Policy;
use super::profiles::{self, Profile};
use super::world::{Browser, Page};
use super::{act, dialogs, downloads, evidence, leading, pictures, snapshot, status, stored, tabs};
use crate::cancel::Cancel;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One request to the control service.
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a Value,
    pub body: &'a Value,
    pub until: Instant,
    pub cancel: &'a Cancel,
    /// Whether code may be run in pages, as far as the configuration lets it.
    pub may_evaluate: bool,
}

/// The same as its handler sees it.
pub struct Ctx<'a> {
    pub config: &'a Config,
    pub env: &'a Env,
    pub profile: Profile,
    /// What stands in the path in place of `*`.
    pub rest: &'a str,
    asked: &'a Asked<'a>,
}

type Handler = fn(&Ctx) -> Result<Value>;

/// Method, path, where `*` is any last part, handler.
const ROUTES: &[(&str, &str, Handler)] = &[
    ("GET", "/", status::status),
    ("GET", "/profiles", status::profiles),
    ("POST", "/start", status::start),
    ("POST", "/stop", status::stop),
    ("POST", "/reset-profile", status::reset),
    ("GET", "/tabs", tabs::list),
    ("POST", "/tabs/open", tabs::open),
    ("POST", "/tabs/focus", tabs::focus),
    ("POST", "/tabs/action", tabs::action),
    ("DELETE", "/tabs/*", tabs::close),
    ("POST", "/navigate", leading::navigate),
    ("GET", "/snapshot", snapshot::snapshot),
    ("POST", "/act", act::act),
    ("POST", "/screenshot", pictures::screenshot),
    ("POST", "/pdf", pictures::pdf),
    ("POST", "/highlight", pictures::highlight),
    ("POST", "/hooks/dialog", dialogs::arm),
    ("POST", "/hooks/file-chooser", dialogs::files),
    ("GET", "/dialogs", dialogs::list),
    ("POST", "/download", downloads::download),
    ("POST", "/wait/download", downloads::wait),
    ("GET", "/console", evidence::console),
    ("GET", "/errors", evidence::errors),
    ("GET", "/requests", evidence::requests),
    ("POST", "/response/body", evidence::response_body),
    ("GET", "/cookies", stored::cookies),
    ("POST", "/cookies/set", stored::set_cookie),
    ("POST", "/cookies/clear", stored::clear_cookies),
    ("GET", "/storage/*", stored::storage),
    ("POST", "/storage/*", stored::change_storage),
    ("POST", "/set/*", stored::set),
];

/// Does what is asked, and says what came of it. `Kind` tells what a status of HTTP would.
pub fn ask(config: &Config, env: &Env, asked: &Asked) -> Result<Value> {
    if !super::is_on(config) {
        return Err(Error::unavailable("browser control is disabled")
            .advising("openclaw config set browser.enabled true"));
    }
    let path = asked.path.trim_end_matches('/');
    let path = if path.is_empty() { "/" } else { path };
    let found = ROUTES.iter().find_map(|(method, pattern, handler)| {
        let rest = match pattern.strip_suffix('*') {
            Some(start) => path.strip_prefix(start).filter(|rest| !rest.is_empty())?,
            None => (*pattern == path).then_some("")?,
        };
        (*method == asked.method).then_some((rest, handler))
    });
    let Some((rest, handler)) = found else {
        let unsupported =
            ["/trace", "/screencast", "/permissions"].iter().any(|start| path.starts_with(start));
        let text = if unsupported {
            format!("not supported: {}", path.trim_start_matches('/'))
        } else {
            "Not Found".to_string()
        };
        return Err(Error::not_found(text));
    };
    let named = asked.query.get("profile").or_else(|| asked.body.get("profile")).and_then(Value::as_str);
    let profile = profiles::find(config, env, named)?;
    handler(&Ctx { config, env, profile, rest, asked })
}

impl Ctx<'_> {
    /// A member of the body, else of the query, whose values may be texts.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = self.asked.body.get(name).or_else(|| self.asked.query.get(name));
        found.filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn need(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| Error::invalid(format!("{name} is required")))
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|n| n.is_finite())
    }

    pub fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(is) => Some(*is),
            Value::Number(n) => Some(n.as_f64() != Some(0.0)),
            Value::String(text) => Some(matches!(text.trim(), "true" | "1" | "yes")),
            _ => None,
        }
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let one = self.text(name).map(str::to_string);
        let many = self.get(name).and_then(Value::as_array);
        one.into_iter()
            .chain(many.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string)))
            .collect()
    }

    /// Until when this may take: as long as is asked for, at most `most`, and not longer than whoever asks waits.
    pub fn within(&self, usual_ms: u64, most_ms: u64) -> Wait {
        let asked = self.number("timeoutMs").map(|ms| ms.clamp(500.0, most_ms as f64) as u64);
        let time = Duration::from_millis(asked.unwrap_or(usual_ms));
        Wait { until: self.asked.until.min(Instant::now() + time), cancel: self.asked.cancel.clone() }
    }

    /// As long as whoever asks waits.
    pub fn whole(&self) -> Wait {
        Wait { until: self.asked.until, cancel: self.asked.cancel.clone() }
    }

    pub fn may_evaluate(&self) -> Result<()> {
        if !self.config.bool("browser.evaluateEnabled") {
            return Err(Error::new(
                Kind::Forbidden,
                "running code in pages is switched off (browser.evaluateEnabled)",
            ));
        }
        match self.asked.may_evaluate {
            true => Ok(()),
            false => Err(Error::new(Kind::Forbidden, "code is run in pages for the owner alone")),
        }
    }

    pub fn life(&self) -> Arc<life::Life> {
        life::of(&self.profile.name)
    }

    /// The browser, if it runs.
    pub fn running(&self) -> Option<Arc<Browser>> {
        self.life().running().inspect(|browser| self.use_it(browser))
    }

    pub fn need_running(&self) -> Result<Arc<Browser>> {
        self.running().ok_or_else(|| Error::new(Kind::Conflict, "browser not running"))
    }

    /// The browser, started if it does not run.
    pub fn ensure(&self) -> Result<Arc<Browser>> {
        let plan = || Plan::of(self.config, self.env, &self.profile);
        let browser = self.life().ensure(plan, &self.whole())?;
        self.use_it(&browser);
        Ok(browser)
    }

    fn use_it(&self, browser: &Browser) {
        let mut world = browser.world();
        world.policy = Some(Policy::of(self.config));
        world.used = Some(Instant::now());
    }

    /// The page that is meant: browser, target, session.
    pub fn page(&self) -> Result<(Arc<Browser>, String, String)> {
        let browser = self.ensure()?;
        let wait = self.within(10_000, 10_000);
        let target = match self.text("targetId") {
            Some(named) => tabs::named(&browser, named)?,
            None => tabs::latest(&browser, &wait)?,
        };
        let session = tabs::touch(&browser, &target)?;
        Ok((browser, target, session))
    }

    /// What is told of a page out of what is known already.
    pub fn of_page(&self, tell: impl FnOnce(&mut Page) -> Value) -> Result<Value> {
        let (browser, target, _) = self.page()?;
        let mut world = browser.world();
        let told = tell(world.page(&target).ok_or_else(tabs::missing)?);
        Ok(done(&target, told))
    }
}

/// A command to the page, whose result is of no matter.
pub fn order(cdp: &Cdp, session: &str, method: &str, params: Value, wait: &Wait) -> Result<()> {
    cdp.call_raw(session, method, params, wait).map(drop)
}

/// `{ok, targetId}` and what else there is to say.
pub fn done(target: &str, more: Value) -> Value {
    let mut said = json!({"ok": true, "targetId": target});
    if let (Some(said), Value::Object(more)) = (said.as_object_mut(), more) {
        more.into_iter().for_each(|(name, value)| said.put(&name, value));
    }
    said
}
