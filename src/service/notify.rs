//! What the gateway tells the service manager of itself: ready, stopping, still alive (`sd_notify`).
//!
//! Datagrams to the socket that `NOTIFY_SOCKET` names; nothing at all without it. Sending never waits, so any
//! thread may. `watch` runs the thread `gw-watchdog`; it asks what it is given to ask and decides nothing else.
use crate::env::Env;
use crate::error::Result;
use crate::threads;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

const STACK: usize = 64 << 10;

/// The port is bound and clients are served.
pub fn ready(env: &Env) {
    send(env, "READY=1\nSTATUS=serving clients\n");
}

/// The stop has begun.
pub fn stopping(env: &Env) {
    send(env, "STOPPING=1\nSTATUS=stopping\n");
}

/// How often the manager wants to hear `alive`, if it does: this process would be restarted after twice as long.
pub fn watchdog_interval(env: &Env) -> Option<Duration> {
    let wanted = env.var("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    let micros: u64 = env.var("WATCHDOG_USEC").filter(|_| wanted)?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros / 2))
}

/// Ends the watch when dropped.
#[derive(Debug)]
pub struct Watch {
    _end: Option<Sender<()>>,
}

/// Tells the manager that the gateway is alive for as long as `is_alive` says so in time (R-15e). It may take as
/// long as it likes: a gateway that does not answer is one that is restarted.
pub fn watch(env: &Env, is_alive: impl Fn() -> bool + Send + 'static) -> Result<Watch> {
    let Some(interval) = watchdog_interval(env) else { return Ok(Watch { _end: None }) };
    let env = env.clone();
    let (end, ended) = bounded::<()>(1);
    let work = move || {
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(interval) {
            if is_alive() {
                send(&env, "WATCHDOG=1\n");
            }
        }
    };
    let died = |what| log::error!(target: "gateway", "the watchdog ended by a defect: {what}; the service manager will restart the gateway");
    threads::spawn("gw-watchdog", STACK, work, died)?;
    Ok(Watch { _end: Some(end) })
}

fn send(env: &Env, text: &str) {
    let Some(name) = env.var("NOTIFY_SOCKET") else { return };
    if let Err(e) = try_send(name, text) {
        crate::logging::debug!(target: "gateway", "could not tell the service manager: {e}");
    }
}

fn try_send(name: &str, text: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name.as_bytes())?
        }
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = [("HOME", "/h")].iter().chain(vars).map(|(k, v)| (k.to_string(), v.to_string()));
        Env::from_vars(vars, None).unwrap()
    }

    #[test]
    fn r_15e_the_manager_hears_of_a_gateway_that_lives() {
        let path = std::env::temp_dir().join(format!("notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let heard = || {
            let mut bytes = [0; 100];
            let count = socket.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        let env = env(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")]);
        ready(&env);
        assert!(heard().starts_with("READY=1\n"));
        stopping(&env);
        assert!(heard().starts_with("STOPPING=1\n"));
        let lives = Arc::new(AtomicBool::new(true));
        let asked = lives.clone();
        let watch = watch(&env, move || asked.load(Ordering::Relaxed)).unwrap();
        assert_eq!(heard(), "WATCHDOG=1\n");
        lives.store(false, Ordering::Relaxed);
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut bytes = [0; 100];
        // What was on its way may still come; then there is silence.
        while socket.recv(&mut bytes).is_ok() {}
        assert!(socket.recv(&mut bytes).is_err());
        drop(watch);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_interval_is_half_of_what_is_allowed_and_for_this_process_only() {
        let own = std::process::id().to_string();
        for (usec, pid, want) in [
            ("60000000", own.as_str(), Some(30)),
            ("60000000", "", Some(30)),
            ("60000000", "1", None),
            ("0", "", None),
            ("x", "", None),
        ] {
            let interval = watchdog_interval(&env(&[("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)]));
            assert_eq!(interval, want.map(Duration::from_secs), "{usec} {pid}");
        }
        assert_eq!(watchdog_interval(&env(&[])), None);
        // Nobody to tell is no failure.
        ready(&env(&[("NOTIFY_SOCKET", "/nowhere/at/all")]));
    }
}
