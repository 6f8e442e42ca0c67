//! The types that `make protocol-gen` writes for clients in TypeScript and Swift, and the client that uses them.
use crate::harness::gateway::new_dir;
use crate::harness::random::setting_text;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../build/types/mod.rs"]
mod types;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> (String, String) {
    let [(_, typescript), (_, swift)] = types::all(&root().join("schemas")).unwrap();
    (typescript, swift)
}

/// Whole words of a text that begin with a capital letter.
fn names(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('/'));
    let without_texts = code.map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join(" "));
    let words = without_texts.collect::<Vec<_>>().join("\n");
    let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).map(Into::into).collect()
}

fn declared(text: &str, words: &[&str]) -> Vec<String> {
    let lines = text.lines().filter_map(|line| words.iter().find_map(|word| line.strip_prefix(word)));
    let name =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(Into::into);
    lines.filter_map(name).collect()
}

fn twice(all: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    all.iter().filter(|name| !seen.insert(*name)).collect()
}

#[test]
fn i16_7_every_method_and_event_has_its_types_each_declared_once() {
    let (typescript, swift) = generated();
    for (folder, per) in [("methods", 2), ("events", 1)] {
        for file in std::fs::read_dir(root().join("schemas").join(folder)).unwrap() {
            let file = file.unwrap().file_name().to_string_lossy().into_owned();
            let name = file.strip_suffix(".json").unwrap();
            let own = types::pascal(name);
            let of = if per == 2 { ["Params", "Result"].as_slice() } else { ["Event"].as_slice() };
            assert!(typescript.contains(&format!("\n  \"{name}\": ")), "{name}");
            let in_swift =
                if per == 2 { format!("name = \"{name}\"") } else { format!("case \"{name}\": self") };
            assert!(swift.contains(&in_swift), "{name}");
            for kind in of {
                assert!(typescript.contains(&format!(" {own}{kind} ")), "{own}{kind}");
                assert!(
                    swift.contains(&format!(" {own}{kind}: ")) || swift.contains(&format!(" {own}{kind} = "))
                );
            }
        }
    }
    let in_typescript = declared(&typescript, &["export interface ", "export type "]);
    assert_eq!(twice(&in_typescript), Vec::<&String>::new());
    let known = ["M", "E"];
    let used: Vec<String> = names(&typescript).into_iter().filter(|n| !known.contains(&n.as_str())).collect();
    let gone: Vec<&String> = used.iter().filter(|name| !in_typescript.contains(name)).collect();
    assert!(gone.is_empty(), "used and not declared: {gone:?}");
}

/// Where no Swift compiler can be had: what one would find first.
#[test]
fn i16_7_swift_has_each_type_once_and_all_that_it_uses() {
    let (_, swift) = generated();
    let kinds = ["public struct ", "public enum ", "public typealias ", "public protocol "];
    let all = declared(&swift, &kinds);
    assert_eq!(twice(&all), Vec::<&String>::new());
    let (open, shut) = (swift.matches('{').count(), swift.matches('}').count());
    assert_eq!(open, shut, "braces");
    let used = swift.lines().filter_map(|line| line.trim().strip_prefix("public var ")?.split_once(": "));
    let own = ["Bool", "Int64", "Double", "String", "Nullable", "M", "Params", "Result"];
    for (member, of) in used {
        let strange: Vec<String> = names(of).into_iter().filter(|n| !own.contains(&n.as_str())).collect();
        assert!(strange.iter().all(|name| all.contains(name)), "{member}: {of}");
    }
    // No struct has a member twice, whatever its names became.
    for one in swift.split("\npublic struct ").skip(1) {
        let body = one.split("\n}\n").next().unwrap();
        let members = declared(body, &["    public var ", "    public static let "]);
        assert_eq!(twice(&members), Vec::<&String>::new(), "{body}");
    }
}

#[test]
fn i16_7_types_say_what_the_schemas_say() {
    let (typescript, swift) = generated();
    for line in [
        "export type HealthResult = HealthEvent;",
        "  queueMode?: \"steer\" | \"followup\" | \"collect\" | \"interrupt\";",
        "  expectedLeafEntryId?: string | null;",
        "export type ChatSendResult = ChatSendResult1 | ChatAbortResult;",
        "/** `data` where `stream` is \"assistant\". */\nexport interface AgentEventAssistantData {\n  text: string;",
        "  \"chat.send\": { params: ChatSendParams; result: ChatSendResult };",
    ] {
        assert!(typescript.contains(line), "{line}");
    }
    for line in [
        "    public var queueMode: ChatSendParamsQueueMode?",
        "    public static let steer = ChatSendParamsQueueMode(rawValue: \"steer\")",
        "    public var expectedLeafEntryId: Nullable<String>?",
        "    case chatAbortResult(ChatAbortResult)",
        "        case \"agent\": self = .agent(try container.decode(AgentEvent.self, forKey: .payload))",
    ] {
        assert!(swift.contains(line), "{line}");
    }
}

/// A word of JSON Schema that the generator does not know would make types that are wrong.
#[test]
fn i16_7_a_word_that_is_not_known_is_refused_with_its_place() {
    let dir = new_dir();
    for folder in ["methods", "events"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    std::fs::copy(root().join("schemas/frames.json"), dir.join("frames.json")).unwrap();
    let schema = r#"{"params": {"type": "object"}, "result": {"type": "object", "patternProperties": {}}}"#;
    std::fs::write(dir.join("methods/odd.json"), schema).unwrap();
    let error = types::all(&dir).unwrap_err();
    assert!(error.contains("methods/odd.json#/result") && error.contains("patternProperties"), "{error}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// `tsc --strict` and a conversation, where npm is there; `make test-types` insists on it.
#[test]
fn i16_7_the_typescript_client_compiles_and_talks_to_the_gateway() {
    let has = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let must = setting_text("OPENCLAW_TYPES").is_some();
    if !must && (!has("npm") || !has("node")) {
        eprintln!("left out: npm and node are not here");
        return;
    }
    let dir = new_dir();
    for (name, text) in types::all(&root().join("schemas")).unwrap() {
        std::fs::write(dir.join(name), text).unwrap();
    }
    // Kept between runs, beside what cargo built.
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("types");
    let mut run = Command::new(root().join("tests/types/run.sh"));
    run.arg(env!("CARGO_BIN_EXE_openclaw")).arg(&dir).env("OPENCLAW_TYPES_DIR", tools);
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) && !must {
        eprintln!("left out: {said}");
        return;
    }
    eprintln!("{said}");
    assert!(output.status.success() && said.contains("the client has talked to the gateway"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}
