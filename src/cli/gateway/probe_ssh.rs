//! The SSH part of `gateway probe`: which host is meant, whether it is the configured one, and the tunnel there.
//!
//! A host that is not the configured one gets no configured credentials (SEC-29). The tunnel stands as long as
//! the `Tunnelled` lives.
use super::probe::Candidate;
use crate::cli::Flag;
use crate::cli::link::client::Deadline;
use crate::cli::link::ssh;
use crate::cli::link::ssh::Tunnel;
use crate::cli::link::ssh_destination::Destination;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::address::{is_loopback, split};
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::time::{Duration, Instant};

pub const FLAGS: &[Flag] = &[
    Flag::value("ssh", "<user@host[:port]>", "Ask the gateway on that host through an SSH tunnel"),
    Flag::value("ssh-identity", "<file>", "Use this key for the tunnel"),
    Flag::switch("ssh-auto", "Open the tunnel to the host of gateway.remote.url"),
];

const TARGET: &str = "gateway.remote.sshTarget";
const IDENTITY: &str = "gateway.remote.sshIdentity";

/// A tunnel to open.
pub struct Way {
    ssh: ssh::Way,
    /// Whether the configuration names this host.
    is_known: bool,
}

/// An open tunnel and the gateway at its end.
pub struct Tunnelled {
    tunnel: Tunnel,
    target: Target,
    destination: Destination,
}

/// The tunnel that is asked for: `--ssh`, then `gateway.remote.sshTarget`, with `--ssh-auto` the remote host.
pub fn way(env: &Env, config: &Config, args: &Args) -> Result<Option<Way>> {
    let configured = config.str(TARGET).filter(|text| !text.trim().is_empty());
    let remote = config.str("gateway.remote.url").and_then(|url| Some(split(url.trim()).ok()?.1));
    let remote = remote.filter(|host| !is_loopback(host));
    let (destination, is_known) = match (args.value("ssh"), configured) {
        (Some(_), _) if args.value("url").is_some() => {
            return Err(Error::usage("--url and --ssh name two gateways: give one of them"));
        }
        (Some(text), _) => {
            let named = Destination::parse(text, "--ssh")?;
            let own = configured.and_then(|text| Destination::parse(text, TARGET).ok());
            let is_target = own.is_some_and(|own| own.host == named.host && own.port == named.port);
            let is_known = is_target || remote.as_ref() == Some(&named.host);
            (named, is_known)
        }
        // --url alone asks for that gateway.
        (None, _) if args.value("url").is_some() && !args.has("ssh-auto") => return Ok(None),
        (None, Some(text)) => (Destination::parse(text, TARGET)?, true),
        (None, None) if args.has("ssh-auto") => match remote {
            Some(host) => (Destination::parse(&host, "gateway.remote.url")?, true),
            None => {
                let text = "--ssh-auto finds no host: set gateway.remote.sshTarget, or name it with --ssh";
                return Err(Error::usage(text));
            }
        },
        (None, None) => return Ok(None),
    };
    let identity = args.value("ssh-identity").or(config.str(IDENTITY)).filter(|file| !file.is_empty());
    let identity = identity.map(|file| env.expand(file));
    let remote_port = ports::configured(env, config);
    Ok(Some(Way { ssh: ssh::Way { destination, remote_port, identity }, is_known }))
}

impl Way {
    pub fn destination(&self) -> &Destination {
        &self.ssh.destination
    }

    /// Opens it in at most two thirds of the time that is left, so that something is left for the others.
    pub fn open(self, env: &Env, config: &Config, args: &Args, deadline: Deadline) -> Result<Tunnelled> {
        let left = deadline.left(Duration::from_secs(45)).map_err(|_| deadline.error())? * 2 / 3;
        let own = Deadline::after(Instant::now(), left.as_millis().max(1) as u64);
        let tunnel = ssh::forward(&self.ssh, env, own)?;
        let destination = self.ssh.destination;
        let name = destination.to_string();
        let target = Target::tunnelled(env, config, args, &name, tunnel.local_port, self.is_known);
        Ok(Tunnelled { tunnel, target, destination })
    }
}

impl Tunnelled {
    pub fn candidate(&self) -> Candidate {
        let target = Ok(self.target.clone());
        Candidate { id: "sshTunnel", title: "Remote over SSH", target, is_active: true }
    }

    /// Whose answer is at the local port.
    pub fn far_end(&self) -> String {
        format!("port {} on {}", self.tunnel.remote_port, self.destination)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "kind": "ssh", "target": self.destination.to_string(), "localPort": self.tunnel.local_port,
            "remotePort": self.tunnel.remote_port, "pid": self.tunnel.pid(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::{Request, parse};
    use crate::config::testing::Dir;

    fn chosen(config: &str, line: &str) -> String {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let line = format!("gateway probe {line}");
        let args = match parse(line.split_whitespace().map(Into::into).collect()) {
            Ok(Request::Run { args, .. }) => args,
            other => panic!("{line}: {other:?}"),
        };
        match way(&env, &config, &args) {
            Ok(Some(way)) => format!("{} {} {}", way.destination(), way.is_known, way.ssh.remote_port),
            Ok(None) => "none".into(),
            Err(error) => error.message().chars().take(20).collect(),
        }
    }

    /// SEC-29, SEC-36: a host is known only when the configuration names it as a host to reach.
    #[test]
    fn which_host_is_meant_and_whether_it_is_known() {
        let target = "{gateway: {port: 5, remote: {sshTarget: 'me@box:2222'}}}";
        let remote = "{gateway: {remote: {url: 'wss://gw.example'}}}";
        let local = "{gateway: {remote: {url: 'ws://127.0.0.1:1'}}}";
        let cases = [
            ("{}", "", "none"),
            ("{}", "--ssh me@box", "me@box false 18789"),
            ("{}", "--ssh=-oProxyCommand=x", "--ssh is no plain na"),
            ("{}", "--ssh-auto", "--ssh-auto finds no "),
            ("{}", "--ssh a --url ws://127.0.0.1:1", "--url and --ssh name"),
            (target, "", "me@box:2222 true 5"),
            (target, "--ssh you@box:2222", "you@box:2222 true 5"),
            (target, "--ssh box", "box false 5"),
            (target, "--ssh other:2222", "other:2222 false 5"),
            (target, "--url ws://127.0.0.1:1", "none"),
            (remote, "", "none"),
            (remote, "--ssh-auto", "gw.example true 18789"),
            (remote, "--ssh me@gw.example:22", "me@gw.example:22 true 18789"),
            (local, "--ssh 127.0.0.1", "127.0.0.1 false 18789"),
            (local, "--ssh-auto", "--ssh-auto finds no "),
        ];
        for (config, line, want) in cases {
            assert_eq!(chosen(config, line), want, "{config} {line}");
        }
    }
}
