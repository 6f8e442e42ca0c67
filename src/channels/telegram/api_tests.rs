//! The client against small listeners: what left, what came back, and that the token is nowhere to be read.
use super::super::download::Pace;
use super::super::form::Content;
use super::super::refusal::Why;
use super::*;
use crate::cancel::Reason;
use crate::settings::Secret;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const PACE: Pace = Pace { silence: CALL, all: CALL };
const TOKEN: &str = "123456:AAcanaryCANARYcanaryCANARY";

/// What a connection does with one request after the other; it closes at the end.
#[derive(Clone)]
enum Act {
    Say(&'static str, String),
    /// Answers without having been asked anything.
    Tunnel(&'static str),
    Hang,
}

fn ok(result: &str) -> Act {
    Act::Say("200 OK", format!("{{\"ok\":true,\"result\":{result}}}"))
}

/// A server of these connections; what each request was, with the connection's number.
fn serve(connections: Vec<Vec<Act>>) -> (u16, Receiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tx, rx) = channel();
    let work = move || {
        for (n, acts) in connections.into_iter().enumerate() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            for act in acts {
                let Some(request) = request(&mut reader) else { break };
                // The test may be over.
                let _ = tx.send((n, request));
                match act {
                    Act::Say(status, body) => {
                        let length = body.len();
                        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
                            .unwrap();
                    }
                    Act::Tunnel(status) => write!(stream, "HTTP/1.1 {status}\r\n\r\n").unwrap(),
                    Act::Hang => drop(stream.read(&mut [0; 1])),
                }
            }
        }
    };
    crate::threads::bare("test-api", 256 * 1024, work).unwrap();
    (port, rx)
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    let lower = text.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8_lossy(&body))
}

fn bot(port: u16) -> Bot {
    bot_by(&format!("http://127.0.0.1:{port}/"), None)
}

fn bot_by(root: &str, proxy: Option<&str>) -> Bot {
    Bot::new(token(), root, proxy).unwrap()
}

fn token() -> BotToken {
    BotToken::read(&Secret::new(TOKEN)).unwrap()
}

fn call(bot: &mut Bot) -> Outcome {
    let params = json!({"chat_id": 1, "text": "x"});
    bot.call("sendMessage", &params, Duration::from_millis(600), &Cancel::new())
}

#[test]
fn calls_share_a_connection_until_the_server_closes_it() {
    let (port, asked) = serve(vec![vec![ok("1"), ok("2")], vec![ok("3")]]);
    let mut bot = bot(port);
    assert_eq!((call(&mut bot), call(&mut bot)), (Outcome::Done(1.into()), Outcome::Done(2.into())));
    // The server closed after its second answer: nothing is sent into that.
    let until = Instant::now() + Duration::from_secs(2);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(call(&mut bot), Outcome::Done(3.into()));
    assert!(Instant::now() < until);
    let connections: Vec<usize> = asked.try_iter().map(|(n, _)| n).collect();
    assert_eq!(connections, [0, 0, 1]);
}

#[test]
fn r_30c_what_never_left_is_told_from_what_may_have_arrived() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = call(&mut bot(free));
    assert!(
        matches!(&refused, Outcome::NotSent(why) if why.text.contains("refused the connection")),
        "{refused:?}"
    );
    let nowhere = call(&mut bot_by("http://no-such-host.invalid", None));
    assert!(matches!(nowhere, Outcome::NotSent(_)), "{nowhere:?}");
    let (port, _asked) = serve(vec![vec![ok("0"), Act::Hang]]);
    let mut slow = bot(port);
    assert!(matches!(call(&mut slow), Outcome::Done(_)));
    let started = Instant::now();
    let late = call(&mut slow);
    assert!(
        matches!(&late, Outcome::Unknown(why) if why.text.contains("in time") && !why.is_cancelled),
        "{late:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(3));
    // Reads the request and closes.
    let (port, _asked) = serve(vec![vec![ok("0"), ok("1")].into_iter().take(1).collect(), vec![]]);
    let mut dropped = bot(port);
    assert!(matches!(call(&mut dropped), Outcome::Done(_)));
    let (port, _asked) = serve(vec![vec![Act::Say("", String::new())]]);
    let nonsense = call(&mut bot(port));
    assert!(matches!(nonsense, Outcome::Unknown(_)), "{nonsense:?}");
}

