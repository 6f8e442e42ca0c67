//! The reactions that Telegram lets bots give, as it spells them.

const KNOWN: &str = "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 \
    🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 😡 ❤\u{200d}🔥 \
    👨\u{200d}💻 🤷\u{200d}♂ 🤷 🤷\u{200d}♀";

/// The reaction that `emoji` means: without what only asks for colour (U+FE0F) or a skin. None if there is no such.
pub fn known(emoji: &str) -> Option<&'static str> {
    let is_look = |c: &char| matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let plain: String = emoji.trim().chars().filter(|c| !is_look(c)).collect();
    KNOWN.split_whitespace().find(|known| *known == plain)
}
