//! Issue 12, sentence 3: the page of surfaces in a real browser: every component, every message, what a user does.
use crate::harness::*;

/// An app around the page, as on iOS.
const APP: &str = "window.sent = []; window.webkit = {messageHandlers: {openclawCanvasA2UIAction: \
    {postMessage: (message) => window.sent.push(message)}}};";

struct Shown {
    browser: browser::Page,
    _chromium: Browser,
    _client: Client,
    _gateway: Gateway,
}

/// The page in a browser, with an app around it if there is a script for one.
fn page(app: &str) -> Option<Shown> {
    if browser::program().is_none() {
        eprintln!("no Chromium on this machine: not tried");
        return None;
    }
    let chromium = Browser::start(&["--mute-audio"]);
    let mut browser = chromium.page();
    let setup = Setup::config(json!({"canvasHost": {"enabled": true, "port": gateway::free_port()}}));
    let gateway = Gateway::start(&setup.env("OPENCLAW_SKIP_CANVAS_HOST", "0"));
    let mut client = Client::operator(&gateway, 4);
    let told = client.ok("plugin.surface.refresh", json!({"surface": "canvas"}));
    let url = told["pluginSurfaceUrls"]["canvas"].as_str().unwrap().to_string();
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": app}));
    browser.open(&format!("{url}/__openclaw__/a2ui/?platform=iOS"));
    browser.wait("window.openclawA2UI");
    Some(Shown { browser, _chromium: chromium, _client: client, _gateway: gateway })
}

impl Shown {
    fn apply(&mut self, messages: Value) -> Value {
        self.browser.eval(&format!("openclawA2UI.applyMessages({messages})"))
    }

    /// One surface `main` with these components and this model.
    fn show(&mut self, components: &[(&str, Value)], model: Value) {
        let components: Vec<Value> =
            components.iter().map(|(id, component)| json!({"id": id, "component": component})).collect();
        self.apply(json!([
            {"dataModelUpdate": {"surfaceId": "main", "contents": model}},
            {"surfaceUpdate": {"surfaceId": "main", "components": components}},
            {"beginRendering": {"surfaceId": "main", "root": "root"}},
        ]));
    }

    fn is(&mut self, expression: &str, want: impl Into<Value>) {
        let (got, want) = (self.browser.eval(expression), want.into());
        assert_eq!(got, want, "{expression}; the page: {}", self.browser.eval("document.body.innerText"));
    }
}

fn text(path: &str) -> Value {
    json!({"Text": {"text": {"path": path}}})
}

fn column(ids: &[&str]) -> Value {
    json!({"Column": {"children": {"explicitList": ids}}})
}

