//! `apply_patch`: several changes of workspace files in one text. Runs on a tool's thread.
//!
//! What the patch says is in `patch`. Everything is worked out before the first file is written, so that a part which
//! does not fit changes nothing.
use super::patch::{self, Step};
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::tools::change::Change;
use crate::tools::{Context, Output, Tool, text, usual_time, workspace};
use serde_json::Value;
use std::path::{Path, PathBuf};

const MAX_FILE: u64 = 4 << 20;

pub const TOOL: Tool = Tool {
    name: "apply_patch",
    doc: "Add, update, move and delete files of the workspace by one patch, from *** Begin Patch to *** End Patch; all of it or nothing.",
    parameters: r#"{"type": "object", "required": ["input"], "properties": {
        "input": {"type": "string", "description": "The patch: *** Add File:, *** Update File: (with *** Move to: and @@ parts) and *** Delete File: sections"}}}"#,
    aliases: &[("patch", "input"), ("patch_text", "input"), ("patchText", "input"), ("diff", "input")],
    changes: true,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let input = text(arguments, "input").ok_or_else(|| Error::invalid("Provide a patch input."))?;
    let steps = patch::parse(input).map_err(Error::invalid)?;
    let change = Change::begin(context)?;
    let mut plan = Plan { context, files: Vec::new(), told: Vec::new() };
    for step in steps {
        plan.add(step)?;
    }
    let Plan { files, told, .. } = plan;
    files.iter().try_for_each(|(path, _)| change.check(path))?;
    // What is written comes before what is removed: a move that fails between leaves both.
    let (written, removed): (Vec<_>, Vec<_>) = files.iter().partition(|(_, bytes)| bytes.is_some());
    for (done, (path, bytes)) in written.into_iter().chain(removed).enumerate() {
        let result = match bytes {
            Some(bytes) => change.write(path, bytes),
            None => change.remove(path),
        };
        result.map_err(|e| match done {
            0 => e,
            _ => Error::new(e.kind, format!("{} ({done} other files were changed before)", e.message())),
        })?;
    }
    let about = told.len();
    Ok(Output::text(format!("Success. Updated the following files:\n{}", told.join("\n")))
        .about(format!("{about} file{}", if about == 1 { "" } else { "s" })))
}

/// What the files are to hold; nothing where they are to go.
struct Plan<'c> {
    context: &'c Context,
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
    told: Vec<String>,
}

