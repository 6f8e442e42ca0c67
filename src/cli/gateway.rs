//! `openclaw gateway [run]`: the gateway itself, in the foreground.
use super::parse::Args;
use super::{Command, Context, Flag};
use crate::error::{Error, Result};
use crate::gateway::Options;

pub const COMMAND: Command = Command {
    name: "gateway",
    summary: "Run the gateway in the foreground",
    about: "The port is --port, else OPENCLAW_GATEWAY_PORT, else gateway.port, else 18789.\n\
            It stops on SIGINT, SIGTERM and SIGHUP. A wrong configuration or a taken port exits 78.",
    positionals: &[],
    flags: &[FLAGS],
    examples: &[
        ("openclaw gateway", "Run the configured gateway"),
        (
            "openclaw gateway --port 18790 --token secret --allow-unconfigured",
            "Run one without a config file",
        ),
        ("openclaw --dev gateway --verbose", "Run the dev profile's gateway and mirror its debug log"),
    ],
    failure: "",
    run,
};

pub const RUN: Command = Command {
    name: "gateway run",
    examples: &[("openclaw gateway run --verbose", "Run the gateway and mirror its debug log")],
    ..COMMAND
};

const FLAGS: &[Flag] = &[
    Flag::value("port", "<port>", "Listen on this port"),
    Flag::choice(
        "bind",
        "<mode>",
        &["loopback", "lan", "tailnet", "auto", "custom"],
        "Listen on loopback, lan, tailnet, auto or custom (gateway.customBindHost)",
    ),
    Flag::value("token", "<token>", "Require this shared token"),
    Flag::value("password", "<password>", "Require this shared password"),
    Flag::choice("auth", "<mode>", &["token", "password"], "Authenticate clients by token or by password"),
    Flag::switch("allow-unconfigured", "Start without gateway.mode=local in the config"),
    Flag::switch("verbose", "Mirror the debug log to the terminal"),
];

fn run(context: &Context, args: &Args) -> Result<()> {
    let text = |long: &str| args.value(long).map(str::to_string);
    crate::gateway::run(
        context.env.clone(),
        Options {
            port: args.value("port").map(port).transpose()?,
            bind: text("bind"),
            token: text("token"),
            password: text("password"),
            auth: text("auth"),
            allow_unconfigured: args.has("allow-unconfigured"),
            verbose: args.has("verbose"),
        },
    )
}

fn port(text: &str) -> Result<u16> {
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| Error::usage(format!("Invalid port {text:?} (use a number from 1 to 65535)")))
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn ports() {
        for (text, want) in
            [("1", Some(1)), ("65535", Some(65535)), ("0", None), ("65536", None), ("x", None)]
        {
            assert_eq!(port(text).ok(), want, "{text}");
        }
    }
}
