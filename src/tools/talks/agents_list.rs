//! `agents_list`: the agents that this one may reach. Runs on a tool's thread.
use crate::calls::Provenance;
use crate::error::Result;
use crate::json::json;
use crate::tools::{Context, Output, Tool, reach, sessions_spawn, usual_time};
use serde_json::Value;

pub const TOOL: Tool = Tool {
    name: "agents_list",
    doc: "List the agents that you may reach with sessions_send or start as subagents with sessions_spawn, yourself included.",
    parameters: r#"{"type": "object", "properties": {}}"#,
    aliases: &[],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, _: &Value) -> Result<Output> {
    let answer = reach::ask(context, "agents.list", json!({}))?;
    let rows = answer.get("agents").and_then(Value::as_array).into_iter().flatten();
    let listed =
        context.config.get("agents.list").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let targets = sessions_spawn::targets(context);
    let mut agents = Vec::new();
    for row in rows {
        let Some(id) = row.get("id").and_then(Value::as_str) else { continue };
        let may_start = targets.iter().any(|target| *target == "*" || *target == id);
        if may_start || reach::agent(context, id).is_ok() {
            let name = row.get("name").cloned().unwrap_or_else(|| id.into());
            agents.push(json!({"id": id, "name": name, "configured": listed}));
        }
    }
    crate::order::by_key(&mut agents, |row| {
        row.get("id").and_then(Value::as_str) != Some(context.agent.as_str())
    });
    let any = targets.iter().any(|target| target == "*");
    Ok(Output::json(&json!({"requester": context.agent, "allowAny": any, "agents": agents})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn only_agents_in_reach_are_listed() {
        let ids = |config: &str| {
            let (mut context, _dir) = context(config);
            context.agent = "ops".into();
            let said: Value = serde_json::from_str(&run(&context, &json!({})).unwrap().text).unwrap();
            said["agents"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a["id"].as_str().unwrap().to_string())
                .collect::<Vec<_>>()
        };
        let agents = "agents: {list: [{id: 'main'}, {id: 'ops', name: 'Ops'}]}";
        assert_eq!(ids(&format!("{{{agents}}}")), ["ops"]);
        assert_eq!(
            ids(&format!("{{{agents}, tools: {{agentToAgent: {{enabled: true}}}}}}")),
            ["ops", "main"]
        );
        let starts = "{agents: {list: [{id: 'main'}, {id: 'ops', subagents: {allowAgents: ['main']}}]}}";
        assert_eq!(ids(starts), ["ops", "main"]);
    }
}
