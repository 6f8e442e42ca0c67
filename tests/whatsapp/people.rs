//! Those who write and read: a phone each, with keys and conversations of their own.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use wacore::iq::prekeys::PreKeyBundleUserNode;
use wacore::libsignal::protocol::{
    CiphertextMessage, IdentityKey, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore,
    ProtocolAddress, PublicKey, SessionRecord, SessionStore, SignalMessage, SignalProtocolError,
    SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore, UsePQRatchet, message_decrypt, message_encrypt,
    process_prekey_bundle,
};
use wacore::libsignal::store::record_helpers::{
    new_signed_pre_key_record, signed_prekey_structure_to_record,
};
use wacore::messages::MessageUtils;
use wacore::protocol::ProtocolNode;
use wacore::store::in_memory::InMemoryBackend;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;
use whatsapp_rust::async_trait;
use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::futures::FutureExt;
use whatsapp_rust::store::Device;

pub struct Person {
    pub jid: Jid,
    device: Device,
    sessions: Sessions,
}

/// Conversations, by whom they are with.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, SessionRecord>>>);

type Told<T> = Result<T, SignalProtocolError>;

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Told<Option<SessionRecord>> {
        Ok(self.0.lock().unwrap().get(&address.to_string()).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Told<bool> {
        Ok(self.0.lock().unwrap().contains_key(&address.to_string()))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> Told<()> {
        self.0.lock().unwrap().insert(address.to_string(), record);
        Ok(())
    }
}

/// The key that first messages are for; none is for one message alone.
struct Signed(Device);

#[async_trait]
impl SignedPreKeyStore for Signed {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Told<SignedPreKeyRecord> {
        let core = &self.0.core;
        let (key, signature) = (&core.signed_pre_key, core.signed_pre_key_signature);
        signed_prekey_structure_to_record(new_signed_pre_key_record(
            id.into(),
            key,
            signature,
            wacore::time::now_utc(),
        ))
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> Told<()> {
        Ok(())
    }
}

#[async_trait]
impl PreKeyStore for Signed {
    async fn get_pre_key(&self, _: PreKeyId) -> Told<PreKeyRecord> {
        panic!("there are no such keys")
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> Told<()> {
        Ok(())
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> Told<()> {
        Ok(())
    }
}

/// The account's device as its keys were uploaded.
#[derive(Clone)]
pub struct Keys {
    pub registration: u32,
    pub identity: Vec<u8>,
    pub signed: (u32, Vec<u8>, Vec<u8>),
    pub once: Vec<(u32, Vec<u8>)>,
}

/// Stores in memory answer at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    std::pin::pin!(future).now_or_never().expect("a store that waits")
}

fn key(bytes: &[u8]) -> PublicKey {
    PublicKey::from_djb_public_key_bytes(bytes).unwrap()
}

impl Person {
    pub fn new(jid: Jid) -> Person {
        Person { jid, device: Device::new(Arc::new(InMemoryBackend::new())), sessions: Sessions::default() }
    }

    pub fn identity(&self) -> &wacore::libsignal::protocol::KeyPair {
        &self.device.core.identity_key
    }

    /// What whoever writes to it for the first time is told.
    pub fn bundle(&self) -> Node {
        let core = &self.device.core;
        let bundle = PreKeyBundle::new(
            core.registration_id,
            0.into(),
            None,
            core.signed_pre_key_id.into(),
            core.signed_pre_key.public_key,
            core.signed_pre_key_signature.to_vec(),
            IdentityKey::new(core.identity_key.public_key),
        );
        PreKeyBundleUserNode::from_bundle(self.jid.clone(), &bundle.unwrap(), None).unwrap().into_node()
    }

    /// A message to the account's device: kind and bytes.
    pub fn write(&mut self, to: &str, keys: &mut Keys, message: &wa::Message) -> (&'static str, Vec<u8>) {
        let address = ProtocolAddress::new(to, 0.into());
        let (mut sessions, mut identities) = (self.sessions.clone(), self.device.clone());
        if !now(sessions.has_session(&address)).unwrap() {
            let once = keys.once.pop().map(|(id, bytes)| (id.into(), key(&bytes)));
            let bundle = PreKeyBundle::new(
                keys.registration,
                0.into(),
                once,
                keys.signed.0.into(),
                key(&keys.signed.1),
                keys.signed.2.clone(),
                IdentityKey::new(key(&keys.identity)),
            );
            let (bundle, mut random) = (bundle.unwrap(), rand::rng());
            let done = process_prekey_bundle(
                &address,
                &mut sessions,
                &mut identities,
                &bundle,
                &mut random,
                UsePQRatchet::No,
            );
            now(done).unwrap();
        }
        let plain = MessageUtils::pad_message_v2(message.encode_to_vec());
        match now(message_encrypt(&plain, &address, &mut sessions, &mut identities)).unwrap() {
            CiphertextMessage::PreKeySignalMessage(sealed) => ("pkmsg", sealed.serialized().to_vec()),
            CiphertextMessage::SignalMessage(sealed) => ("msg", sealed.serialized().to_vec()),
            _ => panic!("no such message"),
        }
    }

    /// What the account's device has written; none where it cannot be read.
    pub fn read(&mut self, from: &str, kind: &str, sealed: &[u8]) -> Option<wa::Message> {
        let address = ProtocolAddress::new(from, 0.into());
        let sealed = match kind {
            "pkmsg" => CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(sealed).ok()?),
            _ => CiphertextMessage::SignalMessage(SignalMessage::try_from(sealed).ok()?),
        };
        let (mut sessions, mut identities) = (self.sessions.clone(), self.device.clone());
        let (mut once, signed) = (Signed(self.device.clone()), Signed(self.device.clone()));
        let mut random = rand::rng();
        let plain = message_decrypt(
            &sealed,
            &address,
            &mut sessions,
            &mut identities,
            &mut once,
            &signed,
            &mut random,
            UsePQRatchet::No,
        );
        wacore::messages::decode_plaintext(&now(plain).ok()?.plaintext, 2).ok()
    }
}
