//! A job's text as it is held in memory: what nearly all jobs say in the same words is one byte, an id sixteen, a moment six.
//! It comes out as it went in, to the byte. Pure.
use crate::parts::Parts;
use std::sync::Arc;

/// Bytes that no text of JSON has as they are. What is behind the first of these, in front of all, is not packed.
const PLAIN: u8 = 0;
const ID: u8 = 1;
const MOMENT: u8 = 2;
const FIRST: u8 = 3;
/// What is one byte from `FIRST` on, of what stands for each other's beginning the longer one first.
const STRETCHES: [&str; 29] = [
    r#"{"id":""#,
    r#"","name":""#,
    r#"","agentId":""#,
    r#"","description":""#,
    r#"","enabled":true"#,
    r#","deleteAfterRun":true"#,
    r#","createdAtMs":"#,
    r#","updatedAtMs":"#,
    r#","schedule":{"kind":"every","everyMs":"#,
    r#","anchorMs":"#,
    r#","schedule":{"kind":"cron","expr":""#,
    r#","schedule":{"kind":"at","at":""#,
    r#"","tz":"Europe/"#,
    r#"","tz":""#,
    r#"},"sessionTarget":"isolated","wakeMode":"now","payload":{"kind":"agentTurn","message":""#,
    r#"},"sessionTarget":"main","wakeMode":"now","payload":{"kind":"systemEvent","text":""#,
    r#","sessionTarget":"isolated""#,
    r#","sessionTarget":"main""#,
    r#","wakeMode":"next-heartbeat""#,
    r#","wakeMode":"now""#,
    r#","payload":{"kind":"agentTurn","message":""#,
    r#"},"delivery":{"mode":"none"},"state":{"#,
    r#"},"delivery":{"mode":"announce"},"state":{"#,
    r#"},"delivery":{"mode":"announce","channel":""#,
    r#"},"state":{"#,
    r#""nextRunAtMs":"#,
    r#""lastRunAtMs":"#,
    r#","lastStatus":"ok","lastDurationMs":"#,
    r#","consecutiveErrors":0"#,
];
/// Which of them have this third byte, where most differ: a bit for each.
const BY_THIRD: [u32; 128] = by_third();
/// Where an id has its lines, and how many bytes it is of.
const LINES: [usize; 4] = [8, 13, 18, 23];
const LETTERS: usize = 36;
const ID_BYTES: usize = 16;
const HEX: &[u8; 16] = b"0123456789abcdef";
/// Digits of a moment in milliseconds, from 2001 to 2286, and the bytes that hold it.
const DIGITS: usize = 13;
const MOMENT_BYTES: usize = 6;

/// Cheap to copy.
#[derive(Clone)]
pub struct Packed(Arc<[u8]>);

impl Packed {
    pub fn of(text: &str) -> Packed {
        let mut out = Vec::with_capacity(text.len() / 2);
        if text.bytes().any(|byte| byte < b' ') {
            out.push(PLAIN);
            out.extend_from_slice(text.as_bytes());
            return Packed(out.into());
        }
        let mut rest = text.as_bytes();
        while let Some(&byte) = rest.first() {
            rest = rest.tail(
                match byte {
                    b'"' | b',' | b'{' | b'}' => stretch(rest, &mut out),
                    b'0'..=b'9' | b'a'..=b'f' => number(rest, &mut out),
                    _ => None,
                }
                .unwrap_or_else(|| {
                    out.push(byte);
                    1
                }),
            );
        }
        Packed(out.into())
    }

