//! Bytes that others wrote as text, whatever their character set: what is declared, else what they look like.
//!
//! Pure; for the threads that read files, attachments and pages. Nothing here fails because of single bytes: what
//! cannot be read becomes U+FFFD. Only what is no text at all (`is_binary`) is refused. The tables are `encoding_rs`'s.
mod nearly;
pub mod wide;

use crate::parts::{Parts, first, within};
use encoding_rs::{
    BIG5, DecoderResult, EUC_JP, EUC_KR, Encoding, GB18030, KOI8_R, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE,
    WINDOWS_1251, WINDOWS_1252,
};

/// Bytes that are looked at to find out what a text is.
const SAMPLE: usize = 64 * 1024;
/// Bytes of a page in which it may say what it is written in.
const HEAD: usize = 4096;

/// A text, and what it was written in.
#[derive(Debug, PartialEq)]
pub struct Text {
    pub text: String,
    /// `None` for UTF-8 without a mistake.
    pub charset: Option<&'static str>,
}

/// The bytes as text of at most `most` bytes; `None` when they are none. `label` is what came with them; with
/// `is_cut` there was more, and half a character at the end is left out.
pub fn decode(bytes: Vec<u8>, label: Option<&str>, is_cut: bool, most: usize) -> Option<Text> {
    // Before UTF-16, whose mark one of its marks begins with.
    let cut_to = |text: Text| Text { text: cut(text.text, most), ..text };
    if let Some(text) = wide::four(&bytes, is_cut) {
        return Some(cut_to(text));
    }
    if let Some((encoding, bom)) = Encoding::for_bom(&bytes) {
        let rest = bytes.tail(bom);
        return if encoding == UTF_8 {
            utf8(rest.to_vec(), is_cut, most)
        } else {
            by(encoding, rest, is_cut, most)
        };
    }
    let declared =
        label.and_then(|label| Encoding::for_label(label.trim().as_bytes())).filter(|e| *e != UTF_8);
    let is_utf8 = match std::str::from_utf8(&bytes) {
        Ok(_) => true,
        Err(e) => is_cut && e.error_len().is_none(),
    };
    match declared {
        // Many servers declare the Latin set of their defaults whatever they send.
        Some(encoding) if !(is_utf8 && encoding.is_single_byte()) => by(encoding, &bytes, is_cut, most),
        _ => match wide(&bytes) {
            Some(encoding) => by(encoding, &bytes, is_cut, most),
            // A file that was being written when the power failed begins or ends in zeros.
            None if is_padded(&bytes) => decode(within_zeros(&bytes).to_vec(), label, is_cut, most),
            None if is_binary(&bytes) => {
                let in_words = wide_words(&bytes).and_then(|encoding| by(encoding, &bytes, is_cut, most));
                in_words.or_else(|| wide::around_zeros(&bytes).map(cut_to))
            }
            None if is_utf8 || nearly::is_utf8(&bytes) => utf8(bytes, is_cut, most),
            None => by(guess(first(&bytes, SAMPLE)), &bytes, is_cut, most),
        },
    }
}

/// What a page says in its head about its character set.
pub fn declared_in(page: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(first(page, HEAD)).to_ascii_lowercase();
    let word = |after: &str| {
        let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end =
            value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(value.len());
        value.get(..end).filter(|word| !word.is_empty()).map(str::to_string)
    };
    let xml = head.trim_start().starts_with("<?xml").then(|| head.split_once("encoding")).flatten();
    // Whoever could read this far as ASCII does not have UTF-16.
    let found =
        xml.and_then(|(_, after)| word(after)).or_else(|| head.split("charset").skip(1).find_map(word));
    found.filter(|word| !word.starts_with("utf-16"))
}

fn utf8(bytes: Vec<u8>, is_cut: bool, most: usize) -> Option<Text> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if is_cut && e.utf8_error().error_len().is_none() => {
            let valid = e.utf8_error().valid_up_to();
            let mut bytes = e.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        }
        Err(e) => return by(UTF_8, e.as_bytes(), is_cut, most),
    };
    Some(Text { text: cut(text, most), charset: None })
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(within(&text, most).len());
    text
}

