//! A device identity as clients have one: an Ed25519 key pair, its id, and signatures in the three versions.
use super::{Value, json};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Which text is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
}

pub struct Device {
    pair: Ed25519KeyPair,
}

impl Device {
    pub fn new() -> Device {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Device { pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap() }
    }

    /// Lower-case hex SHA-256 of the raw public key.
    pub fn id(&self) -> String {
        let hash = digest(&SHA256, self.pair.public_key().as_ref());
        hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    pub fn public_key(&self) -> String {
        base64url(self.pair.public_key().as_ref())
    }

    pub fn sign_text(&self, text: &str) -> String {
        base64url(self.pair.sign(text.as_bytes()).as_ref())
    }

    /// Adds the `device` member to connect params, signed over what they hold at this moment.
    pub fn attach(&self, params: &mut Value, challenge: &Value, version: Version) {
        let nonce = challenge["nonce"].as_str().unwrap();
        let signed_at = challenge["ts"].as_u64().unwrap();
        self.attach_as(params, nonce, signed_at, version);
    }

    /// The same with a nonce and a time of the test's choice.
    pub fn attach_as(&self, params: &mut Value, nonce: &str, signed_at: u64, version: Version) {
        let text = signed_text(params, &self.id(), nonce, signed_at, version);
        params["device"] = json!({
            "id": self.id(), "publicKey": self.public_key(), "signature": self.sign_text(&text),
            "signedAt": signed_at, "nonce": nonce,
        });
    }
}

fn signed_text(params: &Value, id: &str, nonce: &str, signed_at: u64, version: Version) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let client = &params["client"];
    let scopes: Vec<String> = params["scopes"].as_array().into_iter().flatten().map(text).collect();
    let role = params["role"].as_str().unwrap_or("operator");
    let token = ["token", "deviceToken", "bootstrapToken"]
        .iter()
        .find_map(|k| params["auth"][*k].as_str())
        .unwrap_or_default();
    let (client_id, mode) = (text(&client["id"]), text(&client["mode"]));
    let scopes = scopes.join(",");
    let shared = format!("{id}|{client_id}|{mode}|{role}|{scopes}|{signed_at}|{token}|{nonce}");
    let lower = |v: &Value| text(v).trim().to_ascii_lowercase();
    match version {
        Version::V2 => format!("v2|{shared}"),
        Version::V3 => {
            format!("v3|{shared}|{}|{}", lower(&client["platform"]), lower(&client["deviceFamily"]))
        }
    }
}

/// Base64 with the URL alphabet and no padding.
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().chain([0, 0].iter()).take(3).fold(0u32, |n, b| n << 8 | u32::from(*b));
        for i in 0..=chunk.len() {
            out.push(ALPHABET[(n >> (18 - 6 * i) & 63) as usize] as char);
        }
    }
    out
}
