//! Streams of all three formats with half surrogates, bad bytes and tags, cut at every byte and mangled at random.
use super::provider::{Api, Chunk};
use super::reply::testing::read;
use crate::net::fuzz::fuzz;

const APIS: [Api; 3] = [Api::OpenAiCompletions, Api::AnthropicMessages, Api::OpenAiResponses];

/// Pieces of text as they stand in JSON.
const PIECES: [&[u8]; 12] = [
    b"Hi \\ud83d",
    b"\\ude00!",
    b"a\xF0\x9F",
    b"\x98\x80b",
    b"\xFF",
    b"<thi",
    b"nk>hm</think>\\n",
    b"`<think>`",
    b"</think>",
    b"<final>",
    b"\\\\ud83d",
    b"```\\n",
];

/// One event with a piece of text in a format.
fn event(api: Api, piece: &[u8]) -> Vec<u8> {
    let before: &[u8] = match api {
        Api::AnthropicMessages => {
            b"event: x\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""
        }
        Api::OpenAiResponses => b"data: {\"type\":\"response.output_text.delta\",\"x\":{\"y\":{}},\"delta\":\"",
        _ => b"data: {\"choices\":[{\"delta\":{\"content\":\"",
    };
    let after: &[u8] = match api {
        Api::AnthropicMessages => b"\"}}\n\n",
        Api::OpenAiResponses => b"\"}\r\n\r\n",
        _ => b"\"}}]}\n\n",
    };
    [before, piece, after].concat()
}

fn stream(api: Api, pieces: &[&[u8]]) -> Vec<u8> {
    let end: &[u8] = match api {
        Api::AnthropicMessages => {
            b"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
        }
        Api::OpenAiResponses => {
            b"data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n"
        }
        _ => b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    };
    pieces.iter().map(|piece| event(api, piece)).chain([end.to_vec()]).collect::<Vec<_>>().concat()
}

/// The text of an answer; the same was handed on piece by piece, and no place holder is left.
fn outcome(api: Api, pieces: &[&[u8]]) -> Option<String> {
    let (done, chunks) = read(api.format()?, pieces);
    let text = done.ok()?.text();
    let mut said = String::new();
    for chunk in chunks {
        match chunk {
            Chunk::Text(text) => said += &text,
            Chunk::Unsaid => said.clear(),
            _ => {}
        }
    }
    assert!(said.trim_end().ends_with(text.trim_end()), "{said:?} {text:?}");
    assert!(!text.chars().any(|c| ('\u{10f000}'..='\u{10f8ff}').contains(&c)), "{text:?}");
    Some(text)
}

#[test]
fn fuzz_streams_are_the_same_however_they_are_cut() {
    for api in APIS {
        for pieces in [&PIECES[..2], &PIECES[2..5], &PIECES[5..8], &PIECES[10..], &PIECES[..]] {
            let stream = stream(api, pieces);
            let whole = outcome(api, &[&stream]);
            assert!(whole.is_some(), "{}", api.name());
            for cut in 0..=stream.len() {
                let (first, second) = stream.split_at(cut);
                assert_eq!(outcome(api, &[first, second]), whole, "{} cut at {cut}", api.name());
            }
        }
        let whole = outcome(api, &[&stream(api, &PIECES[..4])]);
        assert_eq!(whole.as_deref(), Some("Hi \u{1f600}!a\u{1f600}b"), "{}", api.name());
    }
}

#[test]
fn fuzz_mangled_streams_end_in_an_answer_or_an_error() {
    let samples: Vec<Vec<u8>> = APIS.into_iter().map(|api| stream(api, &PIECES)).collect();
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    fuzz(&samples, |input, random| {
        let (first, second) = input.split_at(random.below(input.len() + 1));
        for api in APIS {
            assert_eq!(outcome(api, &[input]), outcome(api, &[first, second]), "the cut changes the answer");
        }
    });
}
