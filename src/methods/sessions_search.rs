//! `sessions.search`: which messages hold some words. The state thread hands the indexes over as they are; transcripts
//! are read on the connection's thread, under the bounds of [`crate::sessions::search`].
use crate::calls::Call;
use crate::error::Result;
use crate::json::{Put, json};
use crate::methods::sessions::{eyes, key_of};
use crate::params::{params, read};
use crate::session_key;
use crate::sessions::list::is_hidden;
use crate::sessions::search::{Hit, Place, Search};
use crate::sessions::{Kept, Transcript};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::sync::Arc;

const DEFAULT: usize = 10;

params! {
    struct Wanted {
        query: String,
        agent_id: Option<String>,
        session_keys: Option<Vec<String>>,
        limit: Option<usize>,
    }
}

pub fn search(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Wanted { query, agent_id, session_keys, limit } = read(params)?;
    let keys = session_keys.map(|keys| {
        keys.iter().map(|key| key_of(state, key, agent_id.as_deref())).collect::<Result<Vec<String>>>()
    });
    let keys = keys.transpose()?;
    let agent = agent_id.map(|agent| session_key::normalise_agent_id(&agent));
    let (snapshots, eyes) = (state.sessions.snapshots(), eyes(&call));
    Ok(Answer::Work(Box::new(move || {
        let wanted = |kept: &Arc<Kept>| {
            !is_hidden(kept.key())
                && keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key == kept.key()))
        };
        let of_agent = |(owner, _): &&(String, _)| agent.as_ref().is_none_or(|agent| agent == owner);
        let all =
            snapshots.iter().filter(of_agent).flat_map(|(_, all)| all.iter().map(move |kept| (all, kept)));
        let mut all: Vec<_> = all.filter(|(_, kept)| wanted(kept)).collect();
        crate::order::by_key(&mut all, |(_, kept)| std::cmp::Reverse(kept.updated_at()));
        let place = |(all, kept): (&crate::sessions::Snapshot, &Arc<Kept>)| {
            let transcript = Transcript::of(all.dir(), &kept.open()).ok()?;
            Some(Place { key: kept.key().to_string(), updated_at: kept.updated_at(), transcript })
        };
        let mut search = Search::new(&query, limit.unwrap_or(DEFAULT), eyes);
        search.look_in(all.into_iter().filter_map(place));
        let is_cut = search.is_cut;
        let mut answer = json!({"results": search.into_hits().iter().map(Hit::to_value).collect::<Vec<_>>()});
        if let (Some(map), true) = (answer.as_object_mut(), is_cut) {
            map.put("truncated", true);
        }
        Ok(answer.into())
    })))
}
