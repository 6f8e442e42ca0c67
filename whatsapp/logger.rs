//! What the crates log: warnings go to the gateway's log, the rest to nobody. Names of stanzas, never contents.
use crate::lines::log;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let level = if record.level() == Level::Error { "warn" } else { "debug" };
            log(level, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

pub fn start() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
