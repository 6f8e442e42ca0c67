//! The store as the Signal protocol sees it: identities, sessions, keys of messages and groups. A call is one write.
use super::{Change, Store, Told, from_json, table, to_json};
use std::collections::HashMap;
use std::sync::Arc;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::StoreError;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore, SignalStore};
use whatsapp_rust::async_trait;
use whatsapp_rust::bytes::Bytes;

/// Whether an address (`user[:device]@server.0`) is one of this user.
fn is_of(address: &[u8], user: &str) -> bool {
    address.strip_prefix(user.as_bytes()).is_some_and(|rest| rest.starts_with(b"@") || rest.starts_with(b":"))
}

fn number(key: &[u8]) -> Option<u32> {
    key.try_into().ok().map(u32::from_be_bytes)
}

#[async_trait]
impl SignalStore for Store {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Told<()> {
        Ok(self.apply(&[Change::put(table::IDENTITY, address, key)])?)
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Told<()> {
        let one =
            |(address, key): &(Arc<str>, [u8; 32])| Change::put(table::IDENTITY, address.as_bytes(), *key);
        Ok(self.apply(&identities.iter().map(one).collect::<Vec<_>>())?)
    }

    async fn load_identity(&self, address: &str) -> Told<Option<[u8; 32]>> {
        let wrong = |_| StoreError::Validation(format!("the identity of {address} is not 32 bytes"));
        self.get(table::IDENTITY, address)?.map(|key| key.try_into().map_err(wrong)).transpose()
    }

    async fn delete_identity(&self, address: &str) -> Told<()> {
        Ok(self.apply(&[Change::gone(table::IDENTITY, address)])?)
    }

