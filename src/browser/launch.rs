//! Starting a browser, or finding the one that runs elsewhere: flags, the profile's lock, what a dead one has left, and the
//! wait until its debugger listens. On the browser's own thread.
use super::cdp::{Cdp, none};
use super::finding;
use super::gate::Gate;
use super::life::Run;
use super::profiles::{self, Profile};
use super::world::Browser;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::files::Lock;
use crate::json::json;
use crate::parts::Parts;
use crate::processes::group::{self, Group};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A slow machine takes its time for the first start.
const START: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(30);
const MAX_WORDS: usize = 8 << 10;
/// What a browser is told of this process's surroundings: where its own things lie and its windows open, and no secret.
const VARIABLES: &[&str] = &[
    "HOME",
    "PATH",
    "LANG",
    "LC_ALL",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "DBUS_SESSION_BUS_ADDRESS",
    "FONTCONFIG_PATH",
    "FONTCONFIG_FILE",
];
const ROOT: &str = "openclaw config set browser.noSandbox true (the browser then runs without its own walls; better is another user)";

/// What is started.
pub struct Plan {
    pub profile: Profile,
    /// The program; none for a browser that runs already.
    pub program: Option<PathBuf>,
    pub is_headless: bool,
    pub no_sandbox: bool,
    pub remote_time: Duration,
    /// Where downloads land.
    pub media: PathBuf,
    pub variables: Vec<(String, String)>,
}

impl Plan {
    pub fn of(config: &Config, env: &Env, profile: &Profile) -> Result<Plan> {
        let is_attached = config.bool("browser.attachOnly") || profile.remote.is_some();
        let program = match is_attached {
            true => None,
            false => Some(finding::find(config, env)?.path),
        };
        let no_sandbox = config.bool("browser.noSandbox");
        if program.is_some() && !no_sandbox && rustix::process::geteuid().is_root() {
            return Err(
                Error::unavailable("a browser does not start as root within its sandbox").advising(ROOT)
            );
        }
        let variables =
            VARIABLES.iter().filter_map(|name| Some((name.to_string(), env.var(name)?.to_string())));
        Ok(Plan {
            profile: profile.clone(),
            program,
            is_headless: is_headless(config, env),
            no_sandbox,
            remote_time: Duration::from_millis(
                config.u64("browser.remoteCdpTimeoutMs").unwrap_or(1500).clamp(100, 60_000),
            ),
            media: super::media_dir(env),
            variables: variables.collect(),
        })
    }
}

/// As configured; where there is no screen there is no choice.
pub fn is_headless(config: &Config, env: &Env) -> bool {
    let has_screen =
        env.var("DISPLAY").or_else(|| env.var("WAYLAND_DISPLAY")).is_some_and(|it| !it.is_empty());
    config.bool("browser.headless") || !has_screen
}

pub fn start(plan: &Plan, is_over: &dyn Fn() -> bool) -> Result<Run> {
    match &plan.program {
        Some(program) => begin(plan, program, is_over),
        None => super::attach::attach(plan),
    }
}

fn begin(plan: &Plan, program: &Path, is_over: &dyn Fn() -> bool) -> Result<Run> {
    let profile = &plan.profile;
    files::private_dir(&profile.user_data())?;
    let lock = Lock::try_now(&profile.dir.join("lock"))?.ok_or_else(|| {
        Error::unavailable(format!(
            "profile {:?} is in use by another gateway; stop it, or use another profile",
            profile.name
        ))
    })?;
    clear(profile);
    profiles::keep_port(profile)?;
    check_port(profile)?;
    files::private_dir(&plan.media)?;
    let gate = Gate::open()?;
    let mut group = Group::start(command(plan, program, gate.port))?;
    // Without it the next start would not find what a kill has left.
    files::write_atomic(&profile.dir.join("mark"), group.name.as_bytes())?;
    let mut stderr = group.stderr();
    let path = listening(plan, &mut group, stderr.as_mut(), is_over)?;
    let until = Instant::now() + Duration::from_secs(10);
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, profile.port))
        .map_err(|e| Error::unavailable(format!("connect to the browser at port {}: {e}", profile.port)))?;
    let (cdp, reader) = Cdp::open(stream, &format!("127.0.0.1:{}", profile.port), &path, until)?;
    let pid = group.pid();
    let about = format!("{} (pid {pid}) runs, debugger on port {}", program.display(), profile.port);
    let browser = Arc::new(Browser::new(cdp, Some(pid), Some(plan.media.clone())));
    gate.give(&browser);
    set_up(&browser);
    Ok(Run { browser, reader, stderr, about, _gate: Some(gate), _group: Some(group), _lock: Some(lock) })
}

/// What a browser of an earlier process has left: itself, if it still runs, and its locks, which would keep the next one from
/// this profile.
fn clear(profile: &Profile) {
    if let Ok(name) = files::read_text(&profile.dir.join("mark")) {
        group::sweep(name.trim());
    }
    for name in ["SingletonLock", "SingletonSocket", "SingletonCookie"] {
        // There may be none.
        let _ = std::fs::remove_file(profile.user_data().join(name));
    }
}

