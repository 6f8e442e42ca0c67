//! `openclaw message sticker send`: a sticker that the platform has.
use super::asking::{Asked, ask};
use super::{BASE, THREAD, TO};
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag};
use crate::error::Result;
use crate::json::Put;
use serde_json::Map;

pub const STICKER: Command = Command {
    name: "message sticker send",
    summary: "Send a sticker that the platform has",
    about: "The platform has a name for each, such as a file_id; actions.sticker of the channel must be true.",
    flags: &[
        &[
            Flag::value("sticker-id", "<id>", "The sticker, by its id on the platform"),
            Flag::value("reply-to", "<id>", "Answer this message"),
            THREAD,
        ],
        TO,
        rpc::FLAGS,
    ],
    examples: &[("openclaw message sticker send --target 1001 --sticker-id CAACAgIAAxk", "Send a sticker")],
    run: sticker,
    ..BASE
};

fn sticker(context: &Context, args: &Args) -> Result<()> {
    let mut params = Map::new();
    params.put("action", "sticker");
    params.put("fileId", args.required("sticker-id")?);
    for (long, member) in [("reply-to", "replyToId"), ("thread-id", "threadId")] {
        if let Some(id) = args.filled(long)? {
            params.put(member, id.trim());
        }
    }
    let asked = Asked { action: "sticker", method: "message.action", params };
    ask(context, args, asked, &|channel, id| format!("✅ Sticker sent via {channel}. Message ID: {id}"))
}
