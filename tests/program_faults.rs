//! Programs of channels that hang, flood and die while a message is in their hands: what becomes of it, and of the rest of
//! the house. The time limits are those of docs/channel-programs.md.
use super::harness::gateway::new_dir;
use super::harness::*;
use std::path::{Path, PathBuf};

/// What each script begins with: it says hello, and reads lines of the gateway.
const BEGIN: &str = "import json,os,sys,time\n\
    def say(**line): os.write(1,json.dumps(line).encode()+b'\\n')\n\
    def lines():\n\
    \x20rest=b''\n\
    \x20while True:\n\
    \x20 piece=os.read(0,65536)\n\
    \x20 if not piece: sys.exit()\n\
    \x20 *whole,rest=(rest+piece).split(b'\\n')\n\
    \x20 yield from map(json.loads,whole)\n\
    heard=lines()\n\
    hello=next(heard)\n\
    out=hello['config']['out']\n\
    def note(line): open(out,'a').write(line['id']+' '+str(line.get('again',False))+'\\n')\n\
    say(type='hello',version=1,capabilities=hello['config'].get('can',[]))\n";

struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        // Litter in the temporary directory is no failed test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn section(script: &str, out: &Path) -> Value {
    json!({"command": ["python3", "-c", format!("{BEGIN}{script}")], "dmPolicy": "open", "allowFrom": ["*"], "out": out})
}

fn start(channels: Value) -> Gateway {
    Gateway::start(&Setup::config(json!({"channels": channels})))
}

fn row(client: &mut Client, channel: &str) -> Value {
    client.ok("channels.status", json!({}))["channelAccounts"][channel][0].clone()
}

fn connected(client: &mut Client, channel: &str) {
    wait_within(Duration::from_secs(30), channel, || {
        (row(client, channel)["connected"] == true).then_some(())
    });
}

fn send(client: &mut Client, channel: &str, key: &str) -> String {
    let asked = json!({"channel": channel, "to": "x", "message": "hello", "idempotencyKey": key});
    client.ask("send", asked)
}

fn given(out: &Path) -> Vec<String> {
    std::fs::read_to_string(out).unwrap_or_default().lines().map(str::to_string).collect()
}

#[test]
fn r_10c_a_program_that_dies_in_the_middle_of_a_send_is_asked_again_only_if_it_knows_what_it_sent() {
    let place = Place(new_dir());
    // It takes the message, writes that it has, and dies without a word; the second time it lives.
    let script = "for line in heard:\n\
        \x20if line['type']=='send':\n\
        \x20 note(line)\n\
        \x20 if not os.path.exists(out+'.died'):\n\
        \x20  open(out+'.died','w').close()\n\
        \x20  os.kill(os.getpid(),9)\n\
        \x20 say(type='result',id=line['id'],state='confirmed',messageId='m')\n\
        \x20if line['type']=='ping': say(type='pong')\n";
    let (knows, forgets) = (place.0.join("knows"), place.0.join("forgets"));
    let mut with = section(script, &knows);
    merge(&mut with, &json!({"can": ["resend"]}));
    let gateway = start(json!({"knows": with, "forgets": section(script, &forgets)}));
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "knows");
    connected(&mut client, "forgets");
    let id = send(&mut client, "knows", "k1");
    // For a moment nobody knows; then the program says that it has it.
    let told = client.answer(&id);
    assert!(
        told.as_ref().map_or_else(|e| e.to_string().contains("not known"), |done| done["messageId"] == "m"),
        "{told:?}"
    );
    wait_for("what became of it", || {
        let id = send(&mut client, "knows", "k1");
        client.answer(&id).ok().filter(|done| done["messageId"] == "m")
    });
    assert_eq!(given(&knows), ["send:k1 False", "send:k1 True"]);
    let id = send(&mut client, "forgets", "k2");
    let error = client.answer(&id).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("not known"), "{error}");
    connected(&mut client, "forgets");
    let id = send(&mut client, "forgets", "k3");
    client.answer(&id).unwrap();
    assert_eq!(given(&forgets), ["send:k2 False", "send:k3 False"]);
    assert!(gateway.log().contains("send:k2"), "told");
}