    async fn get_session(&self, address: &str) -> Told<Option<Bytes>> {
        Ok(self.get(table::SESSION, address)?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Told<()> {
        Ok(self.apply(&[Change::put(table::SESSION, address, session)])?)
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Told<()> {
        Ok(self.apply(&batch(table::SESSION, sessions))?)
    }

    async fn delete_session(&self, address: &str) -> Told<()> {
        Ok(self.apply(&[Change::gone(table::SESSION, address)])?)
    }

    async fn has_session(&self, address: &str) -> Told<bool> {
        Ok(self.lock().has(table::SESSION, address.as_bytes()))
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Told<bool> {
        let log = self.lock();
        let has = |table| log.keys(table, user.as_bytes()).any(|address| is_of(address, user));
        Ok(has(table::SESSION) || has(table::IDENTITY))
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Told<()> {
        self.store_prekeys_batch(&[(id, Bytes::copy_from_slice(record))], uploaded).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Told<()> {
        let one = |(id, record): &(u32, Bytes)| {
            Change::put(table::PREKEY, id.to_be_bytes(), [&[u8::from(uploaded)], &record[..]].concat())
        };
        Ok(self.apply(&keys.iter().map(one).collect::<Vec<_>>())?)
    }

    async fn load_prekey(&self, id: u32) -> Told<Option<Bytes>> {
        let value = self.get(table::PREKEY, id.to_be_bytes())?;
        Ok(value.and_then(|value| value.get(1..).map(Bytes::copy_from_slice)))
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Told<()> {
        let mut changes = Vec::new();
        for id in ids {
            // One that is gone by now stays gone.
            if let Some(mut value) = self.get(table::PREKEY, id.to_be_bytes())?
                && let Some(flag) = value.first_mut()
                && *flag == 0
            {
                *flag = 1;
                changes.push(Change::put(table::PREKEY, id.to_be_bytes(), value));
            }
        }
        Ok(self.apply(&changes)?)
    }

    async fn remove_prekey(&self, id: u32) -> Told<()> {
        Ok(self.apply(&[Change::gone(table::PREKEY, id.to_be_bytes())])?)
    }

    async fn get_max_prekey_id(&self) -> Told<u32> {
        Ok(self.lock().keys(table::PREKEY, b"").filter_map(number).max().unwrap_or(0))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Told<()> {
        Ok(self.apply(&[Change::put(table::SIGNED_PREKEY, id.to_be_bytes(), record)])?)
    }

    async fn load_signed_prekey(&self, id: u32) -> Told<Option<Vec<u8>>> {
        Ok(self.get(table::SIGNED_PREKEY, id.to_be_bytes())?)
    }

    async fn load_all_signed_prekeys(&self) -> Told<Vec<(u32, Vec<u8>)>> {
        let mut all = Vec::new();
        for id in self.keys(table::SIGNED_PREKEY, b"").iter().filter_map(|key| number(key)) {
            all.extend(self.get(table::SIGNED_PREKEY, id.to_be_bytes())?.map(|record| (id, record)));
        }
        Ok(all)
    }

    async fn remove_signed_prekey(&self, id: u32) -> Told<()> {
        Ok(self.apply(&[Change::gone(table::SIGNED_PREKEY, id.to_be_bytes())])?)
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Told<()> {
        Ok(self.apply(&[Change::put(table::SENDER_KEY, address, record)])?)
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Told<()> {
        Ok(self.apply(&batch(table::SENDER_KEY, sender_keys))?)
    }

    async fn get_sender_key(&self, address: &str) -> Told<Option<Vec<u8>>> {
        Ok(self.get(table::SENDER_KEY, address)?)
    }

    async fn delete_sender_key(&self, address: &str) -> Told<()> {
        Ok(self.apply(&[Change::gone(table::SENDER_KEY, address)])?)
    }
}

fn batch(table: u8, all: &[(Arc<str>, Bytes)]) -> Vec<Change> {
    all.iter().map(|(address, record)| Change::put(table, address.as_bytes(), &record[..])).collect()
}

/// A collection's name, then the index of an entry in it.
fn mac_key(name: &str, index: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\0", index].concat()
}

#[async_trait]
impl AppSyncStore for Store {
    async fn get_sync_key(&self, key_id: &[u8]) -> Told<Option<AppStateSyncKey>> {
        from_json(self.get(table::SYNC_KEY, key_id)?)
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Told<()> {
        let latest = Change::put(table::SYNC_LATEST, "", key_id);
        Ok(self.apply(&[Change::put(table::SYNC_KEY, key_id, to_json(&key)?), latest])?)
    }

    async fn get_version(&self, name: &str) -> Told<HashState> {
        Ok(from_json(self.get(table::SYNC_VERSION, name)?)?.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Told<()> {
        Ok(self.apply(&[Change::put(table::SYNC_VERSION, name, to_json(&state)?)])?)
    }

    async fn put_mutation_macs(&self, name: &str, _version: u64, all: &[AppStateMutationMAC]) -> Told<()> {
        let one = |mac: &AppStateMutationMAC| {
            Change::put(table::SYNC_MAC, mac_key(name, &mac.index_mac), mac.value_mac.clone())
        };
        Ok(self.apply(&all.iter().map(one).collect::<Vec<_>>())?)
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Told<Option<Vec<u8>>> {
        Ok(self.get(table::SYNC_MAC, mac_key(name, index_mac))?)
    }

    async fn get_mutation_macs(&self, name: &str, all: &[[u8; 32]]) -> Told<HashMap<[u8; 32], Vec<u8>>> {
        let mut found = HashMap::new();
        for index in all {
            found.extend(self.get(table::SYNC_MAC, mac_key(name, index))?.map(|mac| (*index, mac)));
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Told<()> {
        let gone = |index: &Vec<u8>| Change::gone(table::SYNC_MAC, mac_key(name, index));
        Ok(self.apply(&index_macs.iter().map(gone).collect::<Vec<_>>())?)
    }

    async fn clear_mutation_macs(&self, name: &str) -> Told<()> {
        let gone = self.keys(table::SYNC_MAC, &mac_key(name, b""));
        Ok(self.apply(&gone.into_iter().map(|key| Change::gone(table::SYNC_MAC, key)).collect::<Vec<_>>())?)
    }

    async fn get_latest_sync_key_id(&self) -> Told<Option<Vec<u8>>> {
        Ok(self.get(table::SYNC_LATEST, "")?)
    }
}
