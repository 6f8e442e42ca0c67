//! Half an answer is never passed off as a whole: ends that servers speak of too early, and words of servers behind half an
//! answer, in all formats.
use crate::agent::turn;
use crate::cli::out;
use crate::harness::*;
use crate::telegram::{ann, with_bot};

fn event(event: &Value) -> Step {
    Step::Raw(format!("data: {event}\n\n").into_bytes())
}

fn said(text: &str, more: Value) -> Step {
    let mut piece = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    merge(&mut piece, &more);
    event(&piece)
}

fn ended(text: &str, more: Value) -> Step {
    let mut piece = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]});
    merge(&mut piece, &more);
    event(&piece)
}

fn start(steps: Vec<Step>, over: &Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(vec![Reply::Stream(steps)]);
    let mut config = server.config();
    merge(&mut config["models"]["providers"]["test"], over);
    let gateway = Gateway::start(&Setup::config(config));
    (server, gateway)
}

#[test]
fn b_f19_no_early_end_makes_a_half_a_whole() {
    let usage = || json!({"usage": {"prompt_tokens": 3, "completion_tokens": 2}});
    let counts = || event(&json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}));
    let silence = || Step::Pause(Duration::from_millis(5600));
    let cases = [
        ("beside", vec![ended("one ", usage()), silence(), ended("two", usage())]),
        ("behind", vec![ended("one ", json!({})), counts(), silence(), said("two", json!({}))]),
        ("in every piece", vec![said("one", usage()), ended(" ", usage()), silence(), ended("two", usage())]),
        (
            "before the end",
            vec![said("one ", json!({})), counts(), ended("", json!({})), silence(), said("two", json!({}))],
        ),
        ("before the words", vec![ended("", usage()), silence(), said("one two", json!({}))]),
        (
            "repeated",
            vec![
                ended("o", json!({})),
                ended("n", json!({})),
                ended("e ", json!({})),
                ended("", usage()),
                silence(),
                ended("two", json!({})),
            ],
        ),
    ];
    std::thread::scope(|scope| {
        for (name, mut steps) in cases {
            scope.spawn(move || {
                steps.push(Step::Done);
                let (_server, gateway) = start(steps, &json!({}));
                let done = turn(&mut Client::operator(&gateway, 4), "hi", "k1").unwrap();
                assert_eq!(done["result"]["payloads"][0]["text"], "one two", "{name}: {done}");
            });
        }
    });
}

#[test]
fn b_f19_a_connection_that_breaks_ends_no_answer_whose_ends_come_early() {
    let (_server, gateway) =
        start(vec![ended("one ", json!({})), ended("two ", json!({})), Step::Cut], &json!({"retries": 0}));
    let error = turn(&mut Client::operator(&gateway, 4), "hi", "k1").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("in the middle"), "{error}");
}

