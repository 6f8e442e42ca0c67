//! `openclaw-whatsapp import FROM TO`: the original's directory of a link (Baileys) becomes a store, without a new link. The
//! directory is read and left as it is.
//!
//! Brought over are the device, its keys, conversations and who is whom. Keys of groups, lists of devices and the state of
//! apps are asked for anew.
use crate::store::{Change, Store, table};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use wacore::libsignal::protocol::{
    IdentityKey, KeyPair, LegacyIndexedSessionV1, LegacySessionChainCounterV1, LegacySessionChainKeyV1,
    LegacySessionChainV1, LegacySessionDispositionV1, LegacySessionIndexV1, LegacySessionKeyPairV1,
    LegacySessionLocalContext, LegacySessionMessageKeyV1, LegacySessionPendingPreKeyV1,
    LegacySessionRatchetV1, LegacySessionRecordV1, LegacySessionV1, PrivateKey, PublicKey,
};
use wacore::libsignal::store::record_helpers::new_pre_key_record;
use wacore::store::Device;
use wacore::store::traits::LidPnMappingEntry;
use wacore::types::jid::JidExt;
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::bytes::Bytes;

type Told<T> = Result<T, String>;

/// What was brought over.
#[derive(Debug, Default, PartialEq)]
pub struct Summary {
    pub jid: String,
    pub prekeys: usize,
    pub sessions: usize,
    pub people: usize,
    /// Files that could not be understood.
    pub left: Vec<String>,
}

pub fn run(from: &Path, to: &Path) -> Told<Summary> {
    let store = Store::open(to).map_err(|e| format!("{}: {e}", to.display()))?;
    if store.get(table::OWN, "linkedAtMs").map_err(|e| e.to_string())?.is_some() {
        return Err(format!("{} holds a link already: log it out first", to.display()));
    }
    let creds = read(&from.join("creds.json"))?;
    let device = device(&creds).ok_or("creds.json is no whole link: was a phone ever linked with it?")?;
    let mut summary =
        Summary { jid: device.pn.as_ref().map(Jid::to_string).unwrap_or_default(), ..Summary::default() };
    let mut changes = Vec::new();
    let uploaded = creds.get("firstUnuploadedPreKeyId").and_then(Value::as_u64).unwrap_or(0);
    let context = LegacySessionLocalContext {
        identity_key: IdentityKey::new(device.identity_key.public_key),
        registration_id: device.registration_id,
    };
    for entry in std::fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let file = || read(&entry.path()).ok();
        let done = if let Some(id) = stem.strip_prefix("pre-key-") {
            summary.prekeys += 1;
            file().and_then(|file| prekey(id.parse().ok()?, &file, uploaded)).map(|change| vec![change])
        } else if let Some(address) = stem.strip_prefix("session-") {
            summary.sessions += 1;
            file().and_then(|file| session(&jid(address)?, &file, context))
        } else if let Some(number) =
            stem.strip_prefix("lid-mapping-").filter(|rest| !rest.ends_with("_reverse"))
        {
            summary.people += 1;
            std::fs::read(entry.path())
                .ok()
                .and_then(|text| mapping(number, serde_json::from_slice(&text).ok()?))
        } else {
            continue;
        };
        match done {
            Some(done) => changes.extend(done),
            None => summary.left.push(name),
        }
    }
    changes.push(Change::put(table::DEVICE, "", serde_json::to_vec(&device).map_err(|e| e.to_string())?));
    changes.push(Change::put(table::OWN, "linkedAtMs", wacore::time::now_millis().to_string()));
    // All of it or nothing.
    store.apply(&changes).map_err(|e| e.to_string())?;
    Ok(summary)
}

fn read(path: &Path) -> Told<Map<String, Value>> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read(path).map_err(|e| failed(&e))?;
    serde_json::from_slice(&text).map_err(|e| failed(&e))
}

/// Bytes as Baileys writes them: an object with a `data` member, base64, or a list of numbers.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => base64(text),
        Value::Array(all) => all.iter().map(|n| u8::try_from(n.as_u64()?).ok()).collect(),
        Value::Object(map) => bytes(map.get("data")?),
        _ => None,
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

fn public(bytes: &[u8]) -> Option<PublicKey> {
    // Some are written with a byte for their kind.
    let own = if bytes.len() == 33 { bytes.get(1..)? } else { bytes };
    PublicKey::from_djb_public_key_bytes(own).ok()
}

fn pair(value: &Value) -> Option<KeyPair> {
    let private = PrivateKey::deserialize(&bytes(value.get("private")?)?).ok()?;
    Some(KeyPair::new(public(&bytes(value.get("public")?)?)?, private))
}

fn device(creds: &Map<String, Value>) -> Option<Device> {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let (me, account, signed) = (creds.get("me")?, creds.get("account")?, creds.get("signedPreKey")?);
    let mut device = Device::new();
    device.pn = Some(me.get("id")?.as_str()?.parse().ok()?);
    device.lid = me.get("lid").and_then(|lid| lid.as_str()?.parse().ok());
    device.push_name = me.get("name").and_then(Value::as_str).unwrap_or_default().to_string();
    device.registration_id = number(creds.get("registrationId")?)?;
    device.noise_key = pair(creds.get("noiseKey")?)?;
    device.identity_key = pair(creds.get("signedIdentityKey")?)?;
    device.signed_pre_key = pair(signed.get("keyPair")?)?;
    device.signed_pre_key_id = number(signed.get("keyId")?)?;
    device.signed_pre_key_signature = bytes(signed.get("signature")?)?.try_into().ok()?;
    device.adv_secret_key = bytes(creds.get("advSecretKey")?)?.try_into().ok()?;
    let part = |name: &str| account.get(name).and_then(bytes);
    device.account = Some(Arc::new(wa::ADVSignedDeviceIdentity {
        details: Some(part("details")?),
        account_signature_key: Some(part("accountSignatureKey")?),
        account_signature: Some(part("accountSignature")?),
        device_signature: Some(part("deviceSignature")?),
        ..Default::default()
    }));
    device.next_pre_key_id = creds.get("nextPreKeyId").and_then(number).unwrap_or(1);
    device.first_unupload_pre_key_id = creds.get("firstUnuploadedPreKeyId").and_then(number).unwrap_or(0);
    device.edge_routing_info = creds.get("routingInfo").and_then(bytes);
    device.server_has_prekeys = true;
    Some(device)
}

