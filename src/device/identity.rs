//! The client's own identity: the key pair in `<STATE>/identity/device.json`, and signing with it.
//!
//! Runs on the CLI's thread. The file has the shape the Node program gives it, so either program goes on
//! with the other's. A file that cannot be read is never replaced: the pairing hangs on its key.
use super::encoding::base64url;
use super::keys;
use super::proof::{Claims, Version, signed_text};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::json::{self, Put, json};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The key pair of this client. Its `Debug` shows the public half only.
#[derive(Debug)]
pub struct Identity {
    pub device_id: String,
    /// The raw public key as base64url.
    pub public_key: String,
    pair: Ed25519KeyPair,
}

impl Identity {
    /// Reads the identity below a state directory, or makes one (file 0600) where there is none. `now` is in
    /// epoch milliseconds.
    pub fn load_or_create(state_dir: &Path, now: u64) -> Result<Identity> {
        let path = path(state_dir);
        if let Some(identity) = load(&path)? {
            return Ok(identity);
        }
        // Two commands started at once must end up with one identity.
        let _lock = Lock::wait(&lock_path(state_dir))?;
        match load(&path)? {
            Some(identity) => Ok(identity),
            None => create(&path, now),
        }
    }

    /// The `device` object of a connect request; without a nonce it is signed as version 1.
    pub fn device_object(
        &self,
        version: Version,
        claims: &Claims,
        signed_at: u64,
        nonce: Option<&str>,
    ) -> Value {
        let version = if nonce.is_some() { version } else { Version::V1 };
        let text = signed_text(version, &self.device_id, claims, signed_at, nonce.unwrap_or_default());
        let signature = base64url(self.pair.sign(text.as_bytes()).as_ref());
        let mut device = json!({
            "id": self.device_id, "publicKey": self.public_key, "signature": signature, "signedAt": signed_at,
        });
        if let (Some(map), Some(nonce)) = (device.as_object_mut(), nonce) {
            map.put("nonce", nonce);
        }
        device
    }

    fn of(pair: Ed25519KeyPair) -> Identity {
        let device_id = keys::device_id(pair.public_key().as_ref());
        Identity { device_id, public_key: keys::public_key_text(&pair), pair }
    }
}

/// The lock of everything below `<STATE>/identity`.
pub(super) fn lock_path(state_dir: &Path) -> PathBuf {
    state_dir.join("identity/.lock")
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("identity/device.json")
}

fn load(path: &Path) -> Result<Option<Identity>> {
    let text = match files::read_text(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(format_args!("read device identity {}", path.display()), e)),
    };
    // The parser's own message is left out: it could quote the key.
    let file = json::read_object(&text, 1000, 16).ok();
    let pair = file.as_ref().and_then(|f| keys::from_private_pem(f.get("privateKeyPem")?.as_str()?));
    let (Some(mut file), Some(pair)) = (file, pair) else {
        return Err(Error::config(format!(
            "read device identity {}: no Ed25519 private key in it; restore the file, or move it away to get a new \
             identity, which has to be paired again",
            path.display()
        )));
    };
    let identity = Identity::of(pair);
    if file.get("deviceId").and_then(Value::as_str) != Some(&identity.device_id) {
        file.put("deviceId", identity.device_id.clone());
        write(path, &file)?;
    }
    Ok(Some(identity))
}

fn create(path: &Path, now: u64) -> Result<Identity> {
    let (pair, private_pem) = keys::generate()?;
    let identity = Identity::of(pair);
    let mut file = Map::new();
    file.put("version", 1);
    file.put("deviceId", identity.device_id.clone());
    file.put("publicKeyPem", keys::public_key_pem(identity.pair.public_key().as_ref()));
    file.put("privateKeyPem", private_pem);
    file.put("createdAtMs", now);
    write(path, &file)?;
    Ok(identity)
}

