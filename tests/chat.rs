//! `openclaw chat` at a terminal of its own: keys in, screen out, with a gateway and a scripted model.
use super::harness::gateway::command;
use super::harness::model::{last_user_text, texts};
use super::harness::screen::Screen;
use super::harness::terminal::Terminal;
use super::harness::*;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A chat with a gateway whose model answers so.
struct World {
    server: ModelServer,
    gateway: Gateway,
}

impl World {
    fn start(replies: Vec<Reply>) -> World {
        let server = ModelServer::start(replies);
        let mut config = server.config();
        config["models"]["providers"]["test"]["models"][0]["input"] = json!(["text", "image"]);
        let gateway = Gateway::start(&Setup::config(config));
        World { server, gateway }
    }

    fn echo() -> World {
        World::start(vec![Reply::By(|request| texts(&["You said ", &words(request)]))])
    }

    fn chat_as(&self, columns: u16, args: &[&str], env: &[(&str, &str)]) -> Terminal {
        let mut chat = command(&self.gateway.dir);
        chat.env("OPENCLAW_GATEWAY_PORT", self.gateway.port.to_string()).args(args);
        chat.envs(env.iter().copied());
        Terminal::start(chat, columns)
    }

    fn chat(&self) -> Terminal {
        let terminal = self.chat_as(80, &["chat"], &[]);
        terminal.wait_screen("the prompt", |screen| is_ready(screen) && screen.all().contains("/help: what"));
        terminal
    }
}

/// What was said last, without what the gateway puts around it.
fn words(request: &Value) -> String {
    let text = last_user_text(request);
    let text = text.split_once(" UTC] ").map_or(text.as_str(), |(_, text)| text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("[message_id: ")).collect();
    lines.join("\n")
}

/// Whether the cursor stands behind an empty prompt.
fn is_ready(screen: &Screen) -> bool {
    screen.at_cursor().0 == "> "
}

/// Waits until `text` has been said and the turn is over: there is a blank row, and the prompt below it.
fn said(terminal: &Terminal, text: &str) -> Screen {
    terminal.wait_screen(&format!("{text:?} and the prompt"), |screen| {
        screen.all().contains(text) && is_ready(screen) && screen.all().trim_end().ends_with("\n\n>")
    })
}

fn bye(mut terminal: Terminal) {
    terminal.keys(CTRL_D);
    assert_eq!(terminal.status().code(), Some(0), "{}", terminal.text());
    assert!(terminal.is_cooked(), "the terminal is as it was");
}

#[test]
fn i14_1_a_message_is_edited_and_its_answer_streamed() {
    let stream = vec![
        Step::Text("# Title\nsome **bold".into()),
        Step::Gate,
        Step::Text(" words** and `code`\n```sh\nls -l\n```\nend".into()),
        Step::Done,
    ];
    let world = World::start(vec![Reply::Stream(stream), texts(&["again"])]);
    let mut chat = world.chat();
    chat.sees("agent:main:main  test/m");
    // Written as "wurd two", made "one word two".
    chat.keys("wurd two\x1b[1;5D\x1b[1;5D\x1b[C\x1b[3~o\x01one ");
    let screen = chat.wait_screen("the edited line", |screen| screen.all().contains("> one word two"));
    assert_eq!(screen.at_cursor(), ("> one ".to_string(), "word two".to_string()));
    chat.keys(ENTER);
    // Shown before it is whole, without the marks.
    let screen = chat.sees("some bold");
    assert!(screen.all().contains("> one word two\nTitle\nsome bold"), "{}", screen.all());
    world.server.release();
    let screen = said(&chat, "end");
    assert!(
        screen.all().contains("Title\nsome bold words and code\n    sh\n    ls -l\nend\n\n>"),
        "{}",
        screen.all()
    );
    assert!(chat.text().contains("\u{1b}[1mTitle\u{1b}[0m"), "headings are bold");
    assert_eq!(words(&world.server.requests(1)[0]["body"]), "one word two");
    // What was said comes back.
    chat.keys("\x1b[A");
    chat.wait_screen("the message again", |screen| screen.at_cursor().0 == "> one word two");
    chat.keys("\x15");
    bye(chat);
}

