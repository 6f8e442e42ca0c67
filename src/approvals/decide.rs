//! What follows for a command. Pure.
use super::words::Part;
use super::{Ask, Rules, Security};

#[derive(Debug)]
pub enum Verdict {
    /// It runs as it is.
    Whole,
    /// It runs as the rules have read it.
    Judged(Vec<Part>),
    /// The owner is asked, for this reason.
    Asks(String),
    Denied(&'static str),
}

/// `judged` is what the rules say, `is_granted` whether the owner has allowed exactly this for good, `is_shut_in` whether it
/// runs where it can do little, or where its owner wants it to.
pub fn decide(
    rules: &Rules,
    judged: Result<Vec<Part>, String>,
    is_granted: bool,
    is_shut_in: bool,
) -> Verdict {
    if rules.security == Security::Deny {
        return Verdict::Denied("security=deny");
    }
    if !is_shut_in {
        return Verdict::Asks("this kernel cannot shut it in, so each command is asked for".to_string());
    }
    if rules.ask == Ask::Always {
        return Verdict::Asks("each command is asked for".to_string());
    }
    if rules.security == Security::Full || is_granted {
        return Verdict::Whole;
    }
    match judged {
        Ok(parts) => Verdict::Judged(parts),
        Err(_) if rules.ask == Ask::Off => Verdict::Denied("allowlist miss"),
        Err(why) => Verdict::Asks(why),
    }
}

/// The same when nobody has answered in time.
pub fn unanswered(rules: &Rules, judged: Result<Vec<Part>, String>) -> Verdict {
    match (rules.fallback.min(rules.security), judged) {
        (Security::Full, _) => Verdict::Whole,
        (Security::Allowlist, Ok(parts)) => Verdict::Judged(parts),
        (Security::Allowlist, Err(_)) => Verdict::Denied("approval-timeout (allowlist-miss)"),
        (Security::Deny, _) => Verdict::Denied("approval-timeout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_rule_against_every_command() {
        let named = |verdict: Verdict| match verdict {
            Verdict::Whole => "whole",
            Verdict::Judged(_) => "judged",
            Verdict::Asks(_) => "asks",
            Verdict::Denied(why) => why,
        };
        // hit, miss, granted, hit without a cage
        for (security, ask, want) in [
            ("deny", "off", ["security=deny"; 4]),
            ("deny", "always", ["security=deny"; 4]),
            ("allowlist", "off", ["judged", "allowlist miss", "whole", "asks"]),
            ("allowlist", "on-miss", ["judged", "asks", "whole", "asks"]),
            ("allowlist", "always", ["asks"; 4]),
            ("full", "off", ["whole", "whole", "whole", "asks"]),
            ("full", "on-miss", ["whole", "whole", "whole", "asks"]),
            ("full", "always", ["asks"; 4]),
        ] {
            let file = json!({});
            let rules = Rules::of(&file, "a", &[(Some(&security.into()), Some(&ask.into()))]);
            let (hit, miss) = (|| Ok(Vec::new()), || Err("no".to_string()));
            let found = [
                decide(&rules, hit(), false, true),
                decide(&rules, miss(), false, true),
                decide(&rules, miss(), true, true),
                decide(&rules, hit(), false, false),
            ];
            assert_eq!(found.map(named), want, "{security} {ask}");
        }
    }

    #[test]
    fn without_an_answer_the_fallback_holds_and_is_no_weaker_than_the_rules() {
        let check = |security: &str, fallback: &str, is_hit: bool| {
            let file = json!({"defaults": {"askFallback": fallback}});
            let rules = Rules::of(&file, "a", &[(Some(&security.into()), None)]);
            let judged = if is_hit { Ok(Vec::new()) } else { Err("no".to_string()) };
            !matches!(unanswered(&rules, judged), Verdict::Denied(_))
        };
        assert!(!check("allowlist", "deny", true) && !check("full", "nonsense", true));
        assert!(check("allowlist", "allowlist", true) && !check("allowlist", "allowlist", false));
        assert!(!check("allowlist", "full", false) && check("full", "full", false));
    }
}