fn write(path: &Path, file: &Map<String, Value>) -> Result<()> {
    files::write_atomic(path, &super::pretty(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::proof::{Challenge, Proof, verify};
    use crate::device::testing::{StateDir, strings};
    use std::os::unix::fs::PermissionsExt;

    /// Written by Node's crypto; `NODE_SIGNATURE` is its signature of `v2|d|cli|cli|operator||7||n`.
    const NODE_FILE: &str = r#"{
  "version": 1,
  "deviceId": "6dc26842ea7c96e17901aea95615c0b6e37bd2bcd1909445b4d31cf5f6fa22af",
  "publicKeyPem": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEACiv4DgyxvnCdx5dUKovACzEq+cz8vuJSUjh6Uyf2u9A=\n-----END PUBLIC KEY-----\n",
  "privateKeyPem": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIL2xdIlWPDfKmwKZNYFN8v+ps4EPO6gLO9cBopMbYJry\n-----END PRIVATE KEY-----\n",
  "createdAtMs": 1795224667128
}
"#;
    const NODE_ID: &str = "6dc26842ea7c96e17901aea95615c0b6e37bd2bcd1909445b4d31cf5f6fa22af";
    const NODE_SIGNATURE: &str =
        "NfdOGaM9wc1rQ7EXVTMs0HzZ9ySWRei7YO9l-N7s3QWSIdliECUAnbKKsa8Lou1cqqJF438bWE8USXJwC_HLAw";

    fn with_file(text: &str) -> StateDir {
        let dir = StateDir::new();
        files::write_atomic(&path(&dir.0), text.as_bytes()).unwrap();
        dir
    }

    #[test]
    fn a_file_of_the_node_program_is_read_and_left_alone() {
        let dir = with_file(NODE_FILE);
        let identity = Identity::load_or_create(&dir.0, 1).unwrap();
        assert_eq!(identity.device_id, NODE_ID);
        let signature = identity.pair.sign(b"v2|d|cli|cli|operator||7||n");
        assert_eq!(base64url(signature.as_ref()), NODE_SIGNATURE);
        assert_eq!(std::fs::read_to_string(path(&dir.0)).unwrap(), NODE_FILE);
    }

    #[test]
    fn a_wrong_id_is_put_right_and_nothing_else() {
        let dir = with_file(
            &NODE_FILE.replace(NODE_ID, "beef").replace("\"version\": 1", "\"version\": 1, \"note\": 2"),
        );
        Identity::load_or_create(&dir.0, 1).unwrap();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path(&dir.0)).unwrap()).unwrap();
        assert_eq!(file["deviceId"], NODE_ID);
        assert_eq!(file["note"], 2);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays() {
        for text in
            ["", "{}", "[1]", r#"{"privateKeyPem":"secret-canary"}"#, r#"{"privateKeyPem": secret-canary"#]
        {
            let dir = with_file(text);
            let error = Identity::load_or_create(&dir.0, 1).unwrap_err();
            assert!(!error.message().contains("canary"), "{error}");
            assert_eq!(std::fs::read_to_string(path(&dir.0)).unwrap(), text);
        }
    }

    #[test]
    fn eight_first_starts_make_one_identity() {
        let dir = StateDir::new();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let start = || scope.spawn(|| Identity::load_or_create(&dir.0, 1).unwrap().device_id);
            let threads: Vec<_> = (0..8).map(|_| start()).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
        let mode = std::fs::metadata(path(&dir.0)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_the_client_signs_the_server_accepts() {
        let dir = StateDir::new();
        let identity = Identity::load_or_create(&dir.0, 1).unwrap();
        let scopes = strings(&["operator.read"]);
        let claims = Claims {
            client_id: "cli",
            client_mode: "cli",
            role: "operator",
            scopes: &scopes,
            token: "t",
            platform: "linux",
            device_family: "Linux",
        };
        for (version, nonce) in [(Version::V2, Some("n")), (Version::V3, Some("n")), (Version::V3, None)] {
            let device = identity.device_object(version, &claims, 5, nonce);
            let text = |key: &str| device.get(key).and_then(Value::as_str);
            let proof = Proof {
                id: text("id").unwrap(),
                public_key: text("publicKey").unwrap(),
                signature: text("signature").unwrap(),
                signed_at: 5,
                nonce: text("nonce"),
            };
            verify(&proof, &claims, &Challenge { nonce: "n", now: 5, is_local: true }).unwrap();
        }
    }

    #[test]
    fn debug_output_shows_no_private_key() {
        let dir = with_file(NODE_FILE);
        let shown = format!("{:?}", Identity::load_or_create(&dir.0, 1).unwrap());
        assert!(!shown.to_lowercase().contains("bdb17489563c37ca"), "{shown}");
    }
}
