//! How many tokens a message takes in a model's window, guessed without the model's tokeniser: by the length of
//! its texts, with a fixed cost for an image, whose bytes say nothing. Pure.
use crate::sessions::message;
use serde_json::Value;

/// A cautious guess for any language: prose in English has more than four bytes a token, other scripts and
/// source code about three.
pub const BYTES_PER_TOKEN: u64 = 3;
/// What an image of the largest size that servers do not scale down costs.
const IMAGE: u64 = 1600;
/// Role and separators.
const MESSAGE: u64 = 4;

/// Tokens of that many bytes of text, rounded up.
pub fn of_bytes(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// Tokens of a message in the transcript's shape.
pub fn of_message(message: &Value) -> u64 {
    let plain = message.get("content").and_then(Value::as_str).map_or(0, |text| of_bytes(text.len()));
    MESSAGE + plain + message::blocks(message).iter().map(of_block).sum::<u64>()
}

fn of_block(block: &Value) -> u64 {
    let len = |name: &str| block.get(name).and_then(Value::as_str).map_or(0, str::len);
    match block.get("type").and_then(Value::as_str) {
        Some("image") => IMAGE,
        Some("text") | None => of_bytes(len("text")),
        Some("thinking") => of_bytes(len("thinking")),
        Some("toolCall") => of_bytes(len("name") + block.get("arguments").map_or(0, json_len)),
        Some(_) => of_bytes(json_len(block)),
    }
}

/// The length of a value as JSON, in bytes.
pub fn json_len(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the counter nor a JSON value can fail to be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_cost_by_length_and_images_a_fixed_sum() {
        let text =
            |len: usize| of_message(&json!({"role": "user", "content": [message::text(&"x".repeat(len))]}));
        assert_eq!((text(0), text(300), text(301)), (4, 104, 105));
        assert_eq!(of_message(&json!({"role": "user", "content": "xxx"})), 5);
        let image =
            |len: usize| of_message(&json!({"content": [message::image(&"x".repeat(len), "image/png")]}));
        assert_eq!(image(10), image(1_000_000));
        let call = json!({"content": [{"type": "toolCall", "id": "c", "name": "read", "arguments": {"path": "abc"}}]});
        assert_eq!(of_message(&call), 4 + 6);
    }
}