#[test]
fn i12_3_surfaces_messages_and_values() {
    let Some(mut page) = page(APP) else { return };
    page.is("document.documentElement.dataset.platform", "ios");
    page.is("document.querySelector('.empty').innerText.startsWith('Canvas')", true);
    page.is("openclawA2UI.reset()", json!({"ok": true}));
    let told = page.browser.eval("try { openclawA2UI.applyMessages({}) } catch (e) { e.message }");
    assert_eq!(told, "A2UI: expected messages array");
    // Nothing is shown before it begins, and what is not known is passed over.
    let surfaces = page.apply(json!([
        {"surfaceUpdate": {"surfaceId": "a", "components": [
            {"id": "root", "component": column(&["one", "two", "odd", "gone"])},
            {"id": "one", "component": text("/user/name")},
            {"id": "two", "weight": 2, "component": {"Text": {"text": {"literalString": "**bold** <b>not</b> `code` [link](https://a.example/x) [bad](javascript:alert(1))"}, "usageHint": {"literalString": "h2"}}}},
            {"id": "odd", "component": {"Hologram": {"text": {"literalString": "?"}}}},
        ]}},
        {"createSurface": {"surfaceId": "new"}}, null, {"surfaceUpdate": 5},
    ]));
    assert_eq!(surfaces, json!({"ok": true, "surfaces": ["a"]}));
    page.is("document.querySelector('.surface')", Value::Null);
    page.apply(json!([
        {"dataModelUpdate": {"surfaceId": "a", "contents": [{"key": "user", "valueMap": [{"key": "name", "valueString": "Zoe"}]}]}},
        {"beginRendering": {"surfaceId": "a", "root": "root", "styles": {"primaryColor": "#ff0000", "font": "Georgia"}}},
    ]));
    page.is("document.querySelector('.surface p').innerText", "Zoe");
    page.is("document.querySelector('h2').innerHTML", "<strong>bold</strong> &lt;b&gt;not&lt;/b&gt; <code>code</code> <a href=\"https://a.example/x\" target=\"_blank\" rel=\"noopener noreferrer\">link</a> [bad](javascript:alert(1))");
    page.is("document.querySelector('h2').style.flexGrow", "2");
    page.is("document.querySelector('.surface').style.getPropertyValue('--primary')", "#ff0000");
    // A value alone, then everything anew.
    page.apply(json!([{"dataModelUpdate": {"surfaceId": "a", "path": "/user/name", "contents": [{"key": ".", "valueString": "Ann"}]}}]));
    page.is("document.querySelector('.surface p').innerText", "Ann");
    page.apply(json!([{"dataModelUpdate": {"surfaceId": "a", "path": "/user", "contents": [{"key": "name", "valueNumber": 7}]}}]));
    page.is("document.querySelector('.surface p').innerText", "7");
    page.apply(
        json!([{"dataModelUpdate": {"surfaceId": "a", "contents": [{"key": "x", "valueBoolean": true}]}}]),
    );
    page.is("document.querySelector('.surface p').innerText", "");
    // A component that comes again replaces the old one; names of objects are no values.
    page.apply(json!([{"surfaceUpdate": {"surfaceId": "a", "components": [{"id": "one", "component": text("/constructor/name")}]}}]));
    page.is("document.querySelector('.surface p').innerText", "");
    page.apply(json!([{"beginRendering": {"surfaceId": "b", "root": "none"}}]));
    page.is("openclawA2UI.getSurfaces()", json!(["a", "b"]));
    page.apply(json!([{"deleteSurface": {"surfaceId": "a"}}]));
    page.is("openclawA2UI.getSurfaces()", json!(["b"]));
    page.is("document.querySelectorAll('h2').length", 0);
    // A tree that holds itself ends somewhere.
    page.show(&[("root", json!({"Card": {"child": "root"}}))], json!([]));
    page.is("document.querySelectorAll('.card').length", 50);
    page.browser.eval("openclawA2UI.reset()");
    page.is("document.querySelector('.empty') !== null && openclawA2UI.getSurfaces().length", 0);
    // What the apps draw on, and their words.
    page.is("__openclaw.ctx.canvas === __openclaw.canvas && __openclaw.canvas.width > 0", true);
    page.browser.eval("__openclaw.setStatus('a', 'b')");
    page.is("document.querySelector('#openclaw-status').hidden", true);
    page.browser.eval("__openclaw.setDebugStatusEnabled(true); __openclaw.setStatus('up', 'and running')");
    page.is("document.querySelector('#openclaw-status').innerText", "up and running");
    assert_eq!(page.browser.noise, Vec::<String>::new());
}

