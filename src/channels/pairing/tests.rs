//! Strangers, codes and the files of both, on a directory of the test's own.
use super::*;
use crate::config::testing::Dir;
use std::os::unix::fs::PermissionsExt;

const NOW: u64 = 1_764_410_642_000;
const HOUR: u64 = 3_600_000;

fn login(account: &str) -> Login {
    Login { platform: "telegram".into(), account: account.into() }
}

fn here() -> (Dir, Pairing) {
    let dir = Dir::new();
    let pairing = Pairing::new(&dir.path(""));
    (dir, pairing)
}

fn ask(pairing: &Pairing, account: &str, id: &str, now: u64) -> Asked {
    let mut notes = Vec::new();
    let names = [("username", "ann"), ("firstName", "Ann"), ("lastName", "")];
    let asked = pairing.ask(&login(account), id, &names, now, &mut notes).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    asked
}

fn code_of(asked: Asked) -> String {
    match asked {
        Asked::Code(code) => code,
        other => panic!("no code: {other:?}"),
    }
}

fn text(dir: &Dir, name: &str) -> String {
    std::fs::read_to_string(dir.path(&format!("credentials/{name}"))).unwrap()
}

#[test]
fn a_stranger_gets_a_code_once_an_hour_and_three_wait_at_most() {
    let (dir, pairing) = here();
    let code = code_of(ask(&pairing, "default", "1001", NOW));
    assert!(code.len() == 8 && code.bytes().all(|byte| LETTERS.contains(&byte)), "{code}");
    assert_eq!(ask(&pairing, "default", "1001", NOW + 1000), Asked::Known);
    assert!(!text(&dir, "telegram-pairing.json").contains("lastSeenAt\": \"2025-11-29T10:04:03"));
    assert_eq!(ask(&pairing, "default", "1001", NOW + 90_000), Asked::Known);
    assert!(text(&dir, "telegram-pairing.json").contains("lastSeenAt\": \"2025-11-29T10:05:32.000Z"));
    let others = ["1002", "1003"].map(|id| code_of(ask(&pairing, "default", id, NOW + 1)));
    assert!(!others.contains(&code) && others[0] != others[1]);
    assert_eq!(ask(&pairing, "default", "1004", NOW + 2), Asked::Full);
    assert_ne!(code_of(ask(&pairing, "default", "1001", NOW + HOUR)), code);
    code_of(ask(&pairing, "default", "1004", NOW + HOUR + 10));
}

