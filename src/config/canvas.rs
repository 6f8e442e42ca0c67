//! Whether and where the canvas is served. Arithmetic over the configuration, for the start and for whoever tells.
use crate::config::Config;
use crate::config::ports::Ports;
use crate::env::Env;

/// Whether the canvas is served at all.
pub fn is_on(config: &Config, env: &Env) -> bool {
    let is_skipped = env.flag("OPENCLAW_SKIP_CANVAS_HOST");
    config.bool("canvasHost.enabled") && !config.is_disabled("canvasHost") && !is_skipped
}

/// The port of its own, unless that is the gateway's.
pub fn port(config: &Config, env: &Env, gateway: u16) -> Option<u16> {
    let port = Ports::of(gateway, env, config).canvas;
    (is_on(config, env) && port != gateway).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn i12_3_the_canvas_has_a_port_of_its_own_unless_it_is_off() {
        let dir = Dir::new();
        let (env, config) = (|vars: &[(&str, &str)]| dir.env(vars), |text: &str| dir.config(text));
        let port_of = |text: &str, vars: &[(&str, &str)]| port(&config(text), &env(vars), 18789);
        assert_eq!(port_of("{}", &[]), Some(18793));
        assert_eq!(port_of("{canvasHost: {port: 5000}}", &[]), Some(5000));
        assert_eq!(port_of("{canvasHost: {port: 18789}}", &[]), None);
        assert_eq!(port_of("{}", &[("OPENCLAW_CANVAS_HOST_PORT", "7")]), Some(7));
        assert_eq!(port_of("{canvasHost: {enabled: false}}", &[]), None);
        assert_eq!(port_of("{}", &[("OPENCLAW_SKIP_CANVAS_HOST", "1")]), None);
    }
}