fn by(encoding: &'static Encoding, bytes: &[u8], is_cut: bool, most: usize) -> Option<Text> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(most).min(most);
    let mut text = String::with_capacity(room);
    // A full buffer is the end that was asked for.
    let _ = decoder.decode_to_string(bytes, &mut text, !is_cut);
    let controls = text.chars().filter(|c| c.is_ascii() && is_odd(*c as u8)).count();
    (controls * 32 <= text.len()).then_some(Text { text, charset: Some(encoding.name()) })
}

/// Control characters that texts do not hold. Colours of terminals and form feeds are common in logs.
fn is_odd(byte: u8) -> bool {
    matches!(byte, 0..=7 | 14..=26 | 28..=31 | 127)
}

/// Whether more than one byte in 32 is an odd control character.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| is_odd(**byte)).count() * 32 > bytes.len()
}

/// UTF-16 without its mark: every other byte of Latin letters is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = first(bytes, SAMPLE);
    let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    match () {
        () if half < 2 || (even + odd) * 10 < half * 7 => None,
        () if odd > even * 8 => Some(UTF_16LE),
        () if even > odd * 8 => Some(UTF_16BE),
        () => None,
    }
}

/// UTF-16 without its mark in other scripts: its blanks and line ends have zeros, and what it says is letters.
fn wide_words(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = first(bytes, SAMPLE);
    let units = sample.as_chunks::<2>().0;
    // What has plain letters alone between its zeros is no other script, but a list of names.
    let is_list = sample.iter().all(|byte| *byte == 0 || byte.is_ascii() && !is_odd(*byte));
    if bytes.len() & 1 == 1 || bytes.len() < 8 || is_list || !sample.contains(&0) || units.contains(&[0, 0]) {
        return None;
    }
    let odd = |order: fn([u8; 2]) -> u16| {
        let units = units.iter().map(|unit| order(*unit));
        char::decode_utf16(units).filter(|c| !c.as_ref().is_ok_and(|c| is_written(*c))).count()
    };
    let (little, big) = (odd(u16::from_le_bytes), odd(u16::from_be_bytes));
    let encoding = if little <= big { UTF_16LE } else { UTF_16BE };
    (little.min(big) * 40 <= sample.len()).then_some(encoding)
}

/// Whether people write this.
fn is_written(c: char) -> bool {
    let is_mark = matches!(c, '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff65}');
    c.is_alphanumeric() || c.is_whitespace() || c.is_ascii_punctuation() || is_mark
}

/// What stands between zeros at the beginning and the end.
fn within_zeros(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(start, |at| at + 1);
    bytes.part(start..end)
}

/// Whether there is a text between zeros.
fn is_padded(bytes: &[u8]) -> bool {
    let within = within_zeros(bytes);
    within.len() < bytes.len() && !within.is_empty() && !within.contains(&0) && !is_binary(within)
}

/// A set of two bytes a character: where its usual characters begin.
struct Pairs {
    encoding: &'static Encoding,
    /// Ranges of first bytes of characters that most texts consist of.
    usual: &'static [(u8, u8)],
    /// First bytes that hardly anything else has that often; a text with many of them is surely in this set.
    telling: &'static [(u8, u8)],
}

/// On equal terms the first wins.
const PAIRS: [Pairs; 5] = [
    Pairs { encoding: GB18030, usual: &[(0xa1, 0xa1), (0xa3, 0xa3), (0xb0, 0xd7)], telling: &[] },
    Pairs { encoding: BIG5, usual: &[(0xa1, 0xa1), (0xa4, 0xc6)], telling: &[] },
    Pairs { encoding: SHIFT_JIS, usual: &[(0x81, 0x83), (0x88, 0x97)], telling: &[(0x82, 0x83)] },
    Pairs { encoding: EUC_JP, usual: &[(0xa1, 0xa1), (0xa4, 0xa5), (0xb0, 0xcf)], telling: &[(0xa4, 0xa5)] },
    Pairs { encoding: EUC_KR, usual: &[(0xa1, 0xa1), (0xb0, 0xc8)], telling: &[] },
];