fn check_port(profile: &Profile) -> Result<()> {
    if profile.port == 0 {
        return Err(Error::unavailable(
            "no available CDP ports in range: name one in browser.profiles.<name>.cdpPort",
        ));
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, profile.port)).map(drop).map_err(|_| {
        let owner = crate::owners::owner_of(profile.port)
            .map_or(String::new(), |(pid, name)| format!(" (pid {pid}, {name})"));
        Error::unavailable(format!(
            "Port {} is already in use{owner}: end that, or set browser.profiles.{}.cdpPort",
            profile.port, profile.name
        ))
    })
}

fn command(plan: &Plan, program: &Path, gate: u16) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(plan.variables.iter().map(|(name, value)| (name, value))).current_dir("/");
    command.arg(format!("--remote-debugging-port={}", plan.profile.port));
    command.arg(format!("--user-data-dir={}", plan.profile.user_data().display()));
    command.args([
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-features=Translate,MediaRouter",
        "--disable-session-crashed-bubble",
        "--hide-crash-restore-bubble",
        "--password-store=basic",
        "--disable-dev-shm-usage",
        "--disable-breakpad",
        // Everything goes by the gate, loopback too, and what cannot go by it does not go out.
        "--proxy-bypass-list=<-loopback>",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    ]);
    command.arg(format!("--proxy-server=socks5://127.0.0.1:{gate}"));
    if plan.is_headless {
        command.args(["--headless=new", "--disable-gpu"]);
    }
    if plan.no_sandbox {
        command.arg("--no-sandbox");
    }
    command.arg("about:blank");
    command
}

/// Waits until the debugger listens: the path of its socket, which it says to nobody else.
fn listening(
    plan: &Plan,
    group: &mut Group,
    mut stderr: Option<&mut ChildStderr>,
    is_over: &dyn Fn() -> bool,
) -> Result<String> {
    let profile = &plan.profile;
    let until = Instant::now() + START;
    let mut said = Vec::new();
    loop {
        if let Some(path) = told_path(&String::from_utf8_lossy(&said)) {
            return Ok(path);
        }
        let words = |said: &[u8]| last_words(&String::from_utf8_lossy(said));
        if let Some(status) = group.end() {
            hear(stderr, &mut said);
            let text = format!("the browser ended at its start ({status}){}", words(&said));
            return Err(Error::unavailable(text));
        }
        if Instant::now() >= until || is_over() {
            let text = format!(
                "Failed to start Chrome CDP on port {} for profile {:?}{}",
                profile.port,
                profile.name,
                words(&said)
            );
            return Err(Error::unavailable(text));
        }
        if let Some(stderr) = stderr.as_deref_mut() {
            let ready = {
                let mut fds = [rustix::event::PollFd::new(&*stderr, rustix::event::PollFlags::IN)];
                crate::sys::poll(&mut fds, Some(LOOK)).is_ok_and(|n| n > 0)
            };
            if ready {
                hear(Some(stderr), &mut said);
                // At its end it is ready always.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The path in `DevTools listening on ws://127.0.0.1:18800/devtools/browser/...`, once the line is whole.
fn told_path(said: &str) -> Option<String> {
    let rest = said.split_once("DevTools listening on ws://")?.1;
    let (address, _) = rest.split_once('\n')?;
    address.find('/').map(|at| address.tail(at).trim().to_string())
}

fn hear(stderr: Option<&mut ChildStderr>, said: &mut Vec<u8>) {
    let mut piece = [0; 4096];
    if let Some(n) = stderr.and_then(|stderr| stderr.read(&mut piece).ok()) {
        said.extend_from_slice(crate::parts::first(&piece, n));
        let over = said.len().saturating_sub(MAX_WORDS);
        said.drain(..over);
    }
}

/// What it said at last that helps, for an error.
fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let told = lines
        .iter()
        .rev()
        .find(|line| line.contains("sandbox") || line.contains("ERROR") || line.contains("FATAL"));
    match told.or(lines.last()) {
        Some(line) if line.contains("No usable sandbox") || line.contains("no-sandbox") => {
            format!(": it finds no sandbox that it may use\nFix: {ROOT}")
        }
        Some(line) => format!(": {}", crate::parts::shortened(&crate::clean::one_line(line), 300)),
        None => String::new(),
    }
}

/// What is wanted of the browser from its first moment: each page tells of itself before it does anything.
pub fn set_up(browser: &Browser) {
    browser.cdp.tell("", "Target.setAutoAttach", super::events::follow());
    if let Some(dir) = &browser.downloads {
        let params =
            json!({"behavior": "allowAndName", "downloadPath": dir.to_string_lossy(), "eventsEnabled": true});
        browser.cdp.tell("", "Browser.setDownloadBehavior", params);
    }
    browser.cdp.tell("", "Browser.getVersion", none());
}