    /// What was packed before.
    pub fn again(bytes: &[u8]) -> Packed {
        Packed(bytes.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn text(&self) -> String {
        let mut out = Vec::with_capacity(self.0.len() * 4);
        let mut rest = &*self.0;
        if let Some((&PLAIN, plain)) = rest.split_first() {
            out.extend_from_slice(plain);
            rest = &[];
        }
        while let Some((&byte, behind)) = rest.split_first() {
            rest = match byte {
                ID => behind.tail(id(behind, &mut out)),
                MOMENT => {
                    let bytes = behind.head(MOMENT_BYTES).iter();
                    let number = bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                    out.extend_from_slice(format!("{number:0DIGITS$}").as_bytes());
                    behind.tail(MOMENT_BYTES)
                }
                byte => {
                    match STRETCHES.get(usize::from(byte.wrapping_sub(FIRST))) {
                        Some(stretch) => out.extend_from_slice(stretch.as_bytes()),
                        None => out.push(byte),
                    }
                    behind
                }
            };
        }
        // It was a text.
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Packs what the rest begins with; gives how much that was.
fn stretch(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let third = usize::from(*rest.get(2)?);
    let mut fit = BY_THIRD.get(third).copied().unwrap_or_default();
    while fit != 0 {
        let at = fit.trailing_zeros();
        let text = STRETCHES.get(at as usize).copied().unwrap_or_default();
        if rest.starts_with(text.as_bytes()) {
            out.push(FIRST + at as u8);
            return Some(text.len());
        }
        fit &= fit - 1;
    }
    None
}

#[allow(clippy::indexing_slicing, reason = "it is done when this is compiled")]
const fn by_third() -> [u32; 128] {
    let (mut table, mut at) = ([0; 128], 0);
    while at < STRETCHES.len() {
        table[STRETCHES[at].as_bytes()[2] as usize] |= 1 << at;
        at += 1;
    }
    table
}

fn number(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let may_be_id = rest.get(8) == Some(&b'-');
    if let Some(text) = rest.get(..LETTERS).filter(|text| may_be_id && is_id(text)) {
        out.push(ID);
        let digits: Vec<u8> = text.iter().filter_map(|byte| digit(*byte)).collect();
        out.extend(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)));
        return Some(LETTERS);
    }
    // Digits of a longer number are none, for the sake of what is behind them.
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).take(DIGITS + 1).count();
    let text = rest.get(..DIGITS).filter(|_| digits == DIGITS)?;
    let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    out.push(MOMENT);
    out.extend_from_slice(number.to_be_bytes().tail(8 - MOMENT_BYTES));
    Some(DIGITS)
}

fn is_id(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match LINES.contains(&at) {
        true => *byte == b'-',
        false => digit(*byte).is_some(),
    })
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn id(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    for byte in bytes.head(ID_BYTES) {
        if LINES.contains(&(out.len() - begin)) {
            out.push(b'-');
        }
        out.extend([byte >> 4, byte & 0xF].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
    }
    ID_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_a_packed_job_comes_out_as_it_went_in() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let job = format!(
            r#"{{"id":"{id}","name":"a job","enabled":true,"createdAtMs":1795224978696,"updatedAtMs":0000000000001,"schedule":{{"kind":"cron","expr":"0 9 * * 1","tz":"Europe/Berlin"}},"sessionTarget":"isolated","wakeMode":"now","payload":{{"kind":"agentTurn","message":"{id} 17952249786960 1795224978696000 ä \u0007"}},"delivery":{{"mode":"none"}},"state":{{"nextRunAtMs":1795224978696}}}}"#
        );
        let packed = Packed::of(&job);
        assert_eq!(packed.text(), job);
        assert!(packed.0.len() < 160, "{} of {}", packed.0.len(), job.len());
        assert_eq!(Packed::again(packed.bytes()).text(), job);
        let all = STRETCHES.join("");
        for (at, one) in STRETCHES.iter().enumerate() {
            assert_eq!(Packed::of(one).0.len(), 1, "{one} is never reached");
            let mut cut = job.clone();
            cut.insert_str(at * 7 + 10, one);
            for text in [&cut, &cut[at..], &job[..at * 9], one, &all[at..]] {
                let text = text.to_string();
                assert_eq!(Packed::of(&text).text(), text);
            }
        }
        for text in ["", "\u{1}\u{2}\n{\"id\":\"", "\u{0}", "é", &id.to_uppercase(), &format!("{id}{id}f")] {
            assert_eq!(Packed::of(text).text(), text);
        }
    }
}
