//! The state of the service as scripts read it. The shapes are the ones existing scripts know.
use super::inspect::Inspection;
use crate::json::json;
use serde_json::{Map, Value};

/// Variables of a service that may be shown.
const SHOWN: [&str; 5] = [
    "OPENCLAW_PROFILE",
    "OPENCLAW_STATE_DIR",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_GATEWAY_PORT",
    "OPENCLAW_NIX_MODE",
];

impl Inspection {
    /// The `service` member of the commands' JSON; `full` adds command and runtime, as `gateway status` has them.
    pub fn to_json(&self, full: bool) -> Value {
        let (loaded, not_loaded) = self.manager.loaded_texts();
        let mut value = json!({
            "label": self.manager.label(), "loaded": self.loaded,
            "loadedText": loaded, "notLoadedText": not_loaded,
        });
        if let (true, Some(map)) = (full, value.as_object_mut()) {
            map.insert("command".into(), self.command_json());
            map.insert("runtime".into(), self.runtime_json());
            let issues: Vec<Value> = self
                .drift
                .iter()
                .map(|text| json!({"code": "service-drift", "message": text, "level": "recommended"}))
                .collect();
            map.insert("configAudit".into(), json!({"ok": issues.is_empty(), "issues": issues}));
        }
        value
    }

    fn command_json(&self) -> Value {
        if !self.installed {
            return Value::Null;
        }
        let shown = self.environment.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
        let environment: Map<String, Value> = shown.map(|(k, v)| (k.clone(), v.as_str().into())).collect();
        json!({"programArguments": self.command, "environment": environment, "sourcePath": self.unit_path})
    }

    fn runtime_json(&self) -> Value {
        let status = match self.running {
            Some(true) => "running",
            Some(false) => "stopped",
            None => "unknown",
        };
        let mut map = Map::new();
        map.insert("status".into(), status.into());
        for (name, text) in [("state", &self.state), ("subState", &self.sub_state)] {
            if !text.is_empty() {
                map.insert(name.into(), text.as_str().into());
            }
        }
        let numbers = [
            ("pid", self.pid.map(i64::from)),
            ("lastExitStatus", self.exit_status),
            ("lastExitSignal", self.exit_signal),
            ("restarts", self.restarts),
        ];
        map.extend(numbers.into_iter().filter_map(|(name, n)| Some((name.to_string(), n?.into()))));
        if let Some(trouble) = &self.trouble {
            map.insert("detail".into(), trouble.as_str().into());
        }
        if !self.installed {
            map.insert("missingUnit".into(), true.into());
        }
        map.into()
    }
}
