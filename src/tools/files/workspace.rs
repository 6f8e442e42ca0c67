//! Files of the workspace as `read`, `write` and `edit` name and read them. Runs on a tool's thread.
//!
//! What makes the agent what it is changes on the owner's word only (SEC-42): a turn that was misled and wrote there would
//! speak in all later ones, and so would what his programs run when they look there (`.git/config`). Pages that the gateway serves are for turns of what he set up himself, too.
use crate::agents::{Agents, inside, own};
use crate::error::{Error, Kind, Result};
use crate::skills;
use crate::tools::Context;
use crate::tools::surfaces::is_trusted;
use crate::workspace::{HEARTBEAT, PERSONA};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The way from the workspace to the file that `path` names.
pub fn relative(context: &Context, path: &str) -> Result<PathBuf> {
    inside::relative(&context.config, &context.settings.env, &context.workspace, path)
}

/// The directory and the way from it to a file that is to be read: of the workspace, or of a skill elsewhere that the
/// agent has.
pub fn to_read(context: &Context, path: &str) -> Result<(PathBuf, PathBuf)> {
    let inside = relative(context, path);
    inside.map(|way| (context.workspace.clone(), way)).or_else(|refused| {
        let agents = Agents::of(&context.config, &context.settings.env);
        skills::elsewhere(&agents, &context.agent, path).ok_or(refused)
    })
}

/// What programs of the owner read when they begin, and run what stands there.
const STARTS: [&str; 2] = [HEARTBEAT, "BOOT.md"];
/// By a file of this name `git` knows a folder as a repository, whose `config` names programs that it runs.
const HEAD: &str = "HEAD";
/// Folders of skills, of a repository's own programs and settings, and of pages.
const OWN: [&str; 4] = ["skills", ".git", ".hg", ".svn"];
/// At the beginning of the way: programs that the original's gateway runs.
const HOOKS: &str = "hooks";
const PAGES: &str = "canvas";
/// The tools that change files: who is trusted with one is with all.
const CHANGING: [&str; 3] = ["write", "edit", "apply_patch"];
/// Where else pages may lie.
const ROOTS: [&str; 2] = ["canvasHost.root", "gateway.controlUi.root"];

/// The same of a file that is to be changed: some are the owner's alone to have changed.
pub fn to_change(context: &Context, path: &str) -> Result<PathBuf> {
    let path = relative(context, path)?;
    let whose = context.provenance;
    let is_strange = !whose.is_own() && (is_page(context, &path) || is_hidden(&path));
    let is_the_owners = is_the_owners(&path) || is_of_repository(&context.workspace, &path) || is_strange;
    let is_trusted = |name: &&str| is_trusted(&context.config, name, whose);
    if !is_the_owners || CHANGING.iter().any(is_trusted) {
        return Ok(path);
    }
    let shown = path.display();
    log::warn!(target: "agent/tools", "run {}: {shown} was not changed, for it was not the owner who asked ({} turn); tools.surfaces names those that may", context.run, whose.name());
    let text = format!(
        "{shown} is changed only when the owner asks for it, and this turn is not his: leave it as it is, and tell him what you would change"
    );
    Err(Error::new(Kind::Forbidden, text))
}

fn is_one(names: &[&str], part: &OsStr) -> bool {
    names.iter().any(|name| part.eq_ignore_ascii_case(name))
}

/// What an agent reads in each turn. At whatever depth: another agent's workspace may lie within this one.
fn is_the_owners(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_one(&PERSONA, name) || is_one(&STARTS, name))
        || path.iter().any(|part| is_one(&OWN, part))
}

/// What makes a folder a repository without `.git`, or lies in one.
fn is_of_repository(workspace: &Path, path: &Path) -> bool {
    let is_head = path.file_name().is_some_and(|name| is_one(&[HEAD], name));
    is_head || path.ancestors().skip(1).any(|dir| workspace.join(dir).join(HEAD).symlink_metadata().is_ok())
}

/// Names that begin with a dot are settings of programs, which the owner's may run.
fn is_hidden(path: &Path) -> bool {
    path.iter().any(|part| part.as_encoded_bytes().starts_with(b"."))
        || path.iter().next().is_some_and(|part| is_one(&[HOOKS], part))
}

/// What the gateway serves.
fn is_page(context: &Context, path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_below = |key: &&str| {
        let root = context.config.str(key).map(str::trim).filter(|root| !root.is_empty());
        let whole = || real(&context.workspace).join(path);
        root.is_some_and(|root| whole().starts_with(real(&context.settings.env.expand(root))))
    };
    path.iter().any(|part| is_one(&[PAGES], part)) || ROOTS.iter().any(is_below)
}

/// At most `max` bytes of a file of the workspace, unless it is one of the gateway's own by another name.
pub fn read(context: &Context, relative: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    read_in(context, &context.workspace, relative, max)
}