#[test]
fn a_stop_ends_a_call_at_once() {
    let (port, _asked) = serve(vec![vec![Act::Hang]]);
    let cancel = Cancel::new();
    let stopping = cancel.clone();
    let stop = move || {
        std::thread::sleep(Duration::from_millis(100));
        stopping.cancel(Reason::Shutdown);
    };
    crate::threads::bare("test-stop", 64 * 1024, stop).unwrap();
    let started = Instant::now();
    let got = bot(port).updates(Some(5), Duration::from_secs(30), &cancel);
    assert!(matches!(got, Outcome::Unknown(why) if why.is_cancelled));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_proxy_is_asked_to_connect_and_its_refusal_sends_nothing() {
    // The proxy stands for the server behind it, too.
    let (port, asked) = serve(vec![vec![Act::Tunnel("200 Connected"), ok("1"), ok("2")]]);
    let proxy = format!("http://user:pass@127.0.0.1:{port}");
    let mut through = bot_by("http://api.telegram.invalid", Some(&proxy));
    assert_eq!((call(&mut through), call(&mut through)), (Outcome::Done(1.into()), Outcome::Done(2.into())));
    let first = asked.recv().unwrap().1;
    assert!(first.starts_with("CONNECT api.telegram.invalid:80 ") && !first.contains("CANARY"), "{first}");
    let (port, _asked) = serve(vec![vec![Act::Say("407 No", String::new())]]);
    let refused = call(&mut bot_by("http://api.telegram.invalid", Some(&format!("http://127.0.0.1:{port}"))));
    assert!(matches!(&refused, Outcome::NotSent(_)), "{refused:?}");
    let error = Bot::new(token(), ROOT, Some("socks5://u:secret@h:1")).err().unwrap();
    assert!(error.message().contains("http://host:port") && !error.message().contains("secret"), "{error}");
}

#[test]
fn files_go_as_parts_of_a_known_length() {
    let (port, asked) = serve(vec![vec![ok("{}")]]);
    let files = vec![Upload {
        part: "f".into(),
        file_name: "a\"b.txt".into(),
        content: Content::Bytes(b"inside".to_vec()),
    }];
    let params = json!({"chat_id": -100, "document": "attach://f", "reply_parameters": {"message_id": 5}});
    let sent = bot(port).upload("sendDocument", params.as_object().unwrap(), &files, &Cancel::new());
    assert!(matches!(sent, Outcome::Done(_)), "{sent:?}");
    let (_, request) = asked.recv().unwrap();
    for part in [
        "name=\"chat_id\"\r\n\r\n-100\r\n",
        "name=\"reply_parameters\"\r\n\r\n{\"message_id\":5}\r\n",
        "name=\"f\"; filename=\"a_b.txt\"\r\nContent-Type: application/octet-stream\r\n\r\ninside\r\n--",
    ] {
        assert!(request.contains(part), "{part:?} is missing in {request}");
    }
    assert!(request.ends_with("--\r\n"), "the length is the whole form's");
    let large = Upload {
        part: "f".into(),
        file_name: "a".into(),
        content: Content::Open(std::fs::File::open("/dev/zero").unwrap(), 51 << 20),
    };
    let refused = bot(port).upload("sendDocument", params.as_object().unwrap(), &[large], &Cancel::new());
    assert!(matches!(refused, Outcome::NotSent(why) if why.text.contains("50 MB")));
}

#[test]
fn files_are_fetched_up_to_a_limit() {
    let say = |status: &'static str, body: &str| vec![Act::Say(status, body.to_string())];
    let (port, asked) = serve(vec![
        say("200 OK", "12345"),
        say("200 OK", "12345"),
        say("404 Not Found", "{\"ok\":false,\"error_code\":404,\"description\":\"Not Found\"}"),
    ]);
    let get = |max: u64| {
        let mut out = Vec::new();
        let got = bot(port).download("a b/\u{fc}.txt", max, &mut out, PACE, &Cancel::new());
        (got, out)
    };
    assert_eq!(get(5), (Outcome::Done(5), b"12345".to_vec()));
    assert!(asked.recv().unwrap().1.contains("/a%20b/%C3%BC.txt "));
    assert!(matches!(get(4).0, Outcome::Refused(why) if why.why == Why::FileTooBig));
    assert!(matches!(get(5).0, Outcome::Refused(why) if why.why == Why::NotFound));
    let local = bot(port).download("/var/lib/x", 5, &mut Vec::new(), PACE, &Cancel::new());
    assert!(matches!(local, Outcome::NotSent(_)));
}

/// Issue 11: a server on this machine names files by their paths; only those of the bot's own directory are taken.
#[test]
fn i11_11_files_of_a_local_server_are_taken_from_the_bots_own_directory() {
    let dir = std::env::temp_dir().join(format!("local-{}", crate::ids::uuid().unwrap()));
    let own = dir.join(TOKEN).join("photos");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("file_0.jpg"), "12345").unwrap();
    std::fs::write(dir.join("other"), "12345").unwrap();
    let (port, _asked) = serve(vec![]);
    let get = |bot: &mut Bot, path: &std::path::Path, max: u64| {
        let mut out = Vec::new();
        let got = bot.download(path.to_str().unwrap(), max, &mut out, PACE, &Cancel::new());
        assert!(!format!("{got:?}").contains("CANARY"), "{got:?}");
        (got, out)
    };
    assert_eq!(get(&mut bot(port), &own.join("file_0.jpg"), 5), (Outcome::Done(5), b"12345".to_vec()));
    let over = get(&mut bot(port), &own.join("file_0.jpg"), 4).0;
    assert!(matches!(over, Outcome::Refused(why) if why.why == Why::FileTooBig));
    for path in [dir.join("other"), own.join("gone"), own.join("../../other"), dir.join(TOKEN)] {
        assert!(matches!(get(&mut bot(port), &path, 5).0, Outcome::NotSent(_)), "{path:?}");
    }
    let mut far = Bot::new(token(), "http://127.0.0.1.example.org", None).unwrap();
    assert!(matches!(get(&mut far, &own.join("file_0.jpg"), 5).0, Outcome::NotSent(_)));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn sec_25_the_token_is_in_no_outcome() {
    let path = format!("{{\"ok\":false,\"error_code\":400,\"description\":\"/bot{TOKEN}/x\"}}");
    for act in [
        Act::Hang,
        Act::Say("502 Bad", format!("<a href=/bot{TOKEN}/>")),
        Act::Say("400 No", path),
        Act::Tunnel("junk"),
    ] {
        let (port, _asked) = serve(vec![vec![act]]);
        let got = format!("{:?}", call(&mut bot(port)));
        assert!(!got.contains("CANARY") && !got.contains("Done"), "{got}");
    }
    for root in ["http://h h", "ftp://x", "", "http://", "http://[::1"] {
        let made = Bot::new(token(), root, None);
        assert!(made.is_err_and(|e| !e.message().contains("CANARY")), "{root}");
    }
}