// An end beside words may be no end, so a connection that breaks behind it has cut the answer.
#[test]
fn b_f19_a_connection_that_breaks_behind_an_end_beside_words_ends_no_answer() {
    let piece =
        json!({"choices": [{"index": 0, "delta": {"content": "The answer "}, "finish_reason": "stop"}]});
    let piece = format!("data: {piece}\n\n");
    let half = "data: {\"choices\":[{\"delta\":{\"conte";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{more}\r\n\r\n");
    let chunked = head("transfer-encoding: chunked");
    let broken = [
        ("in an event", head("connection: close") + &piece + half),
        ("in an event of chunks", format!("{chunked}{}{}", chunk(&piece), chunk(half))),
        ("between chunks", format!("{chunked}{}", chunk(&piece))),
        ("in a chunk", format!("{chunked}{}190\r\n{half}", chunk(&piece))),
        ("short of its length", head("content-length: 5000") + &piece),
    ];
    let whole = [
        ("closed", head("connection: close") + &piece),
        ("ended", format!("{chunked}{}0\r\n\r\n", chunk(&piece))),
        ("marked", format!("{chunked}{}", chunk(&(piece.clone() + "data: [DONE]\n\n")))),
    ];
    let raw = |(_, bytes): &(&str, String)| Reply::Raw(bytes.clone().into_bytes());
    let server = ModelServer::start(broken.iter().chain(&whole).map(raw).collect());
    let mut config = server.config();
    merge(&mut config["models"]["providers"]["test"], &json!({"retries": 0}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    for (name, _) in &broken {
        let error = turn(&mut client, "hi", name).expect_err(name);
        assert!(error["message"].as_str().unwrap().contains("in the middle"), "{name}: {error}");
    }
    for (name, _) in &whole {
        let done = turn(&mut client, "hi", name).unwrap();
        assert_eq!(done["result"]["payloads"][0]["text"], "The answer ", "{name}: {done}");
    }
}

#[test]
fn b_f17_words_behind_half_an_answer_are_told_in_every_format() {
    let halves = [
        ("openai-completions", json!({"choices": [{"delta": {"content": "half words"}}]})),
        (
            "anthropic-messages",
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half words"}}),
        ),
        (
            "openai-responses",
            json!({"type": "response.output_text.delta", "output_index": 0, "delta": "half words"}),
        ),
    ];
    let words: [&[u8]; 10] = [
        b"data: {\"message\":\"canary\",\"request_id\":\"r\"}\n\n",
        b"data: \"canary\"\n\n",
        b"data: canary\n\n",
        b"data: <html><body>502 canary</body></html>\n\n",
        b"data: <html>\ndata: <body>502 canary</body>\ndata: </html>\n\n",
        b"<html><body>502 canary</body></html>\n\n",
        b"Internal Server Error: canary\n\n",
        b"data: {\"type\":\"overloaded\",\"message\":\"canary\",\"id\":1}\n\n",
        b"data: {\"choices\":[],\"errmsg\":\"canary\",\"object\":\"chat.completion.chunk\"}\n\n",
        b"{\n  \"message\": \"canary\",\n  \"id\": 7\n}\n\n",
    ];
    for (api, half) in &halves {
        let mut replies = Vec::new();
        for words in words {
            replies.push(Reply::Stream(vec![
                event(half),
                Step::Raw(words.to_vec()),
                Step::Raw(b"data: [DONE]\n\n".to_vec()),
            ]));
            replies.push(Reply::Stream(vec![event(half), Step::Raw(words.to_vec())]));
        }
        let n = replies.len();
        let server = ModelServer::start(replies);
        let mut config = server.config();
        merge(&mut config["models"]["providers"]["test"], &json!({"api": api, "retries": 0}));
        let gateway = Gateway::start(&Setup::config(config));
        let mut client = Client::operator(&gateway, 4);
        for n in 0..n {
            let error = turn(&mut client, "hi", &format!("k{n}")).expect_err(api);
            assert!(error["message"].as_str().unwrap().contains("canary"), "{api} {n}: {error}");
        }
    }
}

#[test]
fn b_f17_a_mark_ends_no_answer_in_formats_that_have_an_end_of_their_own() {
    let mark = || Step::Raw(b"data: [DONE]\n\n".to_vec());
    let text = json!({"type": "text_delta", "text": "half"});
    for (api, half) in [
        ("anthropic-messages", json!({"type": "content_block_delta", "index": 0, "delta": text})),
        (
            "openai-responses",
            json!({"type": "response.output_text.delta", "output_index": 0, "delta": "half"}),
        ),
    ] {
        let (_server, gateway) = start(vec![event(&half), mark()], &json!({"api": api, "retries": 0}));
        let error = turn(&mut Client::operator(&gateway, 4), "hi", "k1").expect_err(api);
        assert!(error["message"].as_str().unwrap().contains("in the middle"), "{api}: {error}");
    }
}

// Issue 9, point 2: an answer that is as long as its model may answer is no whole one, wherever it is read.
#[test]
fn b_f19_an_answer_that_is_cut_is_marked_wherever_it_is_read() {
    let telegram = ann();
    let steps = vec![
        said("half a st", json!({})),
        event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})),
        Step::Raw(b"data: [DONE]\n\n".to_vec()),
    ];
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![Reply::Stream(steps)]);
    telegram.says(1001, 1001, "hi");
    let texts = crate::telegram::said(&telegram, 1001, 1);
    assert!(
        texts[0].starts_with("half a st\n\n") && texts[0].contains("The answer is cut here"),
        "{texts:?}"
    );
    let shown = out(&gateway, &["sessions", "show", "main"]);
    assert!(shown.contains("half a st") && shown.contains("[cut: it is as long as"), "{shown}");
    assert!(gateway.log().contains("turn cut at") && !gateway.log().contains("turn ✓"), "{}", gateway.log());
}
