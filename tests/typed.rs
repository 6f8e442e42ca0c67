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