#[test]
fn i12_3_every_component_is_shown() {
    let Some(mut page) = page(APP) else { return };
    let picture = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/%3E";
    page.show(
        &[
            ("root", column(&["row", "list", "items", "divider", "card", "tabs", "modal", "video", "sound"])),
            ("row", json!({"Row": {"children": {"explicitList": ["image", "icon", "odd", "caption"]}, "distribution": "spaceBetween", "alignment": {"literalString": "end"}}})),
            ("image", json!({"Image": {"url": {"literalString": picture}, "altText": {"literalString": "a dot"}, "fit": "cover", "usageHint": "avatar"}})),
            ("icon", json!({"Icon": {"name": {"literalString": "shoppingCart"}}})),
            ("odd", json!({"Icon": {"name": {"literalString": "account_circle"}}})),
            ("caption", json!({"Text": {"text": {"literalString": "small"}, "usageHint": {"literalString": "caption"}}})),
            ("list", json!({"List": {"direction": "horizontal", "children": {"template": {"componentId": "item", "dataBinding": "/items"}}}})),
            ("items", json!({"List": {"children": {"template": {"componentId": "deep", "dataBinding": "/items"}}}})),
            ("item", text("name")),
            ("deep", json!({"Card": {"child": "inner"}})),
            ("inner", json!({"Column": {"children": {"template": {"componentId": "tag", "dataBinding": "tags"}}}})),
            ("tag", text("")),
            ("divider", json!({"Divider": {"axis": "vertical"}})),
            ("card", json!({"Card": {"child": "word"}})),
            ("word", json!({"Text": {"text": {"literalString": "in a card"}}})),
            ("tabs", json!({"Tabs": {"tabItems": [{"title": {"literalString": "First"}, "child": "t1"}, {"title": {"literalString": "Second"}, "child": "t2"}]}})),
            ("t1", json!({"Text": {"text": {"literalString": "one"}, "usageHint": "h3"}})),
            ("t2", json!({"Text": {"text": {"literalString": "two"}, "usageHint": "h3"}})),
            ("modal", json!({"Modal": {"entryPointChild": "open", "contentChild": "content"}})),
            ("open", json!({"Button": {"child": "openWord"}})),
            ("openWord", json!({"Text": {"text": {"literalString": "more"}}})),
            ("content", json!({"Text": {"text": {"literalString": "inside"}, "usageHint": "h4"}})),
            ("video", json!({"Video": {"url": {"literalString": "data:video/mp4,"}}})),
            ("sound", json!({"AudioPlayer": {"url": {"literalString": "data:audio/mpeg,"}, "description": {"literalString": "a song"}}})),
        ],
        json!([{"key": "items", "valueMap": [
            {"key": "0", "valueMap": [{"key": "name", "valueString": "x"}, {"key": "tags", "valueMap": [{"key": "0", "valueString": "red"}]}]},
            {"key": "1", "valueMap": [{"key": "name", "valueString": "y"}, {"key": "tags", "valueMap": [{"key": "0", "valueString": "blue"}, {"key": "1", "valueString": "green"}]}]},
        ]}]),
    );
    page.is("getComputedStyle(document.querySelector('.row')).justifyContent", "space-between");
    page.is("getComputedStyle(document.querySelector('.row')).alignItems", "flex-end");
    page.browser.wait("document.querySelector('img').naturalWidth === 9");
    page.is(
        "(i => [i.alt, i.className, i.style.objectFit])(document.querySelector('img'))",
        json!(["a dot", "avatar", "cover"]),
    );
    page.is(
        "[...document.querySelectorAll('svg')].map(s => s.getAttribute('aria-label'))",
        json!(["shoppingCart", "account_circle"]),
    );
    page.is("new Set([...document.querySelectorAll('svg path')].map(p => p.getAttribute('d'))).has('M6 6h12v12H6z')", false);
    page.is("document.querySelector('.caption').innerText", "small");
    page.is("document.querySelector('.list.horizontal').innerText.split(/\\s+/)", json!(["x", "y"]));
    page.is(
        "[...document.querySelectorAll('.list:not(.horizontal) .card')].map(c => c.innerText.split(/\\s+/))",
        json!([["red"], ["blue", "green"]]),
    );
    page.is("document.querySelector('hr').classList.contains('vertical')", true);
    page.is("[...document.querySelectorAll('.card')].pop().innerText", "in a card");
    page.is("document.querySelector('video').controls && document.querySelector('audio').controls", true);
    page.is("document.querySelector('figcaption').innerText", "a song");
    // Tabs by mouse and by keyboard; the choice stays when the agent says more.
    page.is("document.querySelector('h3').innerText", "one");
    page.browser.click("[role=tab]:nth-child(2)");
    page.is("document.querySelector('h3').innerText", "two");
    page.browser.key("ArrowLeft");
    page.is(
        "[document.querySelector('h3').innerText, document.activeElement.innerText]",
        json!(["one", "First"]),
    );
    page.browser.key("ArrowLeft");
    page.apply(json!([{"surfaceUpdate": {"surfaceId": "main", "components": [{"id": "t2", "component": {"Text": {"text": {"literalString": "two, again"}, "usageHint": "h3"}}}]}}]));
    page.is("document.querySelector('h3').innerText", "two, again");
    page.browser.click("[data-key='open@']");
    page.is("document.querySelector('dialog').open", true);
    page.apply(json!([{"surfaceUpdate": {"surfaceId": "main", "components": [{"id": "content", "component": {"Text": {"text": {"literalString": "new"}, "usageHint": "h4"}}}]}}]));
    page.is(
        "[document.querySelector('dialog').open, document.querySelector('dialog h4').innerText]",
        json!([true, "new"]),
    );
    page.browser.key("Escape");
    page.browser.wait("!document.querySelector('dialog').open");
    let complaints = &page.browser.noise;
    assert!(complaints.iter().all(|one| one.contains("data:")), "an empty film is none: {complaints:?}");
}