/// Frequent syllables of Korean in EUC-KR, whose bytes are rare characters in the Chinese sets.
const SYLLABLES: [u16; 17] = [
    0xc0cc, 0xb4d9, 0xb4c2, 0xbfa1, 0xc0bb, 0xc7cf, 0xb0ed, 0xc1f6, 0xc7d1, 0xbeee, 0xbbe7, 0xc0da, 0xc0ce,
    0xbdc3, 0xbfe4, 0xb4cf, 0xbdc0,
];

/// What bytes that are no UTF-8 look like.
fn guess(bytes: &[u8]) -> &'static Encoding {
    if !is_latin(bytes) {
        let mut best = (0.7, None);
        for pairs in &PAIRS {
            let score = score(pairs, bytes);
            if score > best.0 {
                best = (score, Some(pairs.encoding));
            }
        }
        if let Some(encoding) = best.1 {
            return encoding;
        }
    }
    let count = |from: u8, to: u8| bytes.iter().filter(|byte| (from..=to).contains(*byte)).count();
    let (upper, lower, high) = (count(0xc0, 0xdf), count(0xe0, 0xff), count(0x80, 0xff));
    match () {
        // Cyrillic words consist of nothing else, Latin ones have a letter of it now and then.
        () if (upper + lower) * 10 < high * 8 || high < runs(bytes).0 * 3 => WINDOWS_1252,
        () if lower >= upper => WINDOWS_1251,
        () => KOI8_R,
    }
}

/// Runs of bytes above ASCII, and how many of them are one letter beside ASCII's.
fn runs(bytes: &[u8]) -> (usize, usize) {
    let (mut runs, mut letters) = (0, 0);
    for run in bytes.split(u8::is_ascii).filter(|run| !run.is_empty()) {
        runs += 1;
        letters += usize::from(matches!(run, [0x80 | 0x85 | 0x91..=0x97 | 0xa0..]));
    }
    (runs, letters)
}

fn is_latin(bytes: &[u8]) -> bool {
    let (runs, letters) = runs(bytes);
    letters * 3 > runs * 2
}

/// From 0 to 1 and a little more: how usual the text would be in this set; 0 when it cannot be in it.
fn score(pairs: &Pairs, bytes: &[u8]) -> f64 {
    let within =
        |ranges: &[(u8, u8)], byte: u8| ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte));
    let (mut all, mut usual, mut telling) = (0usize, 0usize, 0usize);
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.find(|byte| !byte.is_ascii()) {
        all += 1;
        let is_single = pairs.encoding == SHIFT_JIS && (0xa0..0xe0).contains(&byte);
        if is_single {
            continue;
        }
        // The usual characters of the older set of a wider one end in a byte above ASCII.
        let second = rest.next().unwrap_or_default();
        let is_whole = pairs.encoding != GB18030 || second > 0xa0;
        usual += usize::from(is_whole && within(pairs.usual, byte));
        telling += usize::from(within(pairs.telling, byte));
    }
    if all == 0 || mistakes(pairs.encoding, bytes) * 50 > all {
        return 0.0;
    }
    let share = usual as f64 / all as f64;
    // Hangul alone is rare in anything but Korean, kana in anything but Japanese.
    let is_korean = (all >= 16 && share > 0.97) || (usual == all && has_syllables(bytes, all));
    let is_sure = (pairs.encoding == EUC_KR && is_korean) || (all >= 4 && telling * 3 > all);
    if is_sure { share + 0.1 } else { share }
}

