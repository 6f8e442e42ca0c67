//! `openclaw configure`: the questions of `onboard`, a section at a time.
use super::Plan;
use super::ask::Asker;
use super::{apply, channel, port, questions};
use crate::channels::SETUP;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, far};
use crate::config::Config;
use crate::error::{Error, Result};

pub const COMMAND: Command = Command {
    name: "configure",
    summary: "Change one part of the setup by questions",
    about: "Without --section it asks which. Empty answers change nothing.\n\
            For single values from a script there is `openclaw config set`.",
    positionals: &[],
    flags: &[&[Flag::value(
        "section",
        "<name>",
        "Ask for workspace, model, gateway, daemon, health or channels; may be repeated",
    )]],
    examples: &[
        ("openclaw configure", "Choose what to change"),
        ("openclaw configure --section model", "Choose another model"),
    ],
    failure: "",
    run,
};

/// The sections, each with what it is about.
const SECTIONS: [(&str, &str); 8] = [
    ("workspace", "the agent's directory"),
    ("model", "the model that answers"),
    ("gateway", "port, address and credentials"),
    ("daemon", "the service that keeps the gateway running"),
    ("health", "a look at whether it works"),
    ("channels", SETUP.what),
    ("skills", ""),
    ("web", ""),
];

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut sections: Vec<String> = args.all("section").into_iter().map(str::to_string).collect();
    for section in &sections {
        if !SECTIONS.iter().any(|(name, _)| name == section) {
            let names = SECTIONS.map(|(name, _)| name).join(", ");
            return Err(Error::usage(format!("Invalid --section: {section}. Expected one of: {names}.")));
        }
    }
    let config = Config::load(&mut context.env.clone())?;
    let mut asker = Asker::terminal(context.out, "use `openclaw config set` instead")?;
    if let Some(address) = far::configured(&context.env, &config) {
        context.out.warn(&format!(
            "note: this changes what the commands of this machine go by; model, workspace, port, credentials and service \
             of the gateway at {address} are changed on its host"
        ));
    }
    if sections.is_empty() {
        let asked = SECTIONS.iter().filter(|(_, about)| !about.is_empty());
        let (names, options): (Vec<_>, Vec<_>) =
            asked.map(|(name, about)| (name.to_string(), format!("{name}: {about}"))).unzip();
        let place = asker.choice("What is to be changed?", &options, 0)?;
        sections.extend(names.get(place).cloned());
    }
    let is_remote = config.str("gateway.mode") == Some("remote");
    let mut plan = Plan::default();
    for section in &sections {
        match section.as_str() {
            "workspace" => questions::workspace(&mut asker, context, &config, &mut plan)?,
            "model" => questions::model(&mut asker, context, &config, &mut plan)?,
            "gateway" => {
                port::check_named(&context.env, &config, &plan)?;
                plan = questions::fitting(&mut asker, context, plan, |asker, plan| {
                    questions::gateway(asker, context, &config, plan)
                })?
            }
            // Told to be left out.
            "daemon" if is_remote => plan.install = true,
            "daemon" => {
                plan.install = asker.yes("Install the service, so that the gateway always runs?", true)?
            }
            "health" => plan.check = true,
            "channels" => channel::ask(&mut asker, context, &config, &mut plan)?,
            other => context.out.line(format!("{other}: nothing to ask; see `openclaw config get {other}`")),
        }
    }
    plan.check |= plan.install && !is_remote;
    apply::carry_out(context, &plan, false)
}
