//! The picture that a phone scans: for a terminal of 80 x 24 in half blocks, for a page as a PNG. Pure.
use qrcodegen::{QrCode, QrCodeEcc};
use std::io::Write;

/// Dots of a module, and modules of the margin, of the PNG.
const SCALE: usize = 6;
const MARGIN: i32 = 4;

fn code(text: &str) -> Option<QrCode> {
    QrCode::encode_text(text, QrCodeEcc::Low).ok()
}

/// Light is drawn and dark is left out, for terminals are dark; whoever shows it sets both colours.
fn draw(text: &str, (wide, high): (usize, usize), sign: fn(u32) -> Option<char>) -> Option<String> {
    let code = code(text)?;
    let side = code.size() + 2;
    let is_light = |x: i32, y: i32| x < side && y < side && !code.get_module(x - 1, y - 1);
    let cell = |x: i32, y: i32| {
        let part = |n: usize| u32::from(is_light(x + (n % wide) as i32, y + (n / wide) as i32)) << n;
        sign((0..wide * high).map(part).sum())
    };
    let line = |y: i32| (0..side).step_by(wide).map(|x| cell(x, y)).collect::<Option<String>>();
    (0..side).step_by(high).map(line).collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
}

/// Half blocks: modules are squares, two rows a line.
pub fn terminal(text: &str) -> Option<String> {
    draw(text, (1, 2), |bits| [' ', '\u{2580}', '\u{2584}', '\u{2588}'].get(bits as usize).copied())
}

/// Sixths of a character, for terminals of 24 lines: three rows a line, modules a quarter narrower than high.
pub fn small(text: &str) -> Option<String> {
    draw(text, (2, 3), |bits| match bits {
        0 => Some(' '),
        21 => Some('\u{258c}'),
        42 => Some('\u{2590}'),
        63 => Some('\u{2588}'),
        // Those that are other characters already have no place among the others.
        _ => char::from_u32(0x1fb00 + bits - 1 - u32::from(bits > 21) - u32::from(bits > 42)),
    })
}

/// `data:image/png;base64,...`
pub fn data_url(text: &str) -> Option<String> {
    let code = code(text)?;
    let side = (code.size() + MARGIN * 2) as usize * SCALE;
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(0);
        let dark = |x: usize| code.get_module((x / SCALE) as i32 - MARGIN, (y / SCALE) as i32 - MARGIN);
        let byte = |n: usize| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(!dark(n * 8 + bit)));
        rows.extend((0..side.div_ceil(8)).map(byte));
    }
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = (side as u32).to_be_bytes();
    let _ = chunk(&mut png, b"IHDR", &[&size[..], &size, &[1, 0, 0, 0, 0]].concat());
    let _ = chunk(&mut png, b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(&rows, 6));
    let _ = chunk(&mut png, b"IEND", &[]);
    Some(format!("data:image/png;base64,{}", base64(&png)))
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) -> std::io::Result<()> {
    png.write_all(&(data.len() as u32).to_be_bytes())?;
    png.write_all(kind)?;
    png.write_all(data)?;
    png.write_all(&crc(&[kind, data]).to_be_bytes())
}

fn crc(parts: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    };
    !parts.iter().copied().flatten().fold(u32::MAX, step)
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let at = |n: usize| u32::from(part.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let letter = LETTERS.get((bits >> (18 - n * 6) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if n > part.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as those of WhatsApp: a reference and four keys.
    fn text() -> String {
        let key = base64(&[0xa7; 32]);
        format!("2@{},{key},{key},{key},1", "x".repeat(90))
    }

    #[test]
    fn i17_2_it_fits_a_terminal_of_80_by_24_with_a_line_to_spare_for_words() {
        for (shown, most) in [(terminal(&text()).unwrap(), 36), (small(&text()).unwrap(), 22)] {
            let widths: Vec<usize> = shown.lines().map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|width| *width == widths[0] && *width <= 80), "{widths:?}");
            assert!(widths.len() <= most, "{}", widths.len());
        }
    }

    /// Each module is found again where it was drawn.
    #[test]
    fn both_drawings_are_the_code() {
        let (text, code) = (text(), code(&text()).unwrap());
        let grid: Vec<Vec<char>> =
            terminal(&text).unwrap().lines().map(|line| line.chars().collect()).collect();
        for (x, y) in (0..code.size()).flat_map(|x| (0..code.size()).map(move |y| (x, y))) {
            let sign = grid[(y + 1) as usize / 2][(x + 1) as usize];
            let upper = matches!(sign, '\u{2580}' | '\u{2588}');
            let lower = matches!(sign, '\u{2584}' | '\u{2588}');
            assert_eq!(code.get_module(x, y), !if (y + 1) % 2 == 0 { upper } else { lower }, "{x} {y}");
        }
        let first = small(&text).unwrap().chars().next().unwrap();
        // The margin above and left of the finder's corner.
        assert_eq!(first, char::from_u32(0x1fb00 + 0b010111 - 2).unwrap());
    }

    #[test]
    fn the_picture_is_a_png() {
        let url = data_url(&text()).unwrap();
        assert!(url.starts_with("data:image/png;base64,iVBORw0KGgo"));
        assert_eq!(
            (base64(b"M"), base64(b"Ma"), base64(b"Man")),
            ("TQ==".into(), "TWE=".into(), "TWFu".into())
        );
        assert_eq!(crc(&[b"IEND"]), 0xae42_6082);
    }
}
