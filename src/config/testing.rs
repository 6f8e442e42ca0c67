//! A directory of its own for each test that reads files. Tests only.
use super::Config;
use crate::env::Env;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

impl Config {
    /// No file, nothing set.
    pub fn empty() -> Config {
        Config::of(&Env::default(), super::load::empty())
    }
}

pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// With this as its configuration, read as a start reads it.
    pub fn config(&self, text: &str) -> Config {
        self.write("openclaw.json", text);
        Config::load(&mut self.env(&[])).unwrap()
    }

    /// An environment whose configuration is `openclaw.json` of this directory.
    pub fn env(&self, vars: &[(&str, &str)]) -> Env {
        let own = [
            ("HOME".to_string(), "/h".to_string()),
            ("OPENCLAW_STATE_DIR".to_string(), self.0.display().to_string()),
        ];
        let vars = vars.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        Env::from_vars(own.into_iter().chain(vars), None).unwrap()
    }
}

impl Drop for Dir {
    /// A thread of the test may still be writing a file: what came meanwhile is removed with the rest.
    fn drop(&mut self) {
        let is_gone = || match std::fs::remove_dir_all(&self.0) {
            Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => false,
            other => other.map(|()| true).unwrap(),
        };
        assert!((0..100).any(|_| is_gone()), "{} fills faster than it is emptied", self.0.display());
    }
}

/// A configuration with the models `a/x`, `a/y` and `b/y`, of which `agents.defaults.models` is `models`.
pub fn with_models(models: &str) -> Config {
    let dir = Dir::new();
    let providers = "{a: {baseUrl: 'http://h/v1', models: [{id: 'x'}, {id: 'y'}]}, b: {baseUrl: 'http://h/v1', models: [{id: 'y'}]}}";
    let text = format!(
        "{{models: {{providers: {providers}}}, agents: {{defaults: {{model: {{primary: 'a/x'}}, models: {models}}}}}}}"
    );
    dir.config(&text)
}
