//! A link of the original, in its directory of JSON files, becomes one of this program.
use super::harness::*;
use super::people::Keys;
use super::server::{ANN, NUMBER};
use super::{PROGRAM, Setting};
use std::path::Path;
use std::process::Command;
use wacore::libsignal::protocol::KeyPair;
use wacore::store::Device;

fn buffer(bytes: &[u8]) -> Value {
    let text = device::base64url(bytes).replace('-', "+").replace('_', "/");
    json!({"type": "Buffer", "data": text})
}

fn pair(key: &KeyPair) -> Value {
    json!({"private": buffer(&key.private_key.serialize()[..]), "public": buffer(key.public_key.public_key_bytes())})
}

/// The directory of a link as the original writes it, with keys that nobody else has.
fn directory(dir: &Path) -> (Device, Vec<KeyPair>) {
    let device = Device::new();
    let once: Vec<KeyPair> = (0..5).map(|_| KeyPair::generate(&mut rand::rng())).collect();
    let creds = json!({
        "noiseKey": (pair(&device.noise_key)), "signedIdentityKey": (pair(&device.identity_key)),
        "signedPreKey": {"keyPair": (pair(&device.signed_pre_key)), "signature": (buffer(&device.signed_pre_key_signature)),
            "keyId": 1},
        "registrationId": (device.registration_id), "advSecretKey": (buffer(&device.adv_secret_key)["data"]),
        "me": {"id": (format!("{NUMBER}:7@s.whatsapp.net")), "lid": "900000000001:7@lid", "name": "Bot"},
        "account": {"details": "AAA=", "accountSignatureKey": "AAA=", "accountSignature": "AAA=", "deviceSignature": "AAA="},
        "nextPreKeyId": 6, "firstUnuploadedPreKeyId": 6, "registered": false, "platform": "android"});
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("creds.json"), creds.to_string()).unwrap();
    for (n, key) in once.iter().enumerate() {
        std::fs::write(dir.join(format!("pre-key-{}.json", n + 1)), pair(key).to_string()).unwrap();
    }
    std::fs::write(dir.join("lid-mapping-15550002222.json"), "\"900000000002\"").unwrap();
    std::fs::write(dir.join("session-15550009999.0.json"), "{\"version\":\"v1\"}").unwrap();
    (device, once)
}

#[test]
fn i17_2_a_link_of_the_original_is_brought_over_without_a_new_one() {
    let mut setting = Setting::new(vec![model::texts(&["here I am"])], json!({}));
    setting.status("the program", |row| row["linked"] == false);
    let (from, to) =
        (setting.gateway.dir.join("baileys"), setting.gateway.state_dir().join("channels/whatsapp/default"));
    let (device, once) = directory(&from);
    let before = listing(&from);
    let run = || Command::new(PROGRAM).arg("import").arg(&from).arg(&to).output().unwrap();
    // Not while the program has its store.
    let out = run();
    assert!(
        !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("another process (pid "),
        "{out:?}"
    );
    setting.gateway.stop();
    let out = run();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text.contains("5 keys") && text.contains("1 people"), "{out:?}");
    assert!(text.contains("left out, for it cannot be understood: session-15550009999.0.json"), "{text}");
    assert_eq!(listing(&from), before, "the directory is left as it is");
    assert!(!run().status.success(), "a second time there is a link");
    {
        let mut state = setting.server.lock();
        state.is_linked = true;
        let raw = |key: &KeyPair| key.public_key.public_key_bytes().to_vec();
        state.keys = Some(Keys {
            registration: device.registration_id,
            identity: raw(&device.identity_key),
            signed: (1, raw(&device.signed_pre_key), device.signed_pre_key_signature.to_vec()),
            once: once.iter().enumerate().map(|(n, key)| (n as u32 + 1, raw(key))).collect(),
        });
    }
    setting.gateway.restart();
    let row = setting.status("the connection", |row| row["connected"] == true && row["linked"] == true);
    assert_eq!(row["self"]["e164"], format!("+{NUMBER}"), "{row}");
    // The phone goes on notifying: the last word about presence is that nobody is here.
    wait_for("the presence", || {
        let seen = setting.server.lock().seen.clone();
        let last = seen.into_iter().rfind(|seen| seen.starts_with("presence"))?;
        (last == "presence unavailable ").then_some(())
    });
    setting.server.text(ANN, "are you still the same");
    let heard = wait_for("the answer", || setting.server.heard().pop());
    assert_eq!(heard.text.as_deref(), Some("here I am"));
}

fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let all = std::fs::read_dir(dir).unwrap().flatten();
    let mut all: Vec<_> =
        all.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect();
    all.sort();
    all
}
