//! Model servers of each wire format: a turn that goes well, a turn with a tool, and everything that goes
//! wrong, each with one clear sentence and a session that goes on.
use crate::agent::turn;
use crate::harness::model::{last_user_text, texts};
use crate::harness::*;

const APIS: [&str; 3] = ["openai-completions", "openai-responses", "anthropic-messages"];
const KEY: &str = "sk-test-key-0123456789";

/// A gateway whose model speaks `api`, is asked once only and may think.
fn gateway(server: &ModelServer, api: &str) -> Gateway {
    let mut config = server.config_for(api);
    let model = json!([{"id": "m", "name": "Test model", "reasoning": true,
        "compat": {"supportsReasoningEffort": true}}]);
    let over = json!({
        "models": {"providers": {"test": {"retries": 0, "models": model}}},
        "agents": {"defaults": {"thinkingDefault": "low"}},
    });
    merge(&mut config, &over);
    Gateway::start(&Setup::config(config))
}

fn text_of(done: &Value) -> &str {
    done["result"]["payloads"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn each_format_answers_with_text_and_thinking() {
    for api in APIS {
        let steps = [
            Step::Think("let me ".into()),
            Step::Think("see".into()),
            Step::Text("Gr\u{fc}\u{df} ".into()),
            Step::Text("dich \u{1f600}".into()),
            Step::Done,
        ];
        let server = ModelServer::start(vec![Reply::Stream(steps.to_vec())]);
        let gateway = gateway(&server, api);
        let mut client = Client::operator(&gateway, 4);
        let done = turn(&mut client, "first question", "k1").unwrap_or_else(|e| panic!("{api}: {e}"));
        assert_eq!(text_of(&done), "Gr\u{fc}\u{df} dich \u{1f600}", "{api}");
        let usage = &done["result"]["meta"]["agentMeta"]["usage"];
        assert_eq!(usage, &json!({"input": 11, "output": 5, "total": 16}), "{api}");
        turn(&mut client, "second question", "k2").unwrap();

        let requests = server.requests(2);
        let (head, body) = (requests[1]["head"].as_str().unwrap(), &requests[1]["body"]);
        let (path, credential, thinks) = match api {
            "openai-completions" => ("/v1/chat/completions", "authorization: Bearer ", "/reasoning_effort"),
            "openai-responses" => ("/v1/responses", "authorization: Bearer ", "/reasoning/effort"),
            _ => ("/v1/messages", "x-api-key: ", "/thinking/budget_tokens"),
        };
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1")), "{api}: {head}");
        assert!(head.contains(&format!("{credential}{KEY}")), "{api}: {head}");
        assert!(body.pointer(thinks).is_some(), "{api}: {body}");
        assert!(last_user_text(body).contains("second question"), "{api}: {body}");
        let conversation = body.get("messages").unwrap_or(&body["input"]).to_string();
        assert!(conversation.contains("first question"), "{api}: {conversation}");
        assert!(conversation.contains("dich \u{1f600}"), "{api}: {conversation}");
        assert!(
            !conversation.contains("let me see"),
            "thinking that led to no call stays here: {conversation}"
        );
        let files = std::fs::read_dir(gateway.sessions_dir()).unwrap().flatten();
        let transcripts: String = files.filter_map(|f| std::fs::read_to_string(f.path()).ok()).collect();
        assert!(transcripts.contains("let me see"), "{api}: thinking is kept in the transcript");
    }
}

#[test]
fn each_format_carries_tool_calls_and_their_results() {
    for api in APIS {
        let call = |id: &str, arguments: &str| Step::Call {
            id: id.into(),
            name: "no_such_tool".into(),
            arguments: arguments.into(),
        };
        let calls = [
            Step::Think("a tool!".into()),
            call("call_1", "{\"a\": \"\u{fc}\"}"),
            call("call_2", "{\"a\": oops"),
            Step::Done,
        ];
        let server = ModelServer::start(vec![Reply::Stream(calls.to_vec()), texts(&["done"])]);
        let gateway = gateway(&server, api);
        let mut client = Client::operator(&gateway, 4);
        let done = turn(&mut client, "use it", "k").unwrap_or_else(|e| panic!("{api}: {e}"));
        assert_eq!(text_of(&done), "done", "{api}");
        let body = server.requests(2)[1]["body"].clone();
        let results: Vec<Value> = match api {
            "openai-completions" => list(&body["messages"], |m| m["role"] == "tool"),
            "openai-responses" => list(&body["input"], |i| i["type"] == "function_call_output"),
            _ => {
                list(&body["messages"][2]["content"], |b| b["type"] == "tool_result" && b["is_error"] == true)
            }
        };
        assert_eq!(results.len(), 2, "{api}: {body}");
        for (result, id) in results.iter().zip(["call_1", "call_2"]) {
            assert!(result.to_string().contains(id), "{api}: {result}");
        }
        // The turn goes on, so the model gets its reasoning back in the way it wants it.
        let proof = if api == "openai-completions" { "a tool!" } else { "signed-0" };
        assert!(body.to_string().contains(proof), "{api}: {body}");
    }
}

fn list(values: &Value, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
    values.as_array().into_iter().flatten().filter(|v| fits(v)).cloned().collect()
}

struct Case {
    name: &'static str,
    reply: Reply,
    /// Words of the sentence.
    words: &'static [&'static str],
    retryable: bool,
    reason: &'static str,
}

fn status(code: u16) -> Reply {
    Reply::Status(code, vec![], r#"{"error":{"message":"the stub says no","type":"x"}}"#.into())
}

fn cases() -> Vec<Case> {
    let case = |name, reply, words, retryable, reason| Case { name, reply, words, retryable, reason };
    let half = Reply::Stream(vec![Step::Text("half".into()), Step::Cut]);
    let html = Reply::Status(200, vec![], "<html>a login page</html>".into());
    let stream = |bytes: &[u8]| Reply::Stream(vec![Step::Raw(bytes.to_vec()), Step::Done]);
    vec![
        case("400", status(400), &["HTTP 400", "the stub says no"], false, "format"),
        case(
            "401",
            status(401),
            &["does not accept the API key", "models.providers.test.apiKey"],
            false,
            "auth",
        ),
        case("402", status(402), &["no credit"], false, "billing"),
        case("403", status(403), &["may not use the model"], false, "auth"),
        case("404", status(404), &["has no model m"], false, "model_not_found"),
        case("408", status(408), &["gave up waiting"], true, "timeout"),
        case("429", status(429), &["too many requests"], true, "rate_limit"),
        case("500", status(500), &["the server failed"], true, "overloaded"),
        case("503", status(503), &["the server failed"], true, "overloaded"),
        case("529", status(529), &["overloaded"], true, "overloaded"),
        case("redirect", status(302), &["redirects are not followed"], false, "unknown"),
        case("drop", Reply::Drop, &["closed the connection"], true, "network"),
        case("cut", half, &["in the middle"], true, "network"),
        case("no stream", html, &["event stream was expected"], false, "unknown"),
        case("no JSON", stream(b"data: {not json\n\n"), &["not JSON"], false, "unknown"),
        case("empty", Reply::Stream(vec![Step::Done]), &["empty answer"], true, "unknown"),
    ]
}

/// The turn fails with this one sentence, and the next one on the session goes well.
fn check(client: &mut Client, case: &Case, label: &str, mend: impl FnOnce()) {
    let error = turn(client, "hi", &format!("{label}-bad")).expect_err(label);
    assert_eq!(error["code"], "UNAVAILABLE", "{label}: {error}");
    let message = error["message"].as_str().unwrap();
    assert!(case.words.iter().all(|word| message.contains(word)), "{label}: {message}");
    assert!(!message.contains('\n') && !message.ends_with('.'), "{label}: {message}");
    assert!(!error.to_string().contains(KEY), "{label}: {error}");
    assert_eq!(error["retryable"] == true, case.retryable, "{label}: {error}");
    let details = &error["details"];
    let told = (&details["provider"], &details["model"], &details["failoverReason"]);
    assert_eq!(told, (&json!("test"), &json!("m"), &json!(case.reason)), "{label}: {error}");
    mend();
    let done = turn(client, "again", &format!("{label}-good")).unwrap_or_else(|e| panic!("{label}: {e}"));
    assert_eq!(text_of(&done), "fine", "{label}");
}

#[test]
fn every_failure_is_one_sentence_and_the_session_goes_on() {
    for api in APIS {
        let cases = cases();
        let replies = cases.iter().flat_map(|case| [case.reply.clone(), texts(&["fine"])]).collect();
        let server = ModelServer::start(replies);
        let gateway = gateway(&server, api);
        let mut client = Client::operator(&gateway, 4);
        for case in &cases {
            check(&mut client, case, &format!("{api} {}", case.name), || {});
        }
        assert!(!gateway.log().contains(KEY) && !gateway.stdout().contains(KEY));
    }
}

#[test]
fn a_server_that_cannot_help_is_told_until_another_is_configured() {
    let refused = format!("http://127.0.0.1:{}/v1", crate::harness::gateway::free_port());
    // What is too long for the model stays so after a compaction, which asks the same server.
    let full = ModelServer::start(vec![status(413)]);
    let full_url = format!("http://127.0.0.1:{}/v1", full.port);
    let nowhere = "http://no-such-host.invalid/v1".to_string();
    let too_long = (full_url, &["HTTP 413", "too long", "reset the session"][..], false, "context_length");
    let cases = [
        (APIS[0], (refused, &["refused the connection", "is the server running?"][..], true, "network")),
        (APIS[0], (nowhere, &["host name does not resolve", "baseUrl"][..], true, "network")),
        (APIS[0], too_long.clone()),
        (APIS[1], too_long.clone()),
        (APIS[2], too_long),
    ];
    for (api, (url, words, retryable, reason)) in cases {
        let server = ModelServer::start(vec![texts(&["fine"])]);
        let mut config = server.config_for(api);
        merge(&mut config, &json!({"models": {"providers": {"test": {"baseUrl": url}}}}));
        let gateway = Gateway::start(&Setup::config(config));
        let mut client = Client::operator(&gateway, 4);
        let case = Case { name: "", reply: Reply::Drop, words, retryable, reason };
        check(&mut client, &case, &format!("{api} {url}"), || {
            let text = std::fs::read_to_string(gateway.config_path()).unwrap();
            let good = format!("http://127.0.0.1:{}/v1", server.port);
            std::fs::write(gateway.config_path(), text.replace(&url, &good)).unwrap();
        });
    }
}

#[test]
fn a_key_may_come_from_a_file() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let mut config = server.config_for("anthropic-messages");
    let dir = gateway::new_dir();
    let path = dir.join("key");
    let test = &mut config["models"]["providers"]["test"];
    test.as_object_mut().unwrap().remove("apiKey");
    test["apiKeyFile"] = path.to_str().unwrap().into();
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let error = turn(&mut client, "hi", "k1").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("models.providers.test.apiKeyFile"), "{error}");
    std::fs::write(&path, "sk-from-a-file-0123456789\n").unwrap();
    turn(&mut client, "hi", "k2").unwrap();
    let head = server.requests(1)[0]["head"].clone();
    assert!(head.as_str().unwrap().contains("x-api-key: sk-from-a-file-0123456789"), "{head}");
    wait_for("a warning about the file's mode", || gateway.log().contains("chmod 600").then_some(()));
    assert!(!gateway.log().contains("sk-from-a-file"));
    std::fs::remove_dir_all(&dir).unwrap();
}