/// Nothing between the model and the screen waits for a second word. The best of several, as others use the machine too.
#[test]
fn i14_1_the_first_word_is_shown_within_ten_milliseconds() {
    let first = |n| {
        Reply::Stream(vec![Step::Text(format!("word{n}")), Step::Gate, Step::Text(" end".into()), Step::Done])
    };
    let world = World::start((0..12).map(first).collect());
    let mut chat = world.chat();
    let took = (0..12).map(|n| {
        chat.keys("say\r");
        let word = format!("word{n}");
        let start = Instant::now();
        while !chat.text().contains(&word) {
            assert!(start.elapsed() < DEADLINE, "{}", chat.text());
            std::thread::sleep(Duration::from_micros(100));
        }
        let took = world.server.sent()[2 * n].elapsed();
        world.server.release();
        said(&chat, &format!("{word} end"));
        took
    });
    let took: Vec<Duration> = took.collect();
    assert!(took.iter().min().is_some_and(|best| *best < Duration::from_millis(10)), "{took:?}");
    bye(chat);
}

#[test]
fn i14_1_what_was_said_is_found_again_and_secrets_are_not_kept() {
    let world = World::echo();
    let mut chat = world.chat();
    let lines = [
        ("first thing", Some("You said first thing")),
        (" my secret", Some("You said my secret")),
        ("second\\", None),
        ("line", Some("You said second\nline")),
    ];
    for (text, answer) in lines {
        chat.keys(text);
        chat.keys(ENTER);
        answer.iter().for_each(|answer| drop(said(&chat, answer)));
    }
    bye(chat);
    let file = world.gateway.state_dir().join("chat-history.jsonl");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "\"first thing\"\n\"second\\nline\"\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut chat = world.chat();
    chat.sees("> second line");
    chat.keys("\x12fir");
    chat.sees("(search: fir) first thing");
    chat.keys("\r");
    chat.wait_screen("what was found", |screen| screen.at_cursor().0 == "> first thing");
    chat.keys("\x03");
    chat.wait_screen("nothing", is_ready);
    bye(chat);
}

#[test]
fn i14_1_many_lines_are_pasted_as_one_message() {
    let world = World::echo();
    let mut chat = world.chat();
    let lines: Vec<String> = (1..=40).map(|n| format!("line {n}")).collect();
    chat.keys(&format!("see \x1b[200~{}\x1b[201~", lines.join("\r")));
    chat.sees("> see [40 lines pasted]");
    // Two lines are shown as they are.
    chat.keys(" and \x1b[200~a\nb\x1b[201~");
    chat.sees("and a\n  b");
    assert_eq!(world.server.count(), 0, "a line break of a paste sends nothing");
    chat.keys(ENTER);
    said(&chat, "line 40 and a\nb");
    let sent = words(&world.server.requests(1)[0]["body"]);
    assert_eq!(sent, format!("see {} and a\nb", lines.join("\n")));
    bye(chat);
}

#[test]
fn i14_1_ctrl_c_stops_the_turn_then_the_line_then_the_chat() {
    let slow = || Reply::Stream(vec![Step::Text("begun".into()), Step::Gate, Step::Done]);
    let world = World::start(vec![slow(), slow(), texts(&["alive"])]);
    let mut chat = world.chat();
    chat.keys("one\r");
    chat.sees("begun");
    chat.keys(CTRL_C);
    said(&chat, "(stopped)");
    chat.keys("two\r");
    chat.wait_screen("the second answer", |screen| screen.all().matches("begun").count() == 2);
    chat.keys("/stop\r");
    chat.wait_screen("the second stop", |screen| {
        screen.all().matches("(stopped)").count() == 2 && is_ready(screen)
    });
    chat.keys("three\r");
    said(&chat, "alive");
    chat.keys("some words");
    chat.wait_screen("the words", |screen| screen.at_cursor().0 == "> some words");
    chat.keys(CTRL_C);
    chat.wait_screen("an empty line", is_ready);
    chat.keys(CTRL_C);
    chat.sees("Ctrl-C again ends the chat");
    chat.keys(CTRL_C);
    assert_eq!(chat.status().code(), Some(0));
    assert!(chat.is_cooked());
}