fn prekey(id: u32, file: &Map<String, Value>, uploaded: u64) -> Option<Change> {
    let record = new_pre_key_record(id, &pair(&Value::Object(file.clone()))?).encode_to_vec();
    let flag = u8::from(u64::from(id) < uploaded);
    Some(Change::put(table::PREKEY, id.to_be_bytes(), [&[flag], &record[..]].concat()))
}

/// `<user>[_<domain>].<device>`
fn jid(address: &str) -> Option<Jid> {
    let (user, device) = address.rsplit_once('.')?;
    let device: u16 = device.parse().ok()?;
    match user.split_once('_') {
        None => Some(Jid::pn_device(user, device)),
        Some((user, "1")) => Some(Jid::lid_device(user, device)),
        Some(_) => None,
    }
}

fn mapping(number: &str, lid: Value) -> Option<Vec<Change>> {
    let (now, lid) = (wacore::time::now_secs(), lid.as_str()?.to_string());
    let entry = LidPnMappingEntry {
        lid: lid.clone(),
        phone_number: number.to_string(),
        created_at: now,
        updated_at: now,
        learning_source: "import".into(),
    };
    let entry = serde_json::to_vec(&entry).ok()?;
    Some(vec![Change::put(table::LID, lid.as_str(), entry), Change::put(table::NUMBER, number, lid.as_str())])
}

/// A conversation, and whose key it is.
fn session(jid: &Jid, file: &Map<String, Value>, context: LegacySessionLocalContext) -> Option<Vec<Change>> {
    let all = file.get("_sessions")?.as_object()?;
    let all: Option<Vec<LegacyIndexedSessionV1>> = all.values().map(one).collect();
    let all = all.filter(|all| !all.is_empty())?;
    let identity = all.first()?.session.index.remote_identity_key.clone();
    let record = LegacySessionRecordV1::from_indexed_sessions(all).ok()?.into_session_record(context).ok()?;
    let address = jid.to_protocol_address_string();
    let identity = public(&identity)?.public_key_bytes().to_vec();
    Some(vec![
        Change::put(table::SESSION, address.as_str(), record.serialize().ok()?),
        Change::put(table::IDENTITY, address.as_str(), identity),
    ])
}

fn one(session: &Value) -> Option<LegacyIndexedSessionV1> {
    let at = |value: &Value, name: &str| value.get(name).and_then(bytes).map(Bytes::from);
    let int = |value: &Value, name: &str| value.get(name).and_then(Value::as_i64);
    let (ratchet, index) = (session.get("currentRatchet")?, session.get("indexInfo")?);
    let own = ratchet.get("ephemeralKeyPair")?;
    let chain = |(key, chain): (&String, &Value)| {
        let state = chain.get("chainKey")?;
        let seed = |(n, key): (&String, &Value)| {
            Some(LegacySessionMessageKeyV1 { index: n.parse().ok()?, seed: Bytes::from(bytes(key)?) })
        };
        Some(LegacySessionChainV1 {
            ratchet_key: Bytes::from(base64(key)?),
            role: u32::try_from(int(chain, "chainType")?).ok()?.try_into().ok()?,
            chain_key: LegacySessionChainKeyV1 {
                counter: LegacySessionChainCounterV1::new(int(state, "counter")?).ok()?,
                key: at(state, "key"),
            },
            message_keys: chain.get("messageKeys")?.as_object()?.iter().map(seed).collect::<Option<_>>()?,
        })
    };
    let pending = session.get("pendingPreKey").and_then(|pending| {
        Some(LegacySessionPendingPreKeyV1 {
            pre_key_id: int(pending, "preKeyId").and_then(|id| u32::try_from(id).ok()),
            signed_pre_key_id: u32::try_from(int(pending, "signedKeyId")?).ok()?,
            base_key: at(pending, "baseKey")?,
        })
    });
    let base_key = at(index, "baseKey")?;
    let time = |name: &str| int(index, name).and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
    let session = LegacySessionV1 {
        registration_id: u32::try_from(int(session, "registrationId")?).ok()?,
        ratchet: LegacySessionRatchetV1 {
            key_pair: LegacySessionKeyPairV1 { public: at(own, "pubKey")?, private: at(own, "privKey")? },
            last_remote_ephemeral_key: at(ratchet, "lastRemoteEphemeralKey")?,
            previous_counter: int(ratchet, "previousCounter")?,
            root_key: at(ratchet, "rootKey")?,
        },
        index: LegacySessionIndexV1 {
            base_key: base_key.clone(),
            base_key_role: u32::try_from(int(index, "baseKeyType")?).ok()?.try_into().ok()?,
            disposition: LegacySessionDispositionV1::from_closed_timestamp(int(index, "closed")?).ok()?,
            used_at_ms: time("used"),
            created_at_ms: time("created"),
            remote_identity_key: at(index, "remoteIdentityKey")?,
        },
        chains: session.get("_chains")?.as_object()?.iter().map(chain).collect::<Option<_>>()?,
        pending_pre_key: pending,
    };
    Some(LegacyIndexedSessionV1 { index_key: base_key, session })
}