/// Whether a text of so many characters has as many of the most frequent syllables as Korean has.
fn has_syllables(bytes: &[u8], all: usize) -> bool {
    let mut rest = bytes.iter().copied();
    let mut found = 0;
    while let Some(first) = rest.find(|byte| !byte.is_ascii()) {
        let pair = u16::from_be_bytes([first, rest.next().unwrap_or_default()]);
        found += usize::from(SYLLABLES.contains(&pair));
    }
    found >= 2 && found * 5 >= all
}

/// Places that cannot be read in this set.
fn mistakes(encoding: &'static Encoding, mut bytes: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut buffer, mut mistakes) = ([0u8; 4096], 0);
    loop {
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(bytes, &mut buffer, false);
        bytes = bytes.tail(read);
        match result {
            DecoderResult::InputEmpty => return mistakes,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => mistakes += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    fn read(bytes: &[u8]) -> String {
        decode(bytes.to_vec(), None, false, MOST).unwrap().text
    }

    fn in_set(encoding: &'static Encoding, text: &str) -> Vec<u8> {
        let (bytes, _, has_failed) = encoding.encode(text);
        assert!(!has_failed, "{text}");
        bytes.into_owned()
    }

    #[test]
    fn b_f41_texts_without_a_label_are_known_by_their_bytes() {
        let rows = [
            (GB18030, "今天天气很好，我们去公园散步吧。这是一个日志文件。"),
            (GB18030, "你好"),
            (BIG5, "今天天氣很好，我們去公園散步吧。這是一個記錄檔。"),
            (SHIFT_JIS, "今日は天気がいいので、公園を散歩しましょう。"),
            (SHIFT_JIS, "エラー: ファイルが見つかりません"),
            (EUC_JP, "今日は天気がいいので、公園を散歩しましょう。"),
            (EUC_KR, "오늘은 날씨가 좋으니 공원을 산책합시다. 안녕하세요"),
            (EUC_KR, "안녕하세요"),
            (EUC_KR, "파일이 없습니다"),
            (BIG5, "記錄檔"),
            (GB18030, "日志文件"),
            (WINDOWS_1252, "Müller kaufte für 5 € schöne Äpfel – “sehr” süß, café crème\n"),
            (WINDOWS_1252, "caf\u{e9}"),
            (WINDOWS_1251, "Сегодня хорошая погода, пойдём гулять в парк"),
            (KOI8_R, "Сегодня хорошая погода, пойдем гулять в парк"),
        ];
        for (encoding, text) in rows {
            assert_eq!(read(&in_set(encoding, text)), text, "{}", encoding.name());
            let log = format!("2026-01-01 12:00:00 INFO start\n{text}\nstop\n");
            assert_eq!(read(&in_set(encoding, &log)), log, "{}", encoding.name());
        }
    }

    #[test]
    fn b_f41_single_bad_bytes_and_cut_ends_hide_nothing() {
        let mut log = "line of a log, naïve\n".repeat(200).into_bytes();
        log.push(0xff);
        log.extend(b" end\n");
        assert!(read(&log).ends_with("naïve\n\u{fffd} end\n"));
        assert!(read(b"plain ascii with one \xff bad byte, and more").contains("bad byte, and more"));
        assert_eq!(read(b"a log with one \xff in it"), "a log with one \u{fffd} in it");
        assert_eq!(read(b"Preis 5 \xe2\x82"), "Preis 5 \u{fffd}");
        assert_eq!(read(b"un caf\xe9"), "un café");
        assert_eq!(read(b"caf\xc3\xa9 caf\xc3\xa9 caf\xc3"), "café café caf\u{fffd}");
        assert_eq!(decode(b"ab\xc3".to_vec(), None, true, MOST).unwrap().text, "ab");
        let mut gbk = in_set(GB18030, "今天天气很好，我们去公园散步吧");
        gbk.pop();
        assert!(read(&gbk).starts_with("今天天气很好，我们去公园散步"));
        for zeros in [1, 3, 8, 500] {
            let zeros = vec![0; zeros];
            assert_eq!(read(&[&zeros[..], "häß, a log\n".as_bytes()].concat()), "häß, a log\n");
            assert_eq!(read(&[b"a log of some length\n", &zeros[..]].concat()), "a log of some length\n");
        }
        let nul = [&b"start\n".repeat(100)[..], &[0; 8], &b"after a crash\n".repeat(20)].concat();
        assert!(read(&nul).ends_with("after a crash\n"));
    }

    #[test]
    fn b_f41_marks_and_utf_16_are_read() {
        let wide =
            |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        assert_eq!(read(&wide("\u{feff}häß\n", u16::to_le_bytes)), "häß\n");
        assert_eq!(read(&wide("\u{feff}日本\n", u16::to_be_bytes)), "日本\n");
        assert_eq!(read(&wide("no mark here\r\n", u16::to_le_bytes)), "no mark here\r\n");
        assert_eq!(read(&wide("no mark here\r\n", u16::to_be_bytes)), "no mark here\r\n");
        assert_eq!(read("\u{feff}plain".as_bytes()), "plain");
        for text in
            ["Привет, мир\nещё строка\n", "今天天气很好。\n我们去公园散步吧。\n", "오늘은 날씨가 좋다\r\n"]
        {
            assert_eq!(read(&wide(text, u16::to_le_bytes)), text);
            assert_eq!(read(&wide(text, u16::to_be_bytes)), text);
        }
    }

    /// B-F41: what `find -print0` and `/proc/*/environ` give.
    #[test]
    fn b_f41_plain_letters_between_zeros_are_no_other_script() {
        for list in [
            "./a.txt\0./b.txt\0",
            "PATH=/bin\0HOME=/root\0",
            "alpha\0beta\0gamma\0",
            "one two\0three\nfour\0five\0",
        ] {
            let text = read(list.as_bytes());
            let words: Vec<&str> = list.split(['\0', ' ', '\n']).filter(|word| !word.is_empty()).collect();
            assert!(text.is_ascii() && words.iter().all(|word| text.contains(word)), "{list:?}: {text:?}");
        }
    }

    #[test]
    fn b_f41_what_is_no_text_is_none() {
        for bytes in
            [&b"\xff\x00\x01"[..], b"PK\x03\x04\x00\xff", &[0; 300], b"\x7fELF\x02\x01\x01\0\0\0\0\0\x03\0"]
        {
            assert_eq!(decode(bytes.to_vec(), None, false, MOST), None, "{bytes:?}");
        }
        // Compressed bytes: every value as often as every other.
        let mixed: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert_eq!(decode(mixed, None, false, MOST), None);
    }

    #[test]
    fn b_f43_what_is_declared_counts_unless_it_is_plainly_utf_8() {
        let as_label =
            |bytes: &[u8], label: &str| decode(bytes.to_vec(), Some(label), false, MOST).unwrap().text;
        assert_eq!(as_label(b"\x80 \xe9", "windows-1252"), "€ é");
        assert_eq!(as_label(b"\x80 \xe9", "iso-8859-1"), "€ é");
        assert_eq!(as_label("é".as_bytes(), "iso-8859-1"), "é");
        assert_eq!(as_label(&in_set(GB18030, "你"), "gb2312"), "你");
        assert_eq!(as_label(b"\x1b$B$\"\x1b(B", "iso-2022-jp"), "あ");
        assert_eq!(as_label(b"a\0b\0", "utf-16le"), "ab");
        assert_eq!(as_label("é".as_bytes(), "no-such-set"), "é");
        assert_eq!(decode(vec![0x80; 100], Some("windows-1252"), false, 30).unwrap().text, "€".repeat(10));
        for (page, want) in [
            ("<meta charset=\"GB2312\">", Some("gb2312")),
            ("<META http-equiv=x content='text/html; charset = Big5'>", Some("big5")),
            ("<?xml version='1.0' encoding='Shift_JIS'?>", Some("shift_jis")),
            ("<meta charset=utf-16>", None),
            ("<p>charset", None),
        ] {
            assert_eq!(declared_in(page.as_bytes()).as_deref(), want, "{page}");
        }
    }
}