impl Plan<'_> {
    fn add(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Add { path, text } => {
                let path = self.free(&path)?;
                self.tell('A', &path);
                self.put(path, Some(text.into_bytes()));
            }
            Step::Delete { path } => {
                let path = workspace::to_change(self.context, &path)?;
                self.content(&path)?;
                self.tell('D', &path);
                self.put(path, None);
            }
            Step::Update { path, to, parts } => {
                let path = workspace::to_change(self.context, &path)?;
                let shown = path.display().to_string();
                let text = String::from_utf8(self.content(&path)?).map_err(|_| {
                    Error::invalid(format!(
                        "{shown} is no text in UTF-8: change it with edit, or write it whole"
                    ))
                })?;
                let (mark, body) = match text.strip_prefix('\u{feff}') {
                    Some(body) => ("\u{feff}", body),
                    None => ("", text.as_str()),
                };
                let patched = patch::apply(body, &parts, &shown).map_err(|why| {
                    Error::invalid(format!("{why}\nNo file was changed; read it and send the patch again."))
                })?;
                let target = to.map(|to| self.free(&to)).transpose()?;
                self.tell('M', target.as_ref().unwrap_or(&path));
                let bytes = Some(format!("{mark}{patched}").into_bytes());
                match target {
                    Some(target) => {
                        self.put(target, bytes);
                        self.put(path, None);
                    }
                    None => self.put(path, bytes),
                }
            }
        }
        Ok(())
    }

    /// A path where nothing stands yet.
    fn free(&self, path: &str) -> Result<PathBuf> {
        let path = workspace::to_change(self.context, path)?;
        match self.found(&path) {
            Ok(Some(_)) => {
                let text = format!("{} is there already: update it, or delete it first", path.display());
                Err(Error::invalid(text))
            }
            // The first file makes the workspace.
            Err(e) if !self.context.workspace.exists() && e.kind == crate::error::Kind::NotFound => Ok(path),
            Err(e) => Err(e),
            Ok(None) => Ok(path),
        }
    }

    fn content(&self, path: &Path) -> Result<Vec<u8>> {
        let shown = path.display();
        let bytes = self.found(path)?.ok_or_else(|| {
            Error::not_found(format!(
                "Failed to read file to update {shown}: there is no such file in the workspace"
            ))
        })?;
        match bytes.len() as u64 > MAX_FILE {
            true => Err(Error::invalid(format!(
                "{shown} is larger than {MAX_FILE} bytes, which is too much to patch"
            ))),
            false => Ok(bytes),
        }
    }

    /// What stands there as far as the patch goes.
    fn found(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.files.iter().find(|(planned, _)| planned == path) {
            Some((_, bytes)) => Ok(bytes.clone()),
            None => workspace::read(self.context, path, MAX_FILE + 1),
        }
    }

    fn put(&mut self, path: PathBuf, bytes: Option<Vec<u8>>) {
        self.files.retain(|(planned, _)| *planned != path);
        self.files.push((path, bytes));
    }

    fn tell(&mut self, what: char, path: &Path) {
        self.told.push(format!("{what} {}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    fn patch(context: &Context, body: &str) -> Result<String> {
        let input = format!("*** Begin Patch\n{body}*** End Patch\n");
        run(context, &json!({"input": input})).map(|said| said.text)
    }

    #[test]
    fn files_are_added_updated_moved_and_deleted_or_nothing_is() {
        let (context, dir) = context("{}");
        let read = |name: &str| std::fs::read_to_string(dir.path(&format!("ws/{name}"))).ok();
        dir.write("ws/a.md", "one\ntwo\n");
        dir.write("ws/b.md", "b\n");
        dir.write("ws/c.md", "\u{feff}c\n");
        let said = patch(
            &context,
            "*** Add File: n/new.md\n+x\n*** Update File: a.md\n@@\n one\n-two\n+2\n*** Update File: a.md\n-2\n+3\n\
             *** Delete File: b.md\n*** Update File: c.md\n*** Move to: d.md\n-c\n+d\n",
        );
        assert_eq!(
            said.unwrap(),
            "Success. Updated the following files:\nA n/new.md\nM a.md\nM a.md\nD b.md\nM d.md"
        );
        assert_eq!(read("n/new.md").as_deref(), Some("x\n"));
        assert_eq!(read("a.md").as_deref(), Some("one\n3\n"));
        assert_eq!((read("b.md"), read("c.md")), (None, None));
        assert_eq!(read("d.md").as_deref(), Some("\u{feff}d\n"));
        for (body, want) in [
            ("*** Update File: a.md\n-3\n+4\n*** Update File: d.md\n-nothing\n", "expected lines in d.md"),
            ("*** Delete File: a.md\n*** Add File: d.md\n+x\n", "d.md is there already"),
            ("*** Delete File: a.md\n*** Update File: a.md\n-3\n", "no such file"),
            ("*** Delete File: a.md\n*** Delete File: n\n", "regular file"),
        ] {
            let why = patch(&context, body).unwrap_err();
            assert!(why.message().contains(want), "{body}: {why}");
            assert_eq!(read("a.md").as_deref(), Some("one\n3\n"), "{body}");
        }
    }

    #[test]
    fn sec_13_a_patch_leads_nowhere_outside() {
        let (context, dir) = context("{}");
        dir.write("secret.md", "s\n");
        std::os::unix::fs::symlink(dir.path("secret.md"), dir.path("ws/link.md")).unwrap();
        for path in ["../esc.txt", "/etc/x", "~/x", "link.md", "../secret.md"] {
            for body in [
                format!("*** Add File: {path}\n+x\n"),
                format!("*** Delete File: {path}\n"),
                format!("*** Update File: {path}\n-s\n+x\n"),
                format!("*** Update File: AGENTS.md\n*** Move to: {path}\n-rules\n+x\n"),
            ] {
                assert!(patch(&context, &body).is_err(), "{body}");
            }
        }
        assert_eq!(std::fs::read_to_string(dir.path("secret.md")).unwrap(), "s\n");
        assert_eq!(std::fs::read_to_string(dir.path("ws/AGENTS.md")).unwrap(), "rules\n");
    }

    #[test]
    fn sec_42_a_guests_patch_changes_nothing_that_is_the_owners() {
        let (mut context, dir) = context("{}");
        context.provenance = Provenance::Guest;
        dir.write("ws/a.md", "a\n");
        for body in [
            "*** Update File: AGENTS.md\n-rules\n+x\n",
            "*** Delete File: AGENTS.md\n",
            "*** Add File: skills/x/SKILL.md\n+x\n",
            "*** Update File: a.md\n*** Move to: SOUL.md\n-a\n+x\n",
        ] {
            let why = patch(&context, body).unwrap_err();
            assert!(why.message().contains("only when the owner asks"), "{why}");
        }
        assert_eq!(std::fs::read_to_string(dir.path("ws/AGENTS.md")).unwrap(), "rules\n");
    }

    #[test]
    fn it_is_offered_where_the_config_says_so_to_the_models_it_names() {
        for (config, model, offered) in [
            ("{}", "p/m", false),
            ("{tools: {exec: {applyPatch: {enabled: true}}}}", "p/m", true),
            ("{tools: {exec: {applyPatch: {enabled: true, allowModels: ['m']}}}}", "p/m", true),
            ("{tools: {exec: {applyPatch: {enabled: true, allowModels: ['p/M']}}}}", "p/m", true),
            ("{tools: {exec: {applyPatch: {enabled: true, allowModels: ['gpt']}}}}", "p/m", false),
        ] {
            let (context, _dir) = context(config);
            let tools = crate::tools::offered(
                &context.config,
                &context.settings.env,
                "main",
                model,
                "agent:main:main",
            );
            assert_eq!(tools.iter().any(|tool| tool.name == "apply_patch"), offered, "{config}");
        }
    }
}
