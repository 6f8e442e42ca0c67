//! In which file, line and column a mistake is told.
use crate::config::Config;
use crate::config::testing::Dir;

/// The places of all that is wrong, in the order it is told, and the character that the caret points to.
fn places(dir: &Dir, text: &str) -> Vec<String> {
    dir.write("openclaw.json", text);
    let config = Config::inspect(&mut dir.env(&[]));
    let all = config.issues().iter().chain(config.warnings());
    let told = all.map(|issue| {
        let spot = issue.spot.as_ref().unwrap();
        let (line, caret) = spot.excerpt.split_once('\n').unwrap();
        let from = line.chars().nth(caret.len() - 1).map_or(String::new(), |c| c.to_string());
        format!("{spot} {} {from}", issue.path).replace(&dir.path("").display().to_string(), "")
    });
    told.collect()
}

#[test]
fn n_11_a_mistake_is_told_in_the_file_that_it_stands_in() {
    let dir = Dir::new();
    dir.write("port.json5", "// mine\n{\n  port: 'x',\n  prot: 1 }");
    dir.write("more.json5", "{gateway: {$include: './port.json5'},\n ui: {seamColor: 5}, odd: 1}");
    dir.write("broken.json5", "{\n  a: 1\n\n  b: 2}");
    dir.write("one.json5", "[{id: 'a', name: 5}]");
    dir.write("two.json5", "[{id: 'b'}, {id: 'c', name: []}]");
    dir.write("lost.json5", "{x: {$include: ['one.json5', 'gone.json5']}}");
    for (text, want) in [
        (
            "{gateway: {$include: 'port.json5'}}",
            &["port.json5:3:9 gateway.port '", "port.json5:4:3 gateway.prot p"][..],
        ),
        (
            "{$include: ['more.json5'], tools: 5}",
            &[
                "port.json5:3:9 gateway.port '",
                "more.json5:2:18 ui.seamColor 5",
                "openclaw.json:1:35 tools 5",
                "port.json5:4:3 gateway.prot p",
                "more.json5:2:22 odd o",
            ],
        ),
        // What stands beside an include is in force.
        (
            "{$include: 'more.json5',\ngateway: {port: 1, prot: 2}, ui: {seamColor: '#fff'}}",
            &["openclaw.json:2:20 gateway.prot p", "more.json5:2:22 odd o"],
        ),
        ("{ui: {\n$include: 'broken.json5'}}", &["broken.json5:2:7 ui "]),
        ("{ui: {\n$include: 'gone.json5'}}", &["openclaw.json:2:11 ui '"]),
        ("{ui: {$include: 5}}", &["openclaw.json:1:17 ui 5"]),
        ("{plugins: {$include: 'lost.json5'}}", &["lost.json5:1:30 plugins.x '"]),
        (
            "{agents: {list: {$include: ['one.json5', 'two.json5']}}}",
            &["one.json5:1:18 agents.list.0.name 5", "two.json5:1:29 agents.list.2.name ["],
        ),
        ("{agents: {$include: 'one.json5'}}", &["one.json5:1:1 agents ["]),
        (
            "{ui: {seamColor: 1}, ui: {seamColor: 2}}",
            &["openclaw.json:1:38 ui.seamColor 2", "openclaw.json:1:26 ui {"],
        ),
        (
            "{'models': {providers: {'a.b': {\"retries\": 'x', api: 'nope'}}}}",
            &[
                "openclaw.json:1:44 models.providers.a.b.retries '",
                "openclaw.json:1:54 models.providers.a.b.api '",
            ],
        ),
        ("[]", &["openclaw.json:1:1  ["]),
        ("{gateway: {port: 1,\n\tbind: 'lan' mode: 'local'}}", &["openclaw.json:2:13   "]),
    ] {
        let mut told = places(&dir, text);
        told.sort();
        let mut want = want.to_vec();
        want.sort();
        assert_eq!(told, want, "{text}");
    }
}

#[test]
fn n_11_the_name_of_a_variable_is_shown() {
    let dir = Dir::new();
    for text in [
        "{models: {providers: {p: {baseUrl: [], apiKey: '${CHAT_KEY}'}}}}",
        "{models: {providers: {p: {apiKey: \"${CHAT_KEY}\" baseUrl: 'x'}}}}",
    ] {
        dir.write("openclaw.json", text);
        let config = Config::inspect(&mut dir.env(&[("CHAT_KEY", "canary-1")]));
        let told = config.issues().iter().map(|issue| issue.shown("")).collect::<String>();
        assert!(told.contains("${CHAT_KEY}") && !told.contains("canary"), "{told}");
    }
}

#[test]
fn n_11_no_secret_stands_in_a_line_that_is_shown() {
    let dir = Dir::new();
    dir.write("keys.json5", "{apiKey: 'canary-1', baseUrl: [], headers: {x: 'canary-2', y: 12345678}}");
    dir.write("broken.json5", "{headers: {x: 'canary-2', y: 12345678} baseUrl: 'canary-1'}");
    for text in [
        "{gateway: {port: 'x', auth: {token: 'canary-1'}}, env: {vars: {A: 'canary-3'}}}",
        "{gateway: {port: 'x' /* canary-1 */, auth: {token: 'canary-1'}}}",
        "{models: {providers: {p: {$include: 'keys.json5'}}}}",
        "{models: {providers: {p: {$include: 'broken.json5'}}}}",
        "{gateway: {auth: {token: 'canary-1'} port: 1}} // canary-1",
        "{gateway: {auth: {token: 'canary-1}, port: 1}}",
        "{gateway: {auth: {token: canary-1}, port: 1}}",
        "{gateway: {auth: {'token: \"canary-1\", mode: ' token'}}}",
        "{gateway: {auth: {token: ['canary-1']}}}",
    ] {
        dir.write("openclaw.json", text);
        let config = Config::inspect(&mut dir.env(&[]));
        assert!(!config.issues().is_empty(), "{text}");
        for issue in config.issues() {
            let told = format!("{} {}", issue.shown(""), issue.to_json());
            let is_hidden = !told.contains("canary") && !told.contains("12345678");
            assert!(is_hidden && told.contains('^'), "{text}: {told}");
        }
        if let Err(error) = Config::load(&mut dir.env(&[])) {
            let told = format!("{error} {:?}", error.details());
            assert!(!told.contains("canary") && told.contains("excerpt"), "{text}: {told}");
        }
    }
}