/// Messages that were sent meanwhile are answered together: their one answer is shown once.
#[test]
fn i14_1_one_answer_to_many_messages_is_shown_once() {
    let slow = Reply::Stream(vec![Step::Text("begun".into()), Step::Gate, Step::Done]);
    let world = World::start(vec![slow, texts(&["for all"])]);
    let mut chat = world.chat();
    chat.keys("one\r");
    chat.sees("begun");
    for (word, waiting) in [("two", 1), ("three", 2), ("four", 3)] {
        chat.keys(&format!("{word}\r"));
        chat.sees(&format!("{waiting} more after it"));
    }
    world.server.release();
    said(&chat, "for all");
    std::thread::sleep(Duration::from_millis(300));
    let shown = said(&chat, "for all").all();
    assert_eq!(shown.matches("for all").count(), 1, "{shown}");
    bye(chat);
}

#[test]
fn i14_1_tools_are_one_line_each() {
    let call = |id: &str, name: &str, arguments: Value| {
        let (id, name, arguments) = (id.into(), name.into(), arguments.to_string());
        Reply::Stream(vec![Step::Text("Let me look.".into()), Step::Call { id, name, arguments }, Step::Done])
    };
    let write = call("c1", "write", json!({"path": "note.txt", "content": "x"}));
    let read = call("c2", "read", json!({"path": "nowhere.txt"}));
    let world = World::start(vec![write, read, texts(&["Done."])]);
    let mut chat = world.chat();
    chat.keys("go\r");
    let screen = said(&chat, "Done.");
    let lines: Vec<String> = screen.all().lines().map(str::to_string).collect();
    let at = lines.iter().position(|line| line.starts_with("  * write")).unwrap();
    assert!(lines[at].ends_with(" s") && lines[at - 1] == "Let me look.", "{lines:#?}");
    assert!(lines[at + 2].starts_with("  * read") && lines[at + 2].contains("failed after "), "{lines:#?}");
    assert_eq!(screen.all().matches("Let me look.").count(), 2);
    bye(chat);
}

#[test]
fn i14_1_slash_commands_are_completed_and_answered() {
    let world = World::echo();
    let mut client = Client::operator(&world.gateway, 4);
    client.ok("sessions.patch", json!({"key": "agent:main:notes", "label": "n"}));
    let mut chat = world.chat();
    chat.keys("/mo\t");
    chat.wait_screen("the shared beginning", |screen| screen.at_cursor().0 == "> /model");
    chat.keys("\t");
    chat.sees("/model   /models");
    chat.keys(" te\t");
    chat.wait_screen("the model", |screen| screen.at_cursor().0.trim_end() == "> /model test/m");
    chat.keys("\x15/usage tok\t\r");
    chat.sees("> /usage tokens");
    chat.wait_screen("the answer", is_ready);
    chat.keys("hello\r");
    // The usage line is the gateway's.
    said(&chat, "You said hello\n");
    chat.keys("/help\r");
    let screen = said(&chat, "/session [key]");
    assert!(screen.all().contains("/think"), "{}", screen.all());
    chat.keys("/nonsense\r");
    said(&chat, "You said /nonsense");
    chat.keys("/session n\t");
    chat.keys("\x15/session agent:main:no\t");
    chat.wait_screen("the session", |screen| {
        screen.at_cursor().0.trim_end() == "> /session agent:main:notes"
    });
    chat.keys(ENTER);
    said(&chat, "openclaw chat  agent:main:notes");
    chat.keys("/quit\r");
    assert_eq!(chat.status().code(), Some(0));
}

