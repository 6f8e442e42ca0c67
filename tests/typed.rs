//! What commands read from standard input and files.
use crate::harness::*;
use std::io::Write;
use std::process::{Output, Stdio};

fn fed(gateway: &Gateway, args: &[&str], text: &str) -> Output {
    let mut command = gateway::command(&gateway.dir);
    command.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string());
    let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

// N-32: messages and params come from standard input and files too, and params as `config set` takes them.
#[test]
fn n_32_what_is_too_long_for_a_command_line_comes_from_stdin_or_a_file() {
    let gateway = Gateway::plain();
    let long = format!("{}\n", "word ".repeat(40_000));
    for args in [&["agent", "--no-stream"][..], &["agent", "--no-stream", "-m", "-"]] {
        let (stdout, stderr) = crate::cli::text(&fed(&gateway, args, "two words\n"));
        assert!(stdout.contains("\"two words\" (9 characters)"), "{args:?} {stdout} {stderr}");
    }
    let output = fed(&gateway, &["agent", "--no-stream", "-m", "-"], &long);
    assert!(output.status.success(), "{}", crate::cli::text(&output).1);
    let (_, stderr) = crate::cli::text(&fed(&gateway, &["agent"], ""));
    assert!(stderr.contains("--message is empty"), "{stderr}");
    let file = gateway.dir.join("params.json5");
    std::fs::write(&file, "{sessionKey: 'main', limit: 1,}").unwrap();
    let at = format!("@{}", file.display());
    for (params, fed_text) in [("-", "{sessionKey: 'main'}"), (at.as_str(), ""), ("{sessionKey: 'main'}", "")]
    {
        let output = fed(&gateway, &["gateway", "call", "chat.history", "--params", params], fed_text);
        let (stdout, stderr) = crate::cli::text(&output);
        assert!(output.status.success() && stdout.contains("messages"), "{params} {stdout} {stderr}");
    }
    let (_, stderr) =
        crate::cli::text(&fed(&gateway, &["gateway", "call", "health", "--params", "@/nope"], ""));
    assert!(stderr.contains("read /nope of --params"), "{stderr}");
}

/// Issue 14: a message may stand in a file, and files go with one.
#[test]
fn i14_2_a_message_and_its_attachments_come_from_files() {
    let gateway = Gateway::plain();
    let put = |name: &str, bytes: &[u8]| {
        let path = gateway.dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let said = |args: &[&str]| {
        let output = fed(&gateway, &[&["agent", "--no-stream"], args].concat(), "");
        let (stdout, stderr) = crate::cli::text(&output);
        (output.status.code().unwrap(), stdout + &stderr)
    };
    let (text, notes) = (put("m.txt", b"two words\n"), put("notes.md", b"# Buy\nmilk\n"));
    let picture = put("p.png", b"\x89PNG\r\n\x1a\nrest");
    let (status, shown) = said(&["--message-file", &text]);
    assert!(status == 0 && shown.contains("\"two words\" (9 characters)"), "{shown}");
    let (status, shown) = said(&["-m", "look", "--file", &notes, "--file", &picture]);
    assert!(status == 0 && shown.contains("milk"), "{shown}");
    let transcript = std::fs::read_dir(gateway.sessions_dir()).unwrap().flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path()).ok()?;
        (entry.path().extension()? == "jsonl" && text.contains("image/png")).then_some(text)
    });
    assert!(transcript.unwrap().contains("[file: notes.md]"));
    let (large, odd) = (put("large.png", &[0x89; 5_000_001]), put("odd.bin", &[7, 0, 7]));
    for (args, want) in [
        (&["-m", "x", "--file", "/nope.png"][..], "read /nope.png of --file"),
        (&["-m", "x", "--file", &large], "large.png is too large: a picture"),
        (&["-m", "x", "--file", &odd], "odd.bin is neither a picture nor text"),
        (&["-m", "x", "--message-file", &text], "by --message or by --message-file"),
        (&["--file", &picture], "--message is empty"),
        (&["--message-file", "/nope"], "read /nope of --message-file"),
    ] {
        let (status, shown) = said(args);
        assert!(status == 1 && shown.contains(want), "{args:?}: {status} {shown}");
    }
}

/// Issue 14: which methods there are is told without a gateway.
#[test]
fn i14_2_the_methods_are_listed() {
    let dir = gateway::new_dir();
    let run = |args: &[&str]| gateway::command(&dir).args(["gateway", "call"]).args(args).output().unwrap();
    let (text, _) = crate::cli::text(&run(&["--list"]));
    assert!(text.contains("chat.send  write, changes\n    Send a message to a session"), "{text}");
    let rows: Value = serde_json::from_slice(&run(&["--list", "--json"]).stdout).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["method"] == "sessions.list").unwrap();
    assert_eq!((&row["scope"], &row["changes"]), (&json!("read"), &json!(false)));
    // Those with a word in their names, and what is no parameter in words that are true of JSON5.
    let (some, _) = crate::cli::text(&run(&["--list", "tail"]));
    assert!(some.starts_with("logs.tail  ") && some.lines().count() == 2, "{some}");
    let (_, none) = crate::cli::text(&run(&["--list", "nope"]));
    assert!(none.contains("no method has \"nope\" in its name"), "{none}");
    let (_, wrong) = crate::cli::text(&run(&["health", "--params", "{a:"]));
    assert!(wrong.contains("neither JSON nor JSON5") && !wrong.contains("double quotes"), "{wrong}");
    let (_, stderr) = crate::cli::text(&run(&[]));
    assert!(stderr.contains("missing required argument 'method'; --list"), "{stderr}");
}
