//! What stays in force beside what cannot be read.
use crate::config::testing::Dir;

/// Relatives of B-F01: nobody answers in place of the model that was meant.
#[test]
fn b_a_model_that_is_not_read_is_not_replaced() {
    for (text, told) in [
        (
            "{agents: {defaults: {model: null}}}",
            "agents.defaults.model: null says nothing; write a value, or remove this key",
        ),
        (
            "{agents: {defaults: {model: {primary: null}}}}",
            "agents.defaults.model.primary: null says nothing",
        ),
        ("{agents: {defaults: null}}", "agents.defaults: null says nothing"),
        ("{agents: {list: null}}", "agents.list: null says nothing"),
        ("{agents: {list: [{id: 'main', model: null}]}}", "agents.list.0.model: null says nothing"),
        ("{agents: null}", "agents: null says nothing"),
        ("{agent: {defaults: {model: 'a/b'}}}", "agent: key of an earlier version"),
        ("{agent: {model: 'a/b'}}", "agent.model: key of an earlier version"),
        ("{routing: {agents: {main: {model: 'a/b'}}}}", "routing.agents: key of an earlier version"),
        ("{routing: {agents: [{id: 'x', model: 'a/b'}]}}", "routing.agents: key of an earlier version"),
        ("{agents: {main: {model: 'a/b'}}}", "agents.main: "),
        // T2b-3: it may stand in a file whose `$include` is misspelt.
        ("{agents: {$Include: 'a.json5'}}", "agents.$Include: "),
        ("{agents: {defaults: {$Include: 'a.json5'}}}", "agents.defaults.$Include: "),
        ("{agents: {include: 'a.json5'}}", "agents.include: "),
        ("{agents: {list: [{id: 'main', $includes: 'a.json5'}]}}", "$includes: "),
        ("{$Include: 'a.json5'}", "$Include: "),
        ("{include: 'a.json5'}", "include: "),
        ("{$includes: ['a.json5']}", "$includes: "),
        ("{$import: 'a.json5'}", "$import: "),
        ("{tools: null}", "tools: null says nothing"),
        ("{tools: {allow: null}}", "tools.allow: null says nothing"),
        ("{tools: {exec: {security: null}}}", "tools.exec.security: null says nothing"),
        (
            "{agents: {list: [{id: 'main', tools: {deny: null}}]}}",
            "agents.list.0.tools.deny: null says nothing",
        ),
    ] {
        let dir = Dir::new();
        let error = dir.config(text).check_agent("main").err().unwrap_or_else(|| panic!("{text}"));
        assert!(error.message().contains(told), "{text}: {}", error.message());
    }
    for text in [
        "{agents: {}}",
        "{tools: {exec: {timeoutSec: null}}}",
        "{agents: {list: [{id: 'main'}, {id: 'b', tools: null}]}}",
        "{agents: {defaults: {skipBootstrap: null}}}",
        "{}",
        "{routing: {queue: {}}}",
        "{include: 'a.json5', agents: {defaults: {model: 'c/d'}}}",
        "{agents: {list: [{id: 'main'}, {id: 'other', include: 'a.json5'}]}}",
        "{tools: {include: 'a.json5'}}",
        "{agent: {model: 'a/b'}, agents: {defaults: {model: 'c/d'}}}",
    ] {
        assert!(Dir::new().config(text).check_agent("main").is_ok(), "{text}");
    }
    for text in ["{gateway: {port: null}}", "{gateway: {port: 1e400}}"] {
        let dir = Dir::new();
        dir.write("openclaw.json", text);
        let refused = crate::config::Config::load(&mut dir.env(&[])).err().unwrap();
        assert!(refused.message().contains("gateway.port: "), "{text}: {}", refused.message());
    }
}