#[test]
fn the_files_are_the_originals() {
    let (dir, pairing) = here();
    let code = code_of(ask(&pairing, "default", "1001", NOW));
    let meta = "\"meta\": {\n        \"username\": \"ann\",\n        \"firstName\": \"Ann\"\n      }";
    let at = "2025-11-29T10:04:02.000Z";
    assert_eq!(
        text(&dir, "telegram-pairing.json"),
        format!(
            "{{\n  \"version\": 1,\n  \"requests\": [\n    {{\n      \"id\": \"1001\",\n      \"code\": \"{code}\",\n      \
             \"createdAt\": \"{at}\",\n      \"lastSeenAt\": \"{at}\",\n      {meta}\n    }}\n  ]\n}}\n"
        )
    );
    let mut notes = Vec::new();
    let approved = pairing.approve("telegram", None, &code.to_lowercase(), NOW + 5, &mut notes).unwrap();
    assert_eq!(approved, Some(Approved { account: "default".into(), id: "1001".into() }));
    assert_eq!(
        text(&dir, "telegram-allowFrom.json"),
        "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"1001\"\n  ]\n}\n"
    );
    assert_eq!(text(&dir, "telegram-pairing.json"), "{\n  \"version\": 1,\n  \"requests\": []\n}\n");
    for name in ["telegram-pairing.json", "telegram-allowFrom.json"] {
        let mode = dir.path(&format!("credentials/{name}")).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(dir.path("credentials").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(pairing.approve("telegram", None, &code, NOW + 6, &mut notes).unwrap(), None);
    assert!(notes.is_empty() && !dir.path("credentials/telegram-pairing.json.lock").exists());
}

#[test]
fn what_others_wrote_is_kept() {
    let (dir, pairing) = here();
    let request = |id: &str, at: u64| {
        let at = clock::iso(at);
        format!(
            "{{\"id\":\"{id}\",\"code\":\"CODE{id}\",\"createdAt\":\"{at}\",\"lastSeenAt\":\"{at}\",\"extra\":7}}"
        )
    };
    let requests =
        [request("1", NOW), request("2", NOW - HOUR), "17".into(), "{\"id\":\"3\"}".into()].join(",");
    dir.write(
        "credentials/telegram-pairing.json",
        &format!("{{\"version\":1,\"later\":true,\"requests\":[{requests}]}}"),
    );
    dir.write(
        "credentials/telegram-allowFrom.json",
        "{\"version\":1,\"by\":\"x\",\"allowFrom\":[7, \"tg:8\", \"*\", \"@ann\"]}",
    );
    assert_eq!(pairing.pending("telegram", None, NOW).unwrap().len(), 1);
    assert_eq!(pairing.allowed(&login("default")).unwrap(), ["7", "8", "@ann"]);
    code_of(ask(&pairing, "default", "9", NOW));
    let kept = text(&dir, "telegram-pairing.json");
    assert!(
        kept.contains("\"later\": true") && kept.contains("\"extra\": 7") && !kept.contains("CODE2"),
        "{kept}"
    );
    pairing.approve("telegram", Some("default"), "CODE1", NOW, &mut Vec::new()).unwrap().unwrap();
    let allowed = json!({"version": 1, "by": "x", "allowFrom": [7, "tg:8", "*", "@ann", "1"]});
    assert_eq!(serde_json::from_str::<Value>(&text(&dir, "telegram-allowFrom.json")).unwrap(), allowed);
}

#[test]
fn r_41_each_account_has_files_of_its_own_and_the_originals_count_until_then() {
    let (dir, pairing) = here();
    dir.write("credentials/telegram-allowFrom.json", "{\"version\":1,\"allowFrom\":[\"1\"]}");
    assert_eq!(pairing.allowed(&login("work")).unwrap(), ["1"]);
    let code = code_of(ask(&pairing, "work", "2", NOW));
    let home = code_of(ask(&pairing, "default", "3", NOW));
    assert!(text(&dir, "telegram-work-pairing.json").contains("\"accountId\": \"work\""));
    assert_eq!(pairing.pending("telegram", None, NOW).unwrap().len(), 2);
    assert_eq!(pairing.approve("telegram", Some("work"), &home, NOW, &mut Vec::new()).unwrap(), None);
    let approved = pairing.approve("telegram", None, &code, NOW, &mut Vec::new()).unwrap().unwrap();
    assert_eq!((approved.account.as_str(), approved.id.as_str()), ("work", "2"));
    pairing.approve("telegram", None, &home, NOW, &mut Vec::new()).unwrap().unwrap();
    assert_eq!(pairing.allowed(&login("work")).unwrap(), ["1", "2"]);
    assert_eq!(pairing.allowed(&login("default")).unwrap(), ["1", "3"]);
    assert_eq!(
        REQUESTS.path(Path::new("/c"), &login("A b/../c")),
        Path::new("/c/telegram-__b_.._c-pairing.json")
    );
}

#[test]
fn d16_a_file_that_cannot_be_read_is_told_and_moved_aside() {
    for damaged in ["", "{", "[]", "{\"version\":1}", "{\"requests\":7,\"allowFrom\":{}}"] {
        let (dir, pairing) = here();
        for name in ["telegram-pairing.json", "telegram-allowFrom.json"] {
            dir.write(&format!("credentials/{name}"), damaged);
        }
        assert!(
            pairing.pending("telegram", None, NOW).is_err() && pairing.allowed(&login("default")).is_err()
        );
        let mut notes = Vec::new();
        assert_eq!(pairing.approve("telegram", None, "X", NOW, &mut notes).unwrap(), None);
        assert!(
            notes.pop().unwrap().contains("telegram-pairing.json: no JSON object with a list \"requests\"")
        );
        assert_eq!(text(&dir, "telegram-pairing.json"), damaged, "who only looks changes nothing");
        let code = code_of(pairing.ask(&login("default"), "1", &[], NOW, &mut notes).unwrap());
        pairing.approve("telegram", None, &code, NOW, &mut notes).unwrap().unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes.iter().all(|note| note.contains(".corrupt.") && note.ends_with("no longer counts")));
        let aside: Vec<String> = std::fs::read_dir(dir.path("credentials"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".corrupt."))
            .collect();
        assert_eq!(aside.len(), 2, "{aside:?}");
        assert!(aside.iter().all(|name| text(&dir, name) == damaged));
        assert_eq!(pairing.allowed(&login("default")).unwrap(), ["1"]);
    }
}

#[test]
fn many_at_once_lose_nothing() {
    let (_dir, pairing) = here();
    let pairing = &pairing;
    std::thread::scope(|scope| {
        for n in 0..6 {
            scope.spawn(move || {
                let account = format!("a{}", n % 3);
                let code = code_of(ask(pairing, &account, &format!("{}", 1000 + n), NOW));
                pairing.approve("telegram", None, &code, NOW, &mut Vec::new()).unwrap().unwrap();
            });
        }
    });
    let all: usize = (0..3).map(|n| pairing.allowed(&login(&format!("a{n}"))).unwrap().len()).sum();
    assert_eq!(all, 6);
}

#[test]
fn the_stranger_is_told_what_to_ask_for() {
    let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], Some("x")).unwrap();
    assert_eq!(
        invitation(&env, "telegram", "Your Telegram user id", "1001", "Z86UMBHV"),
        "OpenClaw: access not configured.\n\nYour Telegram user id: 1001\n\nPairing code: Z86UMBHV\n\n\
         Ask the bot owner to approve with:\nopenclaw --profile x pairing approve telegram Z86UMBHV"
    );
}
