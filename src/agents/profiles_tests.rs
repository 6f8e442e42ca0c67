//! Which key goes out, by the profiles of an agent and of the main one.
use super::*;
use crate::config::testing::Dir;
use crate::models::provider::Secret;

fn sent(book: &str, config: &str, vars: &[(&str, &str)]) -> Result<Provider> {
    sent_with(&[("auth-profiles.json", book)], config, vars)
}

fn sent_with(books: &[(&str, &str)], config: &str, vars: &[(&str, &str)]) -> Result<Provider> {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    let mut env = dir.env(vars);
    let config = Config::load(&mut env).unwrap();
    let place = env.state_dir.join("agents/main/agent");
    std::fs::create_dir_all(&place).unwrap();
    books.iter().for_each(|(name, book)| std::fs::write(place.join(name), book).unwrap());
    let provider = Provider::resolve(&config, &env, "stub/m").unwrap();
    apply(provider, &config, &env, "work")
}

const PLAIN: &str =
    "{models: {providers: {stub: {baseUrl: 'http://h/v1', apiKey: 'of-config', models: []}}}}";

#[test]
fn b_f01_each_kind_of_profile_is_a_key() {
    let check = |entry: &str, vars: &[(&str, &str)], want: &str| {
        let book = format!(r#"{{"version":1,"profiles":{{"stub:default":{entry}}}}}"#);
        let provider = sent(&book, PLAIN, vars).unwrap();
        assert_eq!(provider.api_key.as_ref().map(Secret::reveal), Some(want), "{entry}");
    };
    check(r#"{"type":"api_key","provider":"stub","key":"sk-profile-1"}"#, &[], "sk-profile-1");
    check(r#"{"type":"token","provider":"Stub","token":"t-1 "}"#, &[], "t-1");
    check(
        r#"{"type":"oauth","provider":"stub","access":"a-1","refresh":"r","expires":99999999999999}"#,
        &[],
        "a-1",
    );
    check(r#"{"provider":"stub","key":"${OF_ENV}"}"#, &[("OF_ENV", "e-1")], "e-1");
    let reference = r#"{"type":"api_key","provider":"stub","keyRef":{"source":"env","provider":"default","id":"OF_ENV"}}"#;
    check(reference, &[("OF_ENV", "e-2")], "e-2");
    // What cannot be used leaves the configuration's key.
    check(r#"{"type":"oauth","provider":"stub","access":"a-1","expires":1000}"#, &[], "of-config");
    check(r#"{"type":"api_key","provider":"other","key":"x"}"#, &[], "of-config");
    check(r#"7"#, &[], "of-config");
    let token =
        sent(r#"{"profiles":{"a":{"type":"token","provider":"stub","token":"t"}}}"#, PLAIN, &[]).unwrap();
    assert!(token.bearer && is_known_after_look("stub"));
}

fn is_known_after_look(provider: &str) -> bool {
    keyed::set(vec![provider.to_string()]);
    keyed::has("STUB") && !keyed::has("nobody")
}

#[test]
fn b_f01_keys_of_the_original_s_earlier_file_are_read() {
    let old = r#"{"stub":{"type":"api_key","key":"sk-old"},"b":{"provider":"other","type":"token","token":"t"},"x":1}"#;
    let key = |books: &[(&str, &str)]| {
        let provider = sent_with(books, PLAIN, &[]).unwrap();
        provider.api_key.as_ref().unwrap().reveal().to_string()
    };
    assert_eq!(key(&[("auth.json", old)]), "sk-old");
    assert_eq!(key(&[("auth.json", "{\"stub\":{\"type\":\"token\",\"token\":\"t-old\"}}")]), "t-old");
    assert_eq!(key(&[("auth.json", old), ("auth-profiles.json", "{\"profiles\":{}}")]), "of-config");
}

#[test]
fn b_f01_no_other_key_goes_out_in_place_of_one_that_cannot_be_read() {
    for damaged in ["", "[]", r#"{"profiles":{"stub:default":{"provider":"stub","key":"sk-"#] {
        for config in [PLAIN, &PLAIN.replace("apiKey: 'of-config', ", "")] {
            let error = sent(damaged, config, &[]).err().unwrap_or_else(|| panic!("{damaged}"));
            let told = error.message();
            assert!(told.starts_with("stub is not asked: "), "{told}");
            assert!(told.contains("auth-profiles.json, which may hold its key, cannot be read: "), "{told}");
            assert!(told.contains("line 1, ") && told.ends_with("; repair it, or move it away"), "{told}");
        }
    }
    let dir = Dir::new();
    let link = dir.path("auth-profiles.json");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
    let told = |link| profile_book::read(link).err().unwrap().to_string();
    assert!(told(&link).ends_with("; put the file where its link leads, or remove the link"));
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&link, &link).unwrap();
    assert!(told(&link).ends_with("; put the file in the place of links that lead in a circle"));
}

#[test]
fn b_f01_a_name_with_blanks_is_that_name() {
    let key = |book: &str| sent(book, PLAIN, &[]).unwrap().api_key.unwrap().reveal().to_string();
    assert_eq!(key(r#"{"profiles":{"a":{"provider":"stub ","key":"k"}}}"#), "k");
    for shape in
        [r#"[{"provider":"stub","key":"k"}]"#, r#"{"a":{"key":"k"}}"#, r#"{"a":{"provider":7,"key":"k"}}"#]
    {
        assert_eq!(key(&format!(r#"{{"profiles":{shape}}}"#)), "of-config", "{shape}");
    }
}

#[test]
fn b_f01_profiles_have_an_order() {
    let key =
        |id: &str, more: &str| format!(r#""{id}":{{"type":"api_key","provider":"stub","key":"{id}"{more}}}"#);
    let keys = |text: &str, config: &str| {
        let p = sent(text, config, &[]).unwrap();
        let spare: Vec<_> = p.spare.iter().map(|it| it.key.reveal().to_string()).collect();
        format!("{} {}", p.api_key.as_ref().unwrap().reveal(), spare.join(" "))
    };
    let three = [key("a", ""), key("b", ""), key("c", "")].join(",");
    let used = r#""usageStats":{"a":{"lastUsed":9},"b":{"lastUsed":3,"cooldownUntil":99999999999999}}"#;
    assert_eq!(keys(&format!(r#"{{"profiles":{{{three}}},{used}}}"#), PLAIN), "c a b");
    assert_eq!(keys(&format!(r#"{{"profiles":{{{three}}},"order":{{"stub":["b","c"]}}}}"#), PLAIN), "b c a");
    let config = PLAIN.replacen('{', "{auth: {order: {stub: ['c']}}, ", 1);
    assert_eq!(keys(&format!(r#"{{"profiles":{{{three}}},"order":{{"stub":["b"]}}}}"#), &config), "c a b");
    let error = sent(
        r#"{"profiles":{"old":{"type":"oauth","provider":"stub","access":"x","expires":7}}}"#,
        &PLAIN.replace("apiKey: 'of-config', ", ""),
        &[],
    );
    assert!(error.err().unwrap().message().contains("sign-in old in"));
}

/// Issue 9: what a reference leads to is the key that was chosen.
#[test]
fn b_f01_a_reference_that_leads_nowhere_is_told_and_no_other_key_goes_out() {
    let dir = Dir::new();
    let empty = dir.path("empty");
    std::fs::write(&empty, "\n").unwrap();
    let file = |path: &str| format!(r#""keyRef":{{"source":"file","id":"{path}"}}"#);
    for (reference, why) in [
        (
            r#""keyRef":{"source":"env","id":"UNSET"}"#.to_string(),
            "keyRef names the variable \"UNSET\", which is not set; set it",
        ),
        (r#""key":"${UNSET}""#.to_string(), "key names the variable \"UNSET\""),
        (r#""key":{"source":"env","id":"UNSET"}"#.to_string(), "key names the variable \"UNSET\""),
        (
            r#""keyRef":{"source":"exec","id":"vault read x"}"#.to_string(),
            "keyRef is of the source \"exec\", of which nothing is read",
        ),
        (r#""keyRef":{"source":"env"}"#.to_string(), "keyRef has no \"id\""),
        (r#""keyRef":7"#.to_string(), "keyRef has no \"id\""),
        (
            file("/nowhere/at/all"),
            "keyRef names the file \"/nowhere/at/all\", which cannot be read: No such file",
        ),
        (file(empty.to_str().unwrap()), "which is empty; write the key there"),
        (file(dir.path("").to_str().unwrap()), "which cannot be read"),
    ] {
        let other = r#""b":{"provider":"stub","key":"other"}"#;
        for (book, config) in [
            (format!(r#"{{"profiles":{{"a:x":{{"provider":"stub",{reference}}}}}}}"#), PLAIN.to_string()),
            (
                format!(r#"{{"profiles":{{"a:x":{{"provider":"stub",{reference}}},{other}}}}}"#),
                PLAIN.replace("apiKey: 'of-config', ", ""),
            ),
        ] {
            let error = sent(&book, &config, &[]).err().unwrap_or_else(|| panic!("{reference}"));
            let told = error.message();
            assert!(told.starts_with("stub is not asked: the key of profile \"a:x\" in "), "{told}");
            assert!(told.contains(why) && told.ends_with(", or remove the profile"), "{told}");
        }
        // One that comes after a key that is there hurts nobody.
        let late = format!(
            r#"{{"profiles":{{{other},"z":{{"provider":"stub",{reference}}}}},"order":{{"stub":["b","z"]}}}}"#
        );
        assert_eq!(sent(&late, PLAIN, &[]).unwrap().api_key.unwrap().reveal(), "other");
    }
}