#[test]
fn i14_1_a_chat_goes_on_when_the_gateway_is_back() {
    let mut world = World::start(vec![
        Reply::Stream(vec![Step::Text("half of".into()), Step::Gate, Step::Done]),
        texts(&["whole"]),
    ]);
    let mut chat = world.chat();
    chat.keys("one\r");
    chat.sees("half of");
    world.gateway.stop();
    chat.sees("The gateway stopped before the answer was whole.");
    chat.sees("The gateway restarts or ends");
    // What is typed meanwhile is sent when it is there again.
    chat.keys("two\r");
    let screen = chat.sees("connecting to ws://");
    assert!(screen.visible().len() <= 24);
    world.gateway.restart();
    said(&chat, "whole");
    assert!(chat.screen().all().contains("Connected again."));
    // Killed, it says nothing.
    world.gateway.kill();
    chat.sees("The connection is lost: ");
    world.gateway.restart();
    chat.wait_screen("the second time", |screen| screen.all().matches("Connected again.").count() == 2);
    chat.keys("three\r");
    chat.wait_screen("an answer", |screen| screen.all().matches("whole").count() >= 3 && is_ready(screen));
    bye(chat);
}

#[test]
fn i14_1_rows_fit_a_narrow_terminal_and_a_new_width() {
    let answer = format!("{} 日本語のとても長い文です {}", "word ".repeat(30), "x".repeat(150));
    let world = World::start(vec![texts(&[&answer, "\n- 日本語 item\n"])]);
    let mut chat = world.chat_as(40, &["chat"], &[]);
    chat.wait_screen("the prompt", is_ready);
    let typed = "日本語 e\u{301} and so on, more than a row";
    chat.keys(typed);
    let screen = chat.wait_screen("two rows", |screen| screen.at_cursor().0.ends_with("a row"));
    assert!(
        screen.visible().iter().any(|row| row.starts_with("> 日本語 e\u{301} and")),
        "{:?}",
        screen.visible()
    );
    // A wide letter is one step of the cursor, an accent none.
    chat.keys("\x01\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C");
    chat.wait_screen("the cursor", |screen| screen.at_cursor().0 == "> 日本語 e\u{301}");
    chat.keys("\x05\r");
    said(&chat, "- 日本語 item");
    chat.keys("some words that are longer than thirty columns");
    chat.wait_screen("the words", |screen| screen.at_cursor().0.ends_with("columns"));
    for (columns, rows) in [(30, 10), (100, 30), (20, 8)] {
        chat.resize(columns, rows);
        chat.keys(".");
        let screen = chat.wait_screen("the line anew", |screen| {
            screen.at_cursor().0.ends_with('.') && screen.columns == usize::from(columns)
        });
        assert_eq!(screen.all().matches("> some words").count(), 1, "drawn once:\n{}", screen.all());
        chat.keys("\x7f");
        chat.wait_screen("without the dot", |screen| screen.at_cursor().0.ends_with("columns"));
    }
    bye(chat_without_line(chat));
}

fn chat_without_line(mut chat: Terminal) -> Terminal {
    chat.keys("\x15");
    chat.wait_screen("an empty line", is_ready);
    chat
}