#[test]
fn i12_3_inputs_write_into_the_model_and_actions_go_to_the_app() {
    let Some(mut page) = page(APP) else { return };
    page.show(
        &[
            ("root", column(&["name", "echo", "long", "age", "secret", "agree", "when", "at", "pick", "chips", "size", "send", "plain"])),
            ("name", json!({"TextField": {"label": {"literalString": "Name"}, "text": {"path": "/name", "literalString": "Zoe"}, "validationRegexp": "[A-Za-z]+"}})),
            ("echo", text("/name")),
            ("long", json!({"TextField": {"label": {"literalString": "Story"}, "text": {"path": "/story"}, "textFieldType": "longText"}})),
            ("age", json!({"TextField": {"label": {"literalString": "Age"}, "text": {"path": "/age"}, "textFieldType": "number"}})),
            ("secret", json!({"TextField": {"label": {"literalString": "Secret"}, "text": {"path": "/secret"}, "textFieldType": "obscured"}})),
            ("agree", json!({"CheckBox": {"label": {"literalString": "Agree"}, "value": {"path": "/agree"}}})),
            ("when", json!({"DateTimeInput": {"value": {"path": "/when"}, "enableDate": true, "enableTime": true}})),
            ("at", json!({"DateTimeInput": {"value": {"path": "/at"}, "enableDate": false, "enableTime": true}})),
            ("pick", json!({"MultipleChoice": {"selections": {"path": "/pick"}, "filterable": true, "maxAllowedSelections": 2, "options": [
                {"label": {"literalString": "Red"}, "value": "r"}, {"label": {"literalString": "Green"}, "value": "g"}, {"label": {"literalString": "Blue"}, "value": "b"}]}})),
            ("chips", json!({"MultipleChoice": {"selections": {"path": "/one", "literalArray": ["x"]}, "variant": "chips", "maxAllowedSelections": 1, "options": [
                {"label": {"literalString": "X"}, "value": "x"}, {"label": {"literalString": "Y"}, "value": "y"}]}})),
            ("size", json!({"Slider": {"label": {"literalString": "Size"}, "value": {"path": "/size"}, "minValue": 1, "maxValue": 9}})),
            ("send", json!({"Button": {"child": "sendWord", "primary": true, "action": {"name": "save", "context": [
                {"key": "name", "value": {"path": "/name"}}, {"key": "n", "value": {"literalNumber": 3}}, {"key": "b", "value": {"path": "/agree"}},
                {"key": "pick", "value": {"path": "/pick"}}, {"key": "one", "value": {"path": "/one"}}, {"key": "size", "value": {"path": "/size"}}, {"key": "age", "value": {"path": "/age"}}]}}})),
            ("sendWord", json!({"Text": {"text": {"literalString": "Save"}}})),
            ("plain", json!({"Button": {"child": "sendWord", "action": {"name": "plain"}}})),
        ],
        json!([{"key": "size", "valueNumber": 4}, {"key": "when", "valueString": "2026-01-02T03:04:05Z"}, {"key": "at", "valueString": "2026-01-02T03:04:05Z"}]),
    );
    page.is(
        "[...document.querySelectorAll('input, textarea')].slice(0, 7).map(i => i.type)",
        json!(["text", "textarea", "number", "password", "checkbox", "datetime-local", "time"]),
    );
    page.is("[...document.querySelectorAll('[type=datetime-local], [type=time], [type=range]')].map(i => i.value)", json!(["2026-01-02T03:04", "03:04", "4"]));
    page.is("document.querySelector('p').innerText", "Zoe");
    page.browser.eval("document.querySelector('input').select()");
    page.browser.typed("Ann3");
    page.is(
        "[document.querySelector('p').innerText, document.querySelector('input').ariaInvalid]",
        json!(["Ann3", "true"]),
    );
    page.browser.eval("document.querySelector('input').select()");
    page.browser.typed("Ann");
    page.is("document.querySelector('input').ariaInvalid", "false");
    page.browser.eval("document.querySelector('[type=number]').focus()");
    page.browser.typed("41");
    page.browser.click("label.check input");
    for (n, want) in [(1, true), (2, true), (3, false)] {
        page.is(
            &format!(
                "!document.querySelectorAll('fieldset')[0].querySelectorAll('[type=checkbox]')[{}].disabled",
                n - 1
            ),
            want || n == 3,
        );
        page.browser.eval(&format!(
            "document.querySelectorAll('fieldset')[0].querySelectorAll('[type=checkbox]')[{}].click()",
            n - 1
        ));
        if n == 2 {
            page.is(
                "document.querySelectorAll('fieldset')[0].querySelectorAll('[type=checkbox]')[2].disabled",
                true,
            );
            break;
        }
    }
    page.browser.eval("(f => { f.value = 'blu'; f.dispatchEvent(new Event('input')) })(document.querySelector('[type=search]'))");
    page.is(
        "[...document.querySelectorAll('fieldset')[0].querySelectorAll('label')].map(l => l.hidden)",
        json!([true, true, false]),
    );
    page.browser.eval("document.querySelectorAll('.chips input')[1].click()");
    page.is("[...document.querySelectorAll('.chips input')].map(i => i.checked)", json!([false, true]));
    page.browser.eval(
        "(s => { s.value = 8; s.dispatchEvent(new Event('input')) })(document.querySelector('[type=range]'))",
    );
    page.is("document.querySelector('output').innerText", "8");
    page.browser.click("button.primary");
    page.is("document.querySelector('.state').innerText", "Sending: save");
    let sent = page.browser.eval("window.sent[0].userAction");
    assert_eq!(sent, page.browser.eval("globalThis.__openclawLastA2UIAction"));
    assert_eq!(
        sent["context"],
        json!({"name": "Ann", "n": 3, "b": true, "pick": {"0": "r", "1": "g"}, "one": {"0": "y"}, "size": 8, "age": 41})
    );
    assert_eq!(
        json!([sent["name"], sent["surfaceId"], sent["sourceComponentId"]]),
        json!(["save", "main", "send"])
    );
    assert!(
        is_uuid(sent["id"].as_str().unwrap()) && sent["timestamp"].as_str().unwrap().ends_with('Z'),
        "{sent}"
    );
    // The app says how it goes; the agent's next word ends it. What was typed stays, and so does the focus.
    page.browser.eval("window.dispatchEvent(new CustomEvent('openclaw:a2ui-action-status', {detail: {id: window.sent[0].userAction.id, ok: true}}))");
    page.is("document.querySelector('.state').innerText", "Working: save");
    page.browser.eval(
        "document.querySelector('input').focus(); document.querySelector('input').setSelectionRange(1, 2)",
    );
    page.apply(json!([{"surfaceUpdate": {"surfaceId": "main", "components": [{"id": "sendWord", "component": {"Text": {"text": {"literalString": "Saved"}}}}]}}]));
    page.is("document.querySelector('.state').innerText", "Updated: save");
    page.is(
        "(i => [i === document.activeElement, i.value, i.selectionStart])(document.querySelector('input'))",
        json!([true, "Ann", 1]),
    );
    page.browser.wait("!document.querySelector('.state')");
    page.browser.click("button:not(.primary)");
    page.is("window.sent[1].userAction.context", Value::Null);
    page.browser.eval("window.dispatchEvent(new CustomEvent('openclaw:a2ui-action-status', {detail: {id: window.sent[1].userAction.id, ok: false, error: 'no way'}}))");
    page.is("document.querySelector('.toast').innerText", "Failed: plain: no way");
    page.is("OpenClaw.postMessage('{\"a\":1}') && JSON.stringify(window.sent[2])", "{\"a\":1}");
    assert_eq!(page.browser.noise, Vec::<String>::new());
}

