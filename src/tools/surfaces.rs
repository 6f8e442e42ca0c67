//! On whose authority a turn is taken decides what its tools do (SEC-34, SEC-42): what is the owner's alone others get where
//! the configuration names the tool for such turns (`tools.surfaces`), by its name. Pure.
use super::Tool;
use super::policy::expand;
use crate::calls::Provenance;
use crate::config::Config;

/// Whether a tool works on this authority: those that its row names, and those that the configuration names for it.
/// A rule that cannot be read names nobody.
pub fn serves(config: &Config, tool: &Tool, provenance: Provenance) -> bool {
    (tool.serves)(provenance) || names(config, tool.name, provenance)
}

/// Whether a tool may do what is the owner's alone: for him, and for turns for which he has named it.
pub fn is_trusted(config: &Config, name: &str, provenance: Provenance) -> bool {
    provenance.is_owners() || names(config, name, provenance)
}

/// Whether the configuration names a tool for turns on this authority.
fn names(config: &Config, name: &str, provenance: Provenance) -> bool {
    let surface = match provenance {
        Provenance::Operator | Provenance::Owner => None,
        Provenance::Guest => Some("guests"),
        Provenance::Hook => Some("hooks"),
        Provenance::Cron => Some("cron"),
        Provenance::Agent => Some("agents"),
        Provenance::Node => Some("nodes"),
    };
    let names =
        surface.map(|surface| config.strings(&format!("tools.surfaces.{surface}"))).unwrap_or_default();
    let names: Vec<String> = names.into_iter().map(str::to_string).collect();
    // By its name: a pattern was not written with this tool in mind.
    !config.is_disabled("tools") && expand(&names).iter().any(|named| named == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    /// SEC-42: who is not the owner gets what the configuration names for him, by its name.
    #[test]
    fn sec_42_a_tool_serves_others_only_where_it_is_named_for_them() {
        use crate::tools::TOOLS;
        let exec = TOOLS.iter().find(|tool| tool.name == "exec").unwrap();
        let others = [
            (Provenance::Guest, "guests"),
            (Provenance::Hook, "hooks"),
            (Provenance::Cron, "cron"),
            (Provenance::Agent, "agents"),
            (Provenance::Node, "nodes"),
        ];
        let check = |config: &str, provenance: Provenance| {
            let dir = Dir::new();
            dir.write("openclaw.json", config);
            serves(&Config::inspect(&mut dir.env(&[])), exec, provenance)
        };
        assert!(check("{}", Provenance::Owner) && check("{}", Provenance::Operator));
        for (provenance, surface) in others {
            assert!(!check("{}", provenance), "{surface}");
            assert!(
                check(&format!("{{tools: {{surfaces: {{{surface}: ['exec']}}}}}}"), provenance),
                "{surface}"
            );
            for (other, name) in others.iter().filter(|(_, name)| *name != surface) {
                assert!(
                    !check(&format!("{{tools: {{surfaces: {{{surface}: ['exec']}}}}}}"), *other),
                    "{surface} {name}"
                );
            }
            for names in ["'*'", "'ex*'", "'process'"] {
                assert!(
                    !check(&format!("{{tools: {{surfaces: {{{surface}: [{names}]}}}}}}"), provenance),
                    "{names}"
                );
            }
        }
    }
}
