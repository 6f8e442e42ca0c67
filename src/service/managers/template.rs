//! Filling in the service files of `systemd/`, `launchd/`, `openrc/` and `procd/`, which are part of the binary.
//!
//! A place holder is a name in capitals between two `@`. What is put in is not looked at again, so no value can
//! name another. Pure functions.
use crate::error::{Error, Result};
use crate::service::Role;
use std::borrow::Cow;

pub const SYSTEMD_USER: &str = include_str!("../../../systemd/openclaw-gateway.service");
pub const SYSTEMD_SYSTEM: &str = include_str!("../../../systemd/openclaw-gateway-system.service");
pub const SYSTEMD_NODE: &str = include_str!("../../../systemd/openclaw-node.service");
pub const LAUNCHD: &str = include_str!("../../../launchd/bot.molt.gateway.plist");
pub const OPENRC: &str = include_str!("../../../openrc/openclaw-gateway");
pub const PROCD: &str = include_str!("../../../procd/openclaw-gateway");

/// The gateway's template in the words of this service.
pub fn of(template: &str, role: Role) -> Cow<'_, str> {
    match role {
        Role::Gateway => Cow::Borrowed(template),
        Role::Node => Cow::Owned(
            template
                .replace("openclaw gateway install", "openclaw node install")
                .replace(
                    "the gateway reads its own from its",
                    "the node host has a token of its own, or reads one from its",
                )
                .replace("/gateway.", "/node."),
        ),
    }
}

/// `template` with each place holder replaced by its (quoted) value.
pub fn fill(template: &str, values: &[(&str, String)]) -> Result<String> {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let name = after.split_once('@').filter(|(name, _)| is_name(name));
        rest = match name {
            Some((name, behind)) => {
                let value = values.iter().find(|(known, _)| *known == name);
                let (_, value) = value.ok_or_else(|| {
                    Error::unavailable(format!("the service template names @{name}@, which has no value"))
                })?;
                text.push_str(value);
                behind
            }
            None => {
                text.push('@');
                after
            }
        };
    }
    text.push_str(rest);
    Ok(text)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once() {
        let values = [("A", "@B@".to_string()), ("B", "x".to_string())];
        assert_eq!(
            fill("@A@ @B@ a@b.c @ @system-service", &values).unwrap(),
            "@B@ x a@b.c @ @system-service"
        );
        assert!(fill("@NONE@", &values).is_err());
    }
}
