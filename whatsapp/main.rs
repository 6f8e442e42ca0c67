//! `openclaw-whatsapp`: speaks WhatsApp's protocol for one account, and to the gateway by lines of JSON
//! (docs/channel-programs.md). A program of its own: it is larger than the gateway and has another licence.
//!
//! `exec` runs everything on the first thread, `socket` has one for the network, `lines` one that listens to the gateway,
//! `http` short ones. `store` is the file of the account, `life` its connections, `link` how it is linked, `inbound` and
//! `outbound` its messages.
#![allow(
    clippy::disallowed_methods,
    reason = "the rules of the gateway's rooms: this is a program of its own"
)]
mod account;
mod exec;
mod http;
mod import;
mod inbound;
mod life;
mod lines;
mod link;
mod logger;
mod media;
mod outbound;
mod qr;
mod recent;
mod runtime;
mod socket;
mod store;
mod words;

use account::Account;
use exec::Executor;
use lines::{Line, log, say};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

const CAPABILITIES: &[&str] = &["resend", "typing", "login", "media", "edit", "delete", "react", "poll"];
/// The gateway waits half a second for its programs.
const LAST_WORDS: Duration = Duration::from_millis(450);

const HELP: &str = "openclaw-whatsapp speaks for the channel WhatsApp; openclaw starts it by itself.

Usage: openclaw-whatsapp [--version | --help]
       openclaw-whatsapp import <original's directory> <directory of the account>

Put it beside openclaw, or into PATH, and write `channels: { whatsapp: {} }` into
the configuration; then: openclaw channels login --channel whatsapp
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout();
    let told = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] if !std::io::stdin().is_terminal() => return speak(),
        ["--version" | "-V"] => out.write_all(version().as_bytes()),
        ["import", from, to] => return import(from, to),
        [] | ["--help" | "-h"] => out.write_all(HELP.as_bytes()),
        _ => {
            let _ = std::io::stderr().write_all(HELP.as_bytes());
            return ExitCode::from(2);
        }
    };
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn version() -> String {
    let mock = if cfg!(feature = "whatsapp-mock") {
        "\nfor tests: it does not check WhatsApp's certificate\n"
    } else {
        "\n"
    };
    format!(
        "openclaw-whatsapp {} (whatsapp-rust 0.7.0)\nAs a whole under the AGPL-3.0-only: parts of its Signal library are.{mock}",
        env!("CARGO_PKG_VERSION")
    )
}

/// Brings the original's link over; neither it nor the gateway may run meanwhile.
fn import(from: &str, to: &str) -> ExitCode {
    match import::run(from.as_ref(), to.as_ref()) {
        Ok(done) => {
            let mut text = format!(
                "{}: {} keys for first messages, {} conversations, {} people\n",
                done.jid, done.prekeys, done.sessions, done.people
            );
            done.left
                .iter()
                .for_each(|name| text += &format!("left out, for it cannot be understood: {name}\n"));
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => {
            let _ = std::io::stderr()
                .write_all(format!("openclaw-whatsapp: nothing is imported: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Speaks until the gateway ends it.
fn speak() -> ExitCode {
    // Where one task fails nothing half done is kept: the gateway starts the program anew.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        std::process::exit(101);
    }));
    logger::start();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut first = String::new();
    let hello = std::io::stdin().read_line(&mut first).ok().and_then(|_| Line::read(&first));
    let Some(hello) = hello.filter(|line| line.kind() == "hello") else {
        let _ =
            std::io::stderr().write_all(b"openclaw-whatsapp: the first line is not the gateway's hello\n");
        return ExitCode::from(2);
    };
    say(&json!({"type": "hello", "version": 1, "capabilities": CAPABILITIES}));
    let dir = PathBuf::from(hello.text("dir"));
    let store = match Store::open(&dir) {
        Ok(store) => Arc::new(store),
        Err(e) => {
            log("error", &format!("the account's store cannot be opened: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let exec = Executor::default();
    let account = Arc::new(Account::new(exec.clone(), store, hello, dir));
    let own = account.clone();
    let ears = move || {
        lines::listen(|line| heard(&own, line));
        end(&own);
    };
    if let Err(e) = std::thread::Builder::new().name("wa-lines".into()).spawn(ears) {
        log("error", &format!("no thread to listen on: {e}"));
        return ExitCode::FAILURE;
    }
    exec.block_on(life::live(account));
    ExitCode::SUCCESS
}

fn heard(account: &Arc<Account>, line: Line) {
    let own = account.clone();
    match line.kind() {
        "ack" => {
            let waits = account.lock().brought.remove(line.text("id"));
            if let Some(waits) = waits {
                let _ = waits.send(());
            }
        }
        "send" => account.exec.spawn(outbound::send(own, line)),
        "typing" => account.exec.spawn(outbound::typing(own, line)),
        "login" => account.exec.spawn(link::wished(own, line)),
        "logout" => account.exec.spawn(link::logout(own)),
        _ => {}
    }
}

/// The account ends: what is open is closed in order, as far as the time goes.
fn end(account: &Arc<Account>) {
    let own = account.clone();
    account.exec.spawn(async move {
        if let Some(client) = own.client() {
            client.disconnect().await;
        }
        std::process::exit(0);
    });
    std::thread::sleep(LAST_WORDS);
    std::process::exit(0);
}
