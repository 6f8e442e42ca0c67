//! What a configuration costs: memory of the running gateway for what it is asked to write, and for a file that holds more
//! than any settings do. Reads `VmHWM`, so on Linux only.
use crate::bounds::{kib, peak_of};
use crate::cli::fails;
use crate::harness::*;

/// Of the text of a request; twice that is the most.
const LENGTH: usize = 1_000_000;

/// Members whose texts are this long together, none of them too long by itself.
fn members(length: usize) -> String {
    let text = "x".repeat(16_000);
    let all: Vec<String> = (0..length / 16_010).map(|n| format!("a{n}: '{text}'")).collect();
    all.join(",\n")
}

#[test]
fn s_9_a_patch_costs_three_times_its_size_at_most() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let picture = "A".repeat(LENGTH);
    for (what, raw) in [
        ("a text that is refused", format!("{{ui: {{seamColor: '{picture}'}}}}")),
        ("a comment", format!("{{}} // {picture}")),
        ("a picture", format!("{{ui: {{assistant: {{avatar: 'data:image/png;base64,{picture}'}}}}}}")),
        ("many texts", format!("{{ui: {{assistant: {{avatar: null}}}}, mystery: {{{}}}}}", members(LENGTH))),
        ("the same again", format!("{{mystery: {{{}}}}}", members(LENGTH))),
        ("other texts", format!("{{mystery: {{{}}}}}", members(LENGTH).replace("x'", "y'"))),
    ] {
        let hash = client.ok("config.get", json!({}))["hash"].clone();
        // A file of some size is there already: what reading it costs is no cost of the patch.
        let own = std::fs::metadata(gateway.config_path()).unwrap().len() as usize;
        let grown = peak_of(&gateway, || {
            let params = json!({"raw": raw, "baseHash": hash, "restartDelayMs": 60_000, "force": true});
            let id = client.ask("config.patch", params);
            let answer = client.res(&id);
            assert_eq!(answer["ok"], what != "a text that is refused", "{what}: {}", answer["error"]);
        });
        drop(client.kept());
        let most = 3 * kib(raw.len()) + 4 * kib(own) + 1024;
        assert!(grown <= most, "{what}: {grown} KiB for {} beside {}", kib(raw.len()), kib(own));
    }
}

// S-M2, S-L12: counted before it is read, by the gateway that runs and by every command.
#[test]
fn s_9_a_file_of_millions_of_values_is_refused_in_three_times_its_size() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let text = format!("{{\nplugins: {{a: [{}0]}}}}", "0,".repeat(4 << 20));
    let size = kib(text.len());
    let grown = peak_of(&gateway, || {
        std::fs::write(gateway.config_path(), &text).unwrap();
        wait_within(Duration::from_secs(30), "the refusal", || {
            let told = client.ok("status", json!({}))["configInvalid"].to_string();
            told.contains("holds more than").then_some(())
        });
    });
    assert!(grown <= 3 * size + 2048, "{grown} KiB for a file of {size}");
    let (code, told) = fails(&gateway, &["config", "validate"]);
    assert!(code != 0 && told.contains("openclaw.json:2:200008: "), "{told}");
    assert!(told.contains("holds more than 100000 values"), "{told}");
}

/// What is allowed costs a bounded time, however much is wrong with it.
#[test]
fn s_9_thousands_of_mistakes_and_unknown_keys_are_told_as_some() {
    let gateway = Gateway::plain();
    let file = |more: String| format!("{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n{more}}}");
    let keys: Vec<String> = (0..2_500).map(|n| format!("k{n}:0")).collect();
    std::fs::write(gateway.config_path(), file(keys.join(","))).unwrap();
    let began = Instant::now();
    let told = gateway.cli(&["config", "validate", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["valid"], true, "{told}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let agents: Vec<String> = (0..2_500).map(|n| format!("{{id: 'a{n}', name: [{n}]}}")).collect();
    std::fs::write(gateway.config_path(), file(format!("agents: {{list: [{}]}}", agents.join(",")))).unwrap();
    let began = Instant::now();
    let (code, told) = fails(&gateway, &["config", "validate"]);
    assert!(code != 0 && told.contains("more than 1000 mistakes, the first: agents.list.0.name"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