#[test]
fn i14_1_pictures_go_by_their_paths() {
    let world = World::echo();
    let put = |name: &str, bytes: &[u8]| {
        let path = world.gateway.dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let picture = put("a picture.png", b"\x89PNG\r\n\x1a\nrest");
    put("notes.md", b"milk and bread\n");
    put("large.jpg", &[0xff; 5_000_001]);
    let mut chat = world.chat();
    // Dragged there, as terminals do.
    chat.keys(&format!("\x1b[200~'{picture}' \x1b[201~what is it?"));
    chat.sees("> [a picture.png]what is it?");
    chat.keys(ENTER);
    said(&chat, "You said what is it?");
    let sent = |n: usize| {
        world.server.requests(n)[n - 1]["body"]["messages"].as_array().unwrap().last().unwrap().to_string()
    };
    assert!(sent(1).contains("data:image/png;base64,"), "{}", sent(1));
    chat.keys("buy what @notes.md says\r");
    said(&chat, "milk and bread");
    chat.keys("/image a\\ picture.png and this\r");
    said(&chat, "You said and this");
    assert!(sent(3).contains("data:image/png;base64,"));
    // Anywhere in the line, quoted, escaped, below home, with what stands behind it in a sentence.
    std::fs::write(world.gateway.dir.join("home/own.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    let pictures = |n: usize| sent(n).matches("data:image/png;base64,").count();
    for (n, (line, with)) in [
        ("what is on a\\ picture.png?", "with a picture.png"),
        ("and on @\"a picture.png\" (see ~/own.png)", "with a picture.png, own.png"),
        ("that's ~/own.png, don't you think", "with own.png"),
    ]
    .into_iter()
    .enumerate()
    {
        chat.keys(&format!("{line}\r"));
        said(&chat, &format!("You said {line}"));
        chat.sees(with);
        assert_eq!(pictures(4 + n), with.matches(".png").count(), "{line}");
    }
    // Tab goes through directories and escapes blanks.
    chat.keys("see ~/ow\t");
    chat.wait_screen("a path", |screen| screen.at_cursor().0.trim_end() == "> see ~/own.png");
    chat.keys("\x15see @a\t");
    chat.wait_screen("a blank", |screen| screen.at_cursor().0.trim_end() == "> see @a\\ picture.png");
    chat.keys("\x15/image large.jpg\r");
    chat.sees("Not sent: large.jpg is too large: a picture (PNG, JPEG, GIF, WebP) may have");
    chat.wait_screen("the line again", |screen| screen.at_cursor().0 == "> /image large.jpg");
    chat.keys("\x15/image /nowhere.png\r");
    chat.sees("Not sent: read /nowhere.png of the message: No such file");
    bye(chat_without_line(chat));
}

#[test]
fn i14_1_a_signal_ends_the_chat_and_leaves_the_terminal_as_it_was() {
    let world = World::echo();
    for signal in [Signal::TERM, Signal::HUP] {
        let mut chat = world.chat();
        assert!(!chat.is_cooked());
        chat.keys("half a line");
        chat.sees("half a line");
        chat.signal(signal);
        assert_eq!(chat.status().signal(), Some(signal.as_raw()));
        assert!(chat.is_cooked(), "after {signal:?}");
        assert!(chat.text().contains("\u{1b}[?2004l"), "pastes come without brackets again");
    }
    // Stopped by somebody and gone on with, it goes on.
    let mut chat = world.chat();
    chat.signal(Signal::STOP);
    chat.signal(Signal::CONT);
    chat.keys("hi\r");
    said(&chat, "You said hi");
    bye(chat);
}

#[test]
fn i14_1_terminals_that_can_less_are_enough() {
    let world = World::echo();
    let mut chat = world.chat_as(80, &["chat"], &[("NO_COLOR", "1")]);
    chat.wait_screen("the prompt", is_ready);
    chat.keys("**so** it is\r");
    said(&chat, "You said **so** it is");
    for code in ["[1m", "[2m", "[36m"] {
        assert!(!chat.text().contains(code), "{:?}", chat.text());
    }
    bye(chat);
    let mut chat = world.chat_as(80, &["chat"], &[("TERM", "dumb")]);
    let at = chat.wait_text(0, "> ");
    chat.type_line("plain words");
    chat.wait_text(at, "You said plain words");
    chat.type_line("/quit");
    assert_eq!(chat.status().code(), Some(0));
    assert!(!chat.text().contains('\u{1b}'), "{:?}", chat.text());
}

#[test]
fn i14_1_without_a_terminal_it_says_what_to_use_and_agent_without_a_message_is_a_chat() {
    let world = World::echo();
    let output = world.gateway.cli(&["chat"]);
    let (_, stderr) = crate::cli::text(&output);
    assert!(
        output.status.code() == Some(1) && stderr.contains("openclaw agent --message <text>"),
        "{stderr}"
    );
    let mut chat = world.chat_as(80, &["agent", "--session-key", "notes"], &[]);
    chat.wait_screen("the prompt", is_ready);
    chat.sees("openclaw chat  agent:main:notes");
    bye(chat_without_line({
        chat.keys("x");
        chat
    }));
    // A gateway elsewhere, by its address.
    let url = format!("ws://127.0.0.1:{}", world.gateway.port);
    let mut far = world.chat_as(80, &["chat", "--url", &url, "--token", TOKEN], &[]);
    far.wait_screen("the prompt", is_ready);
    far.keys("far\r");
    said(&far, "You said far");
    bye(far);
}

#[test]
fn i14_1_a_command_that_waits_is_answered_in_the_chat() {
    let arguments = json!({"command": "echo written"}).to_string();
    let call =
        Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done]);
    let world = World::start(vec![call, texts(&["I have asked."]), texts(&["It is done."])]);
    let mut chat = world.chat();
    chat.keys("do it\r");
    let screen = said(&chat, "I have asked.");
    assert!(screen.all().contains("s for your word:\n    echo written\n  /approve "), "{}", screen.all());
    // Tab knows which one waits, and what may be said.
    chat.keys("/approve \t");
    chat.keys("allow-o\t\r");
    let screen = said(&chat, "It is done.");
    assert!(screen.all().contains(": allow-once"), "{}", screen.all());
    bye(chat);
}

#[test]
fn i14_1_hostile_answers_do_not_steer_the_terminal() {
    let world = World::start(vec![texts(&["a\u{1b}]0;x\u{7}\u{1b}[2Jb\u{9b}31m\u{202e}c\rd"])]);
    let mut chat = world.chat();
    chat.keys("hi\r");
    // The screen of the tests knows our escapes only.
    said(&chat, "a]0;x[2Jb31mcd");
    bye(chat);
}

// Issue 9, point 2: who comes back to a session is not shown half an answer as a whole one.
#[test]
fn b_f19_a_half_answer_is_marked_when_one_comes_back() {
    let half = Reply::Stream(vec![Step::Text("only half".into()), Step::Cut]);
    let slow = Reply::Stream(vec![Step::Text("begun".into()), Step::Gate, Step::Done]);
    let world = World::start(vec![half, slow]);
    let mut chat = world.chat();
    chat.keys("one\r");
    chat.sees("in the middle");
    bye(chat);
    let mut chat = world.chat();
    assert!(chat.sees("only half").all().contains("[failed: "), "{}", chat.text());
    chat.keys("two\r");
    chat.sees("begun");
    chat.keys(CTRL_C);
    said(&chat, "(stopped)");
    bye(chat);
    // What was said is written down a moment after it is told that the turn stops.
    wait_for("the end", || world.gateway.log().contains("turn stopped after").then_some(()));
    let chat = world.chat();
    assert!(chat.sees("begun").all().contains("[stopped before its end]"), "{}", chat.text());
    bye(chat);
    let shown = super::cli::out(&world.gateway, &["sessions", "show", "main"]);
    assert!(shown.contains("[stopped before its end]"), "{shown}");
}

// S-M7: what a guest's tool or a gateway elsewhere calls a thing steers no terminal by being completed.
#[test]
fn s_m7_names_that_steer_a_terminal_are_not_completed() {
    let world = World::echo();
    for name in ["fa\u{1b}]0;pwn\u{7}.txt", "ba\u{202e}.txt", "good.txt"] {
        std::fs::write(world.gateway.dir.join(name), "x").unwrap();
    }
    let mut chat = world.chat();
    chat.keys("@fa\t\x15/image ba\t\x15@go\t");
    chat.wait_screen("the good name", |screen| screen.at_cursor().0.contains("@good.txt"));
    let told = chat.text();
    assert!(!told.contains("]0;pwn") && !told.contains('\u{202e}'), "{told:?}");
}

#[test]
fn i14_f1_tabs_of_a_paste_are_sent_as_they_are() {
    let world = World::echo();
    let mut chat = world.chat();
    chat.keys("\x1b[200~all:\n\tmake\tx\x1b[201~");
    chat.sees("> all:\n      make    x");
    chat.keys(ENTER);
    said(&chat, "You said all:");
    assert_eq!(words(&world.server.requests(1)[0]["body"]), "all:\n\tmake\tx");
    let history = std::fs::read_to_string(world.gateway.state_dir().join("chat-history.jsonl")).unwrap();
    assert_eq!(history, "\"all:\\n\\tmake\\tx\"\n");
    bye(chat);
}

#[test]
fn i14_f4_an_agent_that_is_not_there_ends_the_chat_before_it_begins() {
    let world = World::echo();
    for args in [&["chat", "--agent", "nope"][..], &["chat", "--session", "agent:nope:x"]] {
        let (status, shown) = world.chat_as(80, args, &[]).end();
        assert!(status == Some(1) && shown.contains("unknown agent id \"nope\"; there are: main"), "{shown}");
    }
    let mut chat = world.chat_as(80, &["chat", "--agent", "main"], &[]);
    chat.wait_screen("the prompt", is_ready);
    chat.keys(CTRL_D);
    assert_eq!(chat.status().code(), Some(0));
}

/// The configuration is read anew, so that a chat survives another secret and another port.
#[test]
fn i14_f10_f11_an_open_chat_follows_a_new_secret_and_a_new_port() {
    let server = ModelServer::start(vec![Reply::By(|request| texts(&["You said ", &words(request)]))]);
    let mut config = server.config();
    let port = gateway::free_port();
    config["gateway"]["port"] = json!(port);
    let setup = Setup { config, port_in_config: true, ..Setup::default() };
    let mut gateway = Gateway::spawn(&setup, port);
    wait_for("the gateway", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let mut chat = Terminal::start(
        {
            let mut chat = command(&gateway.dir);
            chat.arg("chat");
            chat
        },
        80,
    );
    chat.wait_screen("the prompt", is_ready);
    let set = |key: &str, value: &str| {
        let output = gateway.cli_env(&["config", "set", key, value], &[]);
        assert!(output.status.success(), "{:?}", crate::cli::text(&output));
    };
    chat.keys("half a li");
    set("gateway.auth.token", "another-token-of-this-test");
    chat.wait_screen("the new secret", |screen| screen.all().contains("Connected again."));
    chat.keys("ne\r");
    said(&chat, "You said half a line");
    assert!(!gateway.log().contains("token mismatch"), "no wrong secret was shown: {}", gateway.log());
    let other = gateway::free_port();
    set("gateway.port", &other.to_string());
    chat.wait_screen("the new port", |screen| screen.all().matches("Connected again.").count() == 2);
    chat.keys("still there\r");
    said(&chat, "You said still there");
    bye(chat);
    gateway.stop();
}

#[test]
fn i14_f11_what_was_being_typed_is_kept_when_the_gateway_lets_nobody_in() {
    let world = World::echo();
    let env = [("OPENCLAW_GATEWAY_TOKEN", TOKEN)];
    let mut chat = world.chat_as(80, &["chat"], &env);
    chat.wait_screen("the prompt", is_ready);
    chat.keys("an unfinished line");
    chat.sees("> an unfinished line");
    let output =
        world.gateway.cli_env(&["config", "set", "gateway.auth.token", "another-token-of-this-test"], &[]);
    assert!(output.status.success(), "{:?}", crate::cli::text(&output));
    let (status, shown) = chat.end();
    assert!(status == Some(1) && shown.contains("Up brings it back"), "{shown}");
    let history = std::fs::read_to_string(world.gateway.state_dir().join("chat-history.jsonl")).unwrap();
    assert_eq!(history, "\"an unfinished line\"\n");
}
