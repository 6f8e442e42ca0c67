//! The store as WhatsApp's own protocol sees it: names of people, devices, what was sent and what is on its way, the link.
use super::{Change, Store, Told, from_json, joined, now, stamped, table, to_json, unstamped};
use wacore::store::Device;
use wacore::store::traits::{
    DeviceListRecord, DeviceStore, LidPnMappingEntry, MsgSecretEntry, MsgSecretStore, PendingInboundKey,
    PendingInboundRow, ProtocolStore, TcTokenEntry, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};
use whatsapp_rust::async_trait;

/// Texts of messages kept for those who could not read them the first time.
const MAX_SENT: usize = 2048;
/// Keys of replies to messages (votes, edits).
const MAX_SECRETS: usize = 4096;

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

impl Store {
    fn put(&self, table: u8, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Told<()> {
        Ok(self.apply(&[Change::put(table, key, value)])?)
    }

    fn remove(&self, table: u8, keys: impl IntoIterator<Item = Vec<u8>>) -> Told<()> {
        Ok(self.apply(&keys.into_iter().map(|key| Change::gone(table, key)).collect::<Vec<_>>())?)
    }

    fn mapping(&self, entry: &LidPnMappingEntry, changes: &mut Vec<Change>) -> Told<()> {
        let old: Option<LidPnMappingEntry> = from_json(self.get(table::LID, &entry.lid)?)?;
        if let Some(old) = old.filter(|old| old.phone_number != entry.phone_number) {
            changes.push(Change::gone(table::NUMBER, old.phone_number));
        }
        changes.push(Change::put(table::LID, entry.lid.as_str(), to_json(entry)?));
        changes.push(Change::put(table::NUMBER, entry.phone_number.as_str(), entry.lid.as_str()));
        Ok(())
    }
}

#[async_trait]
impl ProtocolStore for Store {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Told<Vec<(String, bool)>> {
        let prefix = joined(&[group_jid, ""]);
        let mut all = Vec::new();
        for key in self.keys(table::SENDER_KEY_DEVICE, &prefix) {
            let has = self.get(table::SENDER_KEY_DEVICE, &key)? == Some(vec![1]);
            all.push((text(key.get(prefix.len()..).unwrap_or_default()), has));
        }
        Ok(all)
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Told<()> {
        let one = |(device, has): &(&str, bool)| {
            Change::put(table::SENDER_KEY_DEVICE, joined(&[group_jid, device]), [u8::from(*has)])
        };
        Ok(self.apply(&entries.iter().map(one).collect::<Vec<_>>())?)
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Told<()> {
        self.remove(table::SENDER_KEY_DEVICE, self.keys(table::SENDER_KEY_DEVICE, &joined(&[group_jid, ""])))
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Told<()> {
        let is_one = |key: &Vec<u8>| {
            let device = key.split(|byte| *byte == 0).nth(1).unwrap_or_default();
            device_jids.iter().any(|jid| jid.as_bytes() == device)
        };
        let keys = self.keys(table::SENDER_KEY_DEVICE, b"");
        self.remove(table::SENDER_KEY_DEVICE, keys.into_iter().filter(is_one))
    }

    async fn clear_all_sender_key_devices(&self) -> Told<()> {
        self.remove(table::SENDER_KEY_DEVICE, self.keys(table::SENDER_KEY_DEVICE, b""))
    }

    async fn get_lid_mapping(&self, lid: &str) -> Told<Option<LidPnMappingEntry>> {
        from_json(self.get(table::LID, lid)?)
    }

    async fn get_pn_mapping(&self, phone: &str) -> Told<Option<LidPnMappingEntry>> {
        match self.get(table::NUMBER, phone)? {
            Some(lid) => from_json(self.get(table::LID, lid)?),
            None => Ok(None),
        }
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Told<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Told<()> {
        let mut changes = Vec::new();
        entries.iter().try_for_each(|entry| self.mapping(entry, &mut changes))?;
        Ok(self.apply(&changes)?)
    }

    async fn get_all_lid_mappings(&self) -> Told<Vec<LidPnMappingEntry>> {
        let mut all = Vec::new();
        for key in self.keys(table::LID, b"") {
            all.extend(from_json(self.get(table::LID, key)?)?);
        }
        Ok(all)
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Told<()> {
        self.put(table::BASE_KEY, joined(&[address, message_id]), base_key)
    }

    async fn has_same_base_key(&self, address: &str, message_id: &str, current: &[u8]) -> Told<bool> {
        Ok(self.get(table::BASE_KEY, joined(&[address, message_id]))?.as_deref() == Some(current))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Told<()> {
        self.remove(table::BASE_KEY, [joined(&[address, message_id])])
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Told<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Told<()> {
        let one = |record: &DeviceListRecord| {
            Ok(Change::put(table::DEVICES, record.user.as_str(), to_json(record)?))
        };
        Ok(self.apply(&records.iter().map(one).collect::<Told<Vec<_>>>()?)?)
    }

    async fn get_devices(&self, user: &str) -> Told<Option<DeviceListRecord>> {
        from_json(self.get(table::DEVICES, user)?)
    }

    async fn delete_devices(&self, user: &str) -> Told<()> {
        self.remove(table::DEVICES, [user.into()])
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Told<Option<Vec<u8>>> {
        Ok(self.get(table::GROUP, group_jid)?)
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Told<()> {
        self.put(table::GROUP, group_jid, blob)
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Told<()> {
        self.remove(table::GROUP, [group_jid.into()])
    }

    async fn get_tc_token(&self, jid: &str) -> Told<Option<TcTokenEntry>> {
        from_json(self.get(table::TOKEN, jid)?)
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Told<()> {
        self.put(table::TOKEN, jid, to_json(entry)?)
    }

    async fn delete_tc_token(&self, jid: &str) -> Told<()> {
        self.remove(table::TOKEN, [jid.into()])
    }

    async fn get_all_tc_token_jids(&self) -> Told<Vec<String>> {
        Ok(self.keys(table::TOKEN, b"").iter().map(|key| text(key)).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Told<u32> {
        let mut gone = Vec::new();
        for key in self.keys(table::TOKEN, b"") {
            let entry: Option<TcTokenEntry> = from_json(self.get(table::TOKEN, &key)?)?;
            let is_live = entry.is_some_and(|entry| {
                let is_sent = entry.sender_timestamp.is_some_and(|at| at >= sender_cutoff);
                is_sent || (!entry.token.is_empty() && entry.token_timestamp >= token_cutoff)
            });
            gone.extend((!is_live).then_some(key));
        }
        let count = gone.len() as u32;
        self.remove(table::TOKEN, gone).map(|()| count)
    }

    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Told<()> {
        if self.keys(table::SENT, b"").len() >= MAX_SENT {
            let day = now() - 24 * 60 * 60;
            if self.expire(table::SENT, |at| at < day)? == 0 {
                self.remove(table::SENT, self.keys(table::SENT, b"").into_iter().take(MAX_SENT / 4))?;
            }
        }
        self.put(table::SENT, joined(&[chat_jid, message_id]), stamped(now(), payload))
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Told<Option<Vec<u8>>> {
        let key = joined(&[chat_jid, message_id]);
        let value = self.get(table::SENT, &key)?;
        self.remove(table::SENT, [key])?;
        Ok(value.as_deref().and_then(unstamped).map(|(_, payload)| payload.to_vec()))
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Told<u32> {
        self.expire(table::SENT, |at| at < cutoff_timestamp)
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Told<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Told<()> {
        let at = now();
        let one = |row: &PendingInboundRow| {
            Change::put(table::PENDING, joined(&[row.chat, row.sender, row.id]), stamped(at, row.message))
        };
        Ok(self.apply(&rows.iter().map(one).collect::<Vec<_>>())?)
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Told<Option<Vec<u8>>> {
        let value = self.get(table::PENDING, joined(&[chat, sender, id]))?;
        Ok(value.as_deref().and_then(unstamped).map(|(_, message)| message.to_vec()))
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Told<()> {
        self.remove(table::PENDING, [joined(&[chat, sender, id])])
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Told<()> {
        self.remove(table::PENDING, keys.iter().map(|key| joined(&[key.chat, key.sender, key.id])))
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Told<u32> {
        self.expire(table::PENDING, |at| at < cutoff_timestamp)
    }
}

/// Both times before the secret: until when it is needed (0 for ever) and when its message was written.
#[async_trait]
impl MsgSecretStore for Store {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Told<usize> {
        let mut changes = Vec::new();
        for entry in &entries {
            let key = joined(&[&entry.chat, &entry.sender, &entry.msg_id]);
            let old = self.get(table::SECRET, &key)?;
            let old = old
                .as_deref()
                .and_then(unstamped)
                .and_then(|(until, rest)| Some((until, unstamped(rest)?.0)));
            let until = old.map_or(entry.expires_at, |(at, _)| merge_msg_secret_expiry(at, entry.expires_at));
            let written =
                old.map_or(entry.message_ts, |(_, at)| merge_msg_secret_message_ts(at, entry.message_ts));
            changes.push(Change::put(table::SECRET, key, stamped(until, &stamped(written, &entry.secret))));
        }
        let surplus = (self.keys(table::SECRET, b"").len() + changes.len()).saturating_sub(MAX_SECRETS);
        if surplus > 0 {
            let most = surplus + MAX_SECRETS / 4;
            self.remove(table::SECRET, self.keys(table::SECRET, b"").into_iter().take(most))?;
        }
        self.apply(&changes)?;
        Ok(entries.len())
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Told<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, msg_id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Told<Option<(Vec<u8>, i64)>> {
        let value = self.get(table::SECRET, joined(&[chat, sender, msg_id]))?;
        let read = value.as_deref().and_then(unstamped).and_then(|(_, rest)| unstamped(rest));
        Ok(read.map(|(written, secret)| (secret.to_vec(), written)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Told<u32> {
        self.expire(table::SECRET, |until| until != 0 && until <= cutoff_timestamp)
    }
}

#[async_trait]
impl DeviceStore for Store {
    /// Asked some ten times around a login: what has not changed is not written.
    async fn save(&self, device: &Device) -> Told<()> {
        let bytes = to_json(device)?;
        if self.get(table::DEVICE, "")?.as_ref() == Some(&bytes) {
            return Ok(());
        }
        self.put(table::DEVICE, "", bytes)
    }

    async fn load(&self) -> Told<Option<Device>> {
        from_json(self.get(table::DEVICE, "")?)
    }

    async fn exists(&self) -> Told<bool> {
        Ok(self.lock().has(table::DEVICE, b""))
    }

    async fn create(&self) -> Told<i32> {
        self.save(&Device::new()).await.map(|()| 1)
    }
}