/// The same of a directory that `to_read` gave. The first file that is written makes the workspace.
pub fn read_in(context: &Context, dir: &Path, relative: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    if !dir.exists() {
        let missing =
            "the workspace is empty, its directory does not exist: write makes it with the first file";
        return Err(Error::not_found(missing));
    }
    own::read(&context.config, &context.settings.env, dir, relative, max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Provenance;
    use crate::tools::testing::context;

    #[test]
    fn b_f25_a_workspace_of_a_hand_written_config_is_made_when_it_is_needed() {
        use std::os::unix::fs::PermissionsExt;
        let (mut context, dir) = context("{}");
        context.workspace = dir.path("new/ws");
        let call = |name: &str| {
            let tool = crate::tools::TOOLS.iter().find(|tool| tool.name == name).unwrap();
            let arguments =
                crate::json::json!({"path": "a.md", "content": "x", "oldText": "x", "newText": "y"});
            (tool.run)(&context, &arguments).map(|said| said.text)
        };
        for reading in ["read", "edit"] {
            let error = call(reading).unwrap_err();
            assert!(error.message().contains("its directory does not exist"), "{error}");
        }
        assert!(!dir.path("new").exists(), "who only looks makes nothing");
        assert_eq!(call("write").unwrap(), "Wrote 1 bytes to a.md.");
        let mode = |path: &str| std::fs::metadata(dir.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("new"), mode("new/ws"), mode("new/ws/a.md")), (0o700, 0o700, 0o600));
        call("edit").unwrap();
        assert_eq!(call("read").unwrap(), "y\n");
    }

    #[test]
    fn sec_42_the_gateways_own_files_are_out_of_reach() {
        let (mut context, dir) = context("{}");
        context.workspace = dir.path("");
        for path in ["openclaw.json", "agents/main/x", "identity/device.json"] {
            assert!(relative(&context, path).is_err(), "{path}");
        }
    }

    #[test]
    fn sec_42_other_names_of_the_same_file_do_not_help() {
        let (mut context, dir) = context("{}");
        context.workspace = dir.path("w");
        std::fs::create_dir(dir.path("w")).unwrap();
        std::fs::hard_link(dir.path("openclaw.json"), dir.path("w/other.json")).unwrap();
        assert!(relative(&context, "other.json").is_err());
    }

    /// What a stranger's turn writes may be in no later turn's instructions, and on no page.
    #[test]
    fn sec_42_only_the_owner_has_persona_skills_and_pages_changed() {
        let (mut context, dir) = context("{}");
        dir.write("ws/pages/x", "");
        context.config =
            dir.config(&format!("{{canvasHost: {{root: '{}'}}}}", dir.path("ws/pages").display()));
        dir.write("ws/AGENTS.md", "old");
        dir.write("ws/bare/HEAD", "ref: refs/heads/main");
        let call = |context: &Context, tool: &str, path: &str| {
            let tool = crate::tools::TOOLS.iter().find(|one| one.name == tool).unwrap();
            let arguments =
                crate::json::json!({"path": path, "content": "old", "oldText": "old", "newText": "new"});
            (tool.run)(context, &arguments).map(|said| said.text)
        };
        let all = "AGENTS.md SOUL.md IDENTITY.md USER.md TOOLS.md HEARTBEAT.md MEMORY.md BOOTSTRAP.md memory.md \
                   ./agents.MD other/AGENTS.md skills/x/SKILL.md Skills/y canvas/index.html pages/a.html .git/config \
                   sub/.GIT/hooks/pre-commit HEAD sub/head bare/config bare/objects/info/x .envrc .vscode/tasks.json BOOT.md hooks/h/HOOK.md";
        for provenance in [Provenance::Hook, Provenance::Guest] {
            context.provenance = provenance;
            for path in all.split_whitespace() {
                let refused = call(&context, "write", path).unwrap_err();
                assert!(
                    refused.message().contains("only when the owner asks"),
                    "{provenance:?} {path}: {refused}"
                );
            }
            assert!(call(&context, "edit", "AGENTS.md").is_err());
            assert_eq!(std::fs::read_to_string(dir.path("ws/AGENTS.md")).unwrap(), "old");
            assert!(call(&context, "read", "AGENTS.md").is_ok(), "it may be read");
            for path in ["notes.md", "memory/2026-01-01.md", "agents/x.md"] {
                call(&context, "write", path).unwrap();
            }
        }
        // What the owner set up changes pages, and what it is named for.
        for provenance in [Provenance::Cron, Provenance::Agent] {
            context.provenance = provenance;
            for path in [
                "AGENTS.md",
                "HEARTBEAT.md",
                "MEMORY.md",
                "skills/x/SKILL.md",
                "other/SOUL.md",
                ".git/config",
                "BOOT.md",
                "bare/config",
            ] {
                assert!(call(&context, "write", path).is_err(), "{provenance:?} {path}");
            }
            call(&context, "write", "canvas/index.html").unwrap();
        }
        assert_eq!(std::fs::read_to_string(dir.path("ws/AGENTS.md")).unwrap(), "old");
        context.config = dir.config("{tools: {surfaces: {cron: ['write']}}}");
        assert!(call(&context, "write", "AGENTS.md").is_err(), "another kind of turns");
        for provenance in [Provenance::Owner, Provenance::Operator, Provenance::Cron] {
            context.provenance = provenance;
            for path in all.split_whitespace() {
                call(&context, "write", path).unwrap();
            }
            call(&context, "edit", "AGENTS.md").unwrap();
        }
    }

    #[test]
    fn sec_13_names_inside_the_workspace_pass() {
        let (context, dir) = context("{}");
        let inside = dir.path("ws/a.md").display().to_string();
        for (path, passes) in [
            ("a.md", true),
            ("@a.md", true),
            (inside.as_str(), true),
            ("../openclaw.json", false),
            ("~/a", false),
            ("/etc/x", false),
        ] {
            assert_eq!(relative(&context, path).is_ok(), passes, "{path}");
        }
    }
}
