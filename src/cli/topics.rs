//! `openclaw help <topic>`: what holds for all commands, a page each that fits a terminal of 80 by 24. Pure text; a new
//! topic is one row.

pub struct Topic {
    pub name: &'static str,
    /// One line: a capital first, no full stop.
    pub summary: &'static str,
    pub text: &'static str,
}

pub fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The topic that goes on with a command.
pub const JSON: &str = "json";

pub const TOPICS: &[Topic] = &[
    // Made from the commands' rows.
    Topic { name: "all", summary: "Every command with what it does", text: "" },
    Topic { name: JSON, summary: "What commands print with --json: their schemas", text: "" },
    Topic {
        name: "exit-codes",
        summary: "What the exit status says",
        text: "  0    done
  1    failed; the text says why and what helps
  2    --profile or --dev does not fit
  3    config get: the key is not set and has no default
  75   not known: the request was sent and no answer came; repeat it with the
       key that is printed, it takes effect once
  78   the configuration must be fixed first: a wrong file, no secret, a port
       that is taken
  130  ended by Ctrl-C

With --json a failure is JSON on standard output too: error.code, error.message
and what helps. Results go to standard output, everything else to standard
error.
",
    },
    Topic {
        name: "environment",
        summary: "Variables that are read",
        text: "  OPENCLAW_GATEWAY_PORT      the gateway's port, for the server and the commands
  OPENCLAW_GATEWAY_TOKEN     the shared secret; OPENCLAW_GATEWAY_PASSWORD
  OPENCLAW_STATE_DIR         the state directory
  OPENCLAW_CONFIG_PATH       the configuration file
  OPENCLAW_PROFILE           the profile, where --profile is not given
  OPENCLAW_HOME              the home directory, instead of HOME
  <PROVIDER>_API_KEY         the key of a model provider, as OPENAI_API_KEY
  VISUAL, EDITOR             the editor of config edit
  NO_COLOR, FORCE_COLOR      no colours; colours in a pipe too
  COLUMNS                    the width that lines are folded at
  NODE_EXTRA_CA_CERTS        a PEM file of authorities to trust; SSL_CERT_FILE

The state directory's .env is read as well; the environment wins over it.
Port: --port, then the variable, then gateway.port, then 18789.
Secret: the gateway takes the option, then the configuration, then the
variable; the commands take the option, the variable, the configuration.
",
    },
    Topic {
        name: "files",
        summary: "Where everything lies",
        text: "\
The state directory is ~/.openclaw, with a profile ~/.openclaw-<profile>:

  openclaw.json              the configuration (JSON5); .bak to .bak.4: the last
  .env                       variables, NAME=value
  agents/<agent>/sessions/   conversations: an index and a file each
  agents/<agent>/agent/      keys of model providers: auth-profiles.json
  devices/                   paired devices, and requests that wait
  credentials/               people let in to channels
  cron/                      jobs and what became of their runs
  exec-approvals.json        which commands agents may run
  logs/                      the gateway's log, a file a day
  gateway/                   its lock, what is not done yet, the day's numbers
  chat-history.jsonl         what was typed in openclaw chat

An agent's own texts are in ~/.openclaw/workspace. `openclaw backup create`
keeps all of it in one file, `openclaw config file` names the configuration.
",
    },
    Topic {
        name: "durations",
        summary: "How times are written",
        text: "\
Where an option takes a <time>:

  500ms   5s   2m   1h   3d   1.5h

A number alone has the unit that the option's text names. Where a moment is
asked for it is 2027-01-31T08:00:00Z (or +02:00 for Z), or 20m from now.
Schedules are `--every 10m` or `--cron \"0 8 * * 1-5\" --tz Europe/Berlin`.
",
    },
    Topic {
        name: "scopes",
        summary: "What a device or a client may do",
        text: "  operator.read       see the state, sessions, logs
  operator.write      talk with agents, send messages, change sessions
  operator.approvals  answer commands that wait for a word
  operator.pairing    let devices in, rename and remove them
  operator.admin      everything, the configuration too

Who has the shared secret, or is this machine's user, may do everything. A
device has what it asked for and was given: `openclaw devices approve --scopes`
gives less, `openclaw devices list` shows it. `openclaw gateway call --list`
names the scope of each method.
",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_fits_a_terminal() {
        for topic in TOPICS {
            assert!(topic.text.lines().count() <= 22, "{}: {}", topic.name, topic.text.lines().count());
            let wide: Vec<&str> = topic.text.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty() && topic.text.is_ascii(), "{}: {wide:?}", topic.name);
            let mut rows = topic.text.lines().filter(|line| line.contains("   "));
            assert!(rows.all(|row| row.starts_with("  ")), "{}", topic.name);
        }
    }
}
