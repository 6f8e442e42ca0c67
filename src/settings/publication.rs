//! Whether and how Tailscale publishes the gateway's port (`gateway.tailscale`), and what must hold for that.
//!
//! Pure. Who does it is the worker `gateway/published.rs`.
use super::{Auth, AuthMode};
use crate::config::Config;
use crate::config::bind::Plan;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To the machines of the tailnet.
    Serve,
    /// To everybody.
    Funnel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    pub mode: Mode,
    /// It ends with the gateway.
    pub is_reset: bool,
}

impl Publication {
    /// `flag` and `is_reset` are the command line's, which win. None: nothing is published.
    pub fn of(config: &Config, flag: Option<&str>, is_reset: bool) -> Option<Publication> {
        let mode = match flag.or_else(|| config.str("gateway.tailscale.mode"))? {
            "serve" => Mode::Serve,
            "funnel" => Mode::Funnel,
            _ => return None,
        };
        Some(Publication { mode, is_reset: is_reset || config.bool("gateway.tailscale.resetOnExit") })
    }

    pub fn name(&self) -> &'static str {
        match self.mode {
            Mode::Serve => "serve",
            Mode::Funnel => "funnel",
        }
    }

    /// Only what is on loopback is published, and to everybody only what asks for a password.
    pub fn check(&self, plan: &Plan, auth: &Auth) -> Result<()> {
        if !plan.is_loopback() {
            return Err(Error::config(format!(
                "tailscale {} requires gateway bind=loopback, and it is {}: set gateway.bind=loopback, or gateway.tailscale.mode=off",
                self.name(),
                plan.mode
            )));
        }
        if self.mode == Mode::Funnel && auth.mode != AuthMode::Password {
            return Err(Error::config(
                "tailscale funnel requires gateway auth mode=password: set gateway.auth.mode=password and gateway.auth.password, or publish to the tailnet only (gateway.tailscale.mode=serve)",
            ));
        }
        Ok(())
    }
}
