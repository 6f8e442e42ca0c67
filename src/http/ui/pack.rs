//! The control page's files as the program carries them: gzip, made by `build.rs`. Pure; nothing of it is copied into
//! memory of its own unless a browser does not take gzip.
use crate::parts::Parts;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

pub struct File {
    pub name: &'static str,
    pub gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// More than the largest of them.
const WHOLE: usize = 1 << 20;
/// Bytes of a gzip file before and behind its deflated part.
const HEAD: usize = 10;
const TAIL: usize = 8;

pub fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

impl File {
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "webmanifest" => "application/manifest+json",
            _ => "application/octet-stream",
        }
    }

    pub fn inflated(&self) -> Vec<u8> {
        let deflated = self.gzip.tail(HEAD);
        let deflated = deflated.head(deflated.len().saturating_sub(TAIL));
        decompress_to_vec_with_limit(deflated, WHOLE).unwrap_or_else(|e| e.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue 12, sentence 4: at most 450 KB of source and 150 KB over the wire.
    #[test]
    fn i12_4_the_page_is_small_and_whole() {
        let packed: usize = FILES.iter().map(|file| file.gzip.len()).sum();
        let source: usize = FILES.iter().map(|file| file.inflated().len()).sum();
        assert!(packed <= 150_000 && source <= 450_000, "{packed} bytes packed, {source} inflated");
        for file in FILES {
            let length = u32::from_le_bytes(file.gzip.last_chunk().copied().unwrap()) as usize;
            assert_eq!(file.inflated().len(), length, "{}", file.name);
        }
        let index = String::from_utf8(find("index.html").unwrap().inflated()).unwrap();
        assert!(index.contains(&format!("a/{VERSION}/app.js")) && !index.contains("VERSION"), "{index}");
    }
}