// SEC-16: the page is a stranger to the gateway, and without an app its buttons do nothing.
#[test]
fn sec_16_an_action_goes_to_the_app_and_nowhere_else() {
    let Some(mut page) = page("") else { return };
    page.show(
        &[
            ("root", json!({"Button": {"child": "word", "action": {"name": "pay"}}})),
            ("word", json!({"Text": {"text": {"literalString": "Pay"}}})),
        ],
        json!([]),
    );
    page.browser.click("button");
    page.is("document.querySelector('.toast').innerText.startsWith('Failed: pay')", true);
    page.is("self.origin", "null");
    page.is("fetch('/health').then(() => 'read', () => 'refused')", "refused");
    page.is(
        "(() => { try { return String(localStorage.length) } catch (e) { return 'refused' } })()",
        "refused",
    );
    let said = "new Promise((done) => { const s = new WebSocket(location.origin.replace('http', 'ws') + '/'); \
        s.onopen = () => done('open'); s.onerror = () => done('refused'); setTimeout(() => done('silent'), 5000) })";
    page.is(said, "refused");
    // The same app as on Android takes texts.
    page.browser.eval("window.openclawCanvasA2UIAction = {postMessage: (text) => { window.got = text }}");
    page.browser.click("button");
    page.is("JSON.parse(window.got).userAction.name", "pay");
}
