//! The page's own code, run by whoever drives it: for the owner alone, and where the configuration lets it.
use super::On;
use crate::browser::events::text;
use crate::browser::page;
use crate::error::Result;
use crate::json::{Put, json};
use serde_json::Value;

pub fn act_evaluate(on: &On) -> Result<Value> {
    let code = on.ctx.need("fn")?;
    let said = match on.ctx.text("ref") {
        None => expression(
            on,
            &format!("(() => {{ const f = ({code}\n); return typeof f === 'function' ? f() : f; }})()"),
        )?,
        Some(name) => {
            let found = page::element(&on.browser, &on.target, &on.session, name, &on.wait)?;
            let call =
                |method: &str, params: Value| on.browser.cdp.call(&found.session, method, params, &on.wait);
            // The same element as the page's own scripts know it.
            let node = call("DOM.describeNode", json!({"objectId": found.object}))?;
            let own =
                call("DOM.resolveNode", json!({"backendNodeId": (node.pointer("/node/backendNodeId"))}))?;
            let said = call(
                "Runtime.callFunctionOn",
                json!({
                    "objectId": (text(&own, "/object/objectId")), "awaitPromise": true, "returnByValue": true,
                    "functionDeclaration": (format!("function() {{ const f = ({code}\n); return typeof f === 'function' ? f(this) : f; }}")),
                }),
            )?;
            page::thrown(&said)?;
            said
        }
    };
    let mut told = on.with_url();
    told.as_object_mut()
        .into_iter()
        .for_each(|told| told.put("result", said.pointer("/result/value").cloned().unwrap_or_default()));
    Ok(told)
}

/// In the page's own world.
pub fn expression(on: &On, code: &str) -> Result<Value> {
    let params =
        json!({"expression": code, "awaitPromise": true, "returnByValue": true, "userGesture": true});
    let said = on.browser.cdp.call(&on.session, "Runtime.evaluate", params, &on.wait)?;
    page::thrown(&said)?;
    Ok(said)
}
