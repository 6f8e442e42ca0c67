//! `format!`, for the whole program: that of the standard library, as a call which never unwinds.
//!
//! What may unwind costs the caller code and tables that clean up after it, some 40 bytes each of the thousand and more
//! times a text is put together. `extern "C"` says that it does not: a `Display` that panics ends the process. Pure.

macro_rules! format {
    ($($text:tt)+) => {
        $crate::text::formatted(format_args!($($text)+))
    };
}

#[allow(improper_ctypes_definitions, reason = "called from Rust alone")]
#[inline(never)]
pub extern "C" fn formatted(text: std::fmt::Arguments) -> String {
    std::fmt::format(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_wellknown_one() {
        let (name, width) = ("x", 4);
        assert_eq!(
            format!("{name:>width$}|{:?}|{{}}", Some(1)),
            std::format!("{name:>width$}|{:?}|{{}}", Some(1))
        );
        assert_eq!(format!("plain"), "plain");
    }
}