#[test]
fn r_46_a_program_that_floods_while_it_sends_holds_up_neither_the_house_nor_another_program() {
    let place = Place(new_dir());
    let flood = "import threading\n\
        def flood():\n\
        \x20while True: say(type='log',level='debug',text='x'*500)\n\
        threading.Thread(target=flood,daemon=True).start()\n\
        for line in heard:\n\
        \x20if line['type']=='send': say(type='result',id=line['id'],state='confirmed',messageId='f')\n\
        \x20if line['type']=='ping': say(type='pong')\n";
    let calm = "for line in heard:\n\
        \x20if line['type']=='send': say(type='result',id=line['id'],state='confirmed',messageId='c')\n\
        \x20if line['type']=='ping': say(type='pong')\n";
    let gateway = start(
        json!({"flood": section(flood, &place.0.join("f")), "calm": section(calm, &place.0.join("c"))}),
    );
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "flood");
    connected(&mut client, "calm");
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let asked = Instant::now();
        client.ok("health", json!({}));
        slowest = slowest.max(asked.elapsed());
        let (calm, asked) = (send(&mut client, "calm", &format!("c{n}")), Instant::now());
        client.answer(&calm).unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "health took {slowest:?}");
    let id = send(&mut client, "flood", "k");
    assert_eq!(client.answer(&id).unwrap()["messageId"], "f", "its own answers come through");
    let size: u64 = std::fs::metadata(gateway.dir.join("gateway.log")).unwrap().len();
    assert!(size < 1 << 20, "the log has {size} bytes");
}

#[test]
fn r_46_a_program_that_hangs_or_does_not_say_what_became_of_a_message_is_ended_in_time() {
    let place = Place(new_dir());
    // Deaf reads and says nothing more; mute says that it is alive, and never what became of a message.
    let deaf = "note({'id':'start'})\nfor line in heard: pass\n";
    let mute = "for line in heard:\n\
        \x20if line['type']=='send': note(line)\n\
        \x20if line['type']=='ping': say(type='pong')\n";
    let (at_deaf, at_mute) = (place.0.join("deaf"), place.0.join("mute"));
    let late = "import time\ntime.sleep(999)\n";
    let silent = json!({"command": ["python3", "-c", late], "dmPolicy": "open", "allowFrom": ["*"]});
    let gateway =
        start(json!({"deaf": section(deaf, &at_deaf), "mute": section(mute, &at_mute), "late": silent}));
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "mute");
    let began = Instant::now();
    let id = send(&mut client, "mute", "k1");
    let told = |what: &str, from: u64, to: u64| {
        wait_within(Duration::from_secs(to), what, || gateway.log().contains(what).then_some(()));
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(from), "{what} after {took:?}");
    };
    told("did not say hello in 20 s", 15, 40);
    let error = client.answer(&id).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(45), "who asked is told in 30 s");
    assert_eq!(error["code"], "UNAVAILABLE", "{error}");
    told("the program hangs: it does not answer", 50, 75);
    wait_for("its next life", || (given(&at_deaf).len() >= 2).then_some(()));
    if setting("OPENCLAW_TORTURE", 0) > 0 {
        told("did not say in 120 s what became of a message", 115, 100);
        wait_for("the message to be told of", || {
            gateway.log().lines().any(|line| line.contains("send:k1") && line.contains("not")).then_some(())
        });
        connected(&mut client, "mute");
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(given(&at_mute).len(), 1, "it is not handed over again");
    }
}

/// Issue 11.5: `doctor` says which program does not work, why, and what helps.
#[test]
fn i11_5_doctor_tells_of_programs_that_cannot_start_or_do_not_stay() {
    let ends = json!({"command": ["sh", "-c", "echo no database >&2; exit 3"]});
    let gateway = start(json!({"gone": {"command": "/no/such/program"}, "ends": ends}));
    let mut client = Client::operator(&gateway, 4);
    wait_for("its end", || row(&mut client, "ends")["lastError"].is_string().then_some(()));
    let doctor = || crate::cli::text(&gateway.cli(&["doctor", "--non-interactive"])).0;
    // Who has never been there may only knock.
    gateway.cli(&["channels", "status"]);
    let told = doctor();
    assert!(
        told.contains("Gone account default: channels.gone.command: /no/such/program does not exist"),
        "{told}"
    );
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Ends account default: the program ended (exit status: 3)"), "{told}");
    assert!(
        told.contains("put the program there or correct the path") && told.contains("channels logs"),
        "{told}"
    );
}
