//! Files of the workspace as `read`, `write` and `edit` name and read them. Runs on a tool's thread.
use crate::agents::{inside, own};
use crate::error::{Error, Result};
use crate::tools::Context;
use std::path::{Path, PathBuf};

/// The way from the workspace to the file that `path` names.
pub fn relative(context: &Context, path: &str) -> Result<PathBuf> {
    inside::relative(&context.config, &context.settings.env, &context.workspace, path)
}

/// At most `max` bytes of a file, unless it is one of the gateway's own by another name. The first file that is written
/// makes the workspace.
pub fn read(context: &Context, relative: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    if !context.workspace.exists() {
        let missing =
            "the workspace is empty, its directory does not exist: write makes it with the first file";
        return Err(Error::not_found(missing));
    }
    own::read(&context.config, &context.settings.env, &context.workspace, relative, max)
}

#[cfg(test)]
mod tests {
    use super::*;
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
