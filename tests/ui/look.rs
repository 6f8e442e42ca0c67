//! How it looks and is used: dark, on a phone, without a mouse, and how soon it is there.
use super::*;

const PAGES: [&str; 10] =
    ["chat", "overview", "channels", "devices", "cron", "approvals", "agents", "config", "logs", "usage"];

/// Nothing is cut off or too faint: each page on a phone of 360 pixels and on a desk, light and dark.
#[test]
fn i12_4_every_page_fits_a_phone_and_the_dark() {
    if !is_wanted(false) {
        return;
    }
    let words = "A [link](https://example.com/), `code` and a_very_long_word_that_could_push_everything_aside_if_it_were_let.\n\n```\nlong line of code that goes on and on and on and on and on and on and on and on\n```";
    let mut world = World::new(vec![model::texts(&[words])], json!({}));
    world.say("hello");
    world.page.wait("document.querySelector('.message .code')");
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "dark"), (1280, "light")] {
        world.page.size(width, 780);
        world.page.prefers(scheme);
        for name in PAGES {
            world.go(name);
            world.page.wait(&format!(
                "document.querySelector('#nav [data-page={name}]').hasAttribute('aria-current')"
            ));
            let there = format!(
                "document.querySelector('.page-{name} h1') && !document.querySelector('main').textContent.includes('Loading…')"
            );
            world.page.wait(&there);
            let wide = world.page.eval(
                "Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)",
            );
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} is {wide} wide at {width}");
            is_accessible(&mut world.page, &format!("{name}, {width}, {scheme}"));
            world.page.picture(&format!("{name}-{width}-{scheme}"));
        }
    }
    world.page.size(360, 780);
    world.page.press_button("Menu");
    world.page.wait("document.body.classList.contains('menu') && document.activeElement.closest('#nav')");
    world.page.picture("menu-360");
    world.page.key("Escape");
    world.page.wait("!document.body.classList.contains('menu')");
    // The switch goes before the system.
    world.page.size(1280, 780);
    let set = "(() => { const s = document.querySelector('[aria-label=Theme]'); s.value = 'dark'; s.dispatchEvent(new Event('change', { bubbles: true })); return getComputedStyle(document.body).backgroundColor; })()";
    let ground = world.page.eval(set);
    assert_eq!(ground, "rgb(19, 20, 22)");
    world.page.reload();
    world.connected();
    assert_eq!(world.page.eval("getComputedStyle(document.body).backgroundColor"), ground);
    world.quiet();
}

/// Everything by keys alone, and the focus is always seen.
#[test]
fn i12_4_keys_are_enough() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    world.page.wait("document.querySelector('.composer textarea')");
    world.page.eval("document.activeElement.blur()");
    world.page.key("Tab");
    assert_eq!(world.page.eval("document.activeElement.textContent"), "Skip to the page");
    let mut seen = Vec::new();
    for _ in 0..40 {
        world.page.key("Tab");
        let at = world.page.eval(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e); const box = e.closest('.composer') && getComputedStyle(e.closest('.composer')); return [e.getAttribute('aria-label') || e.textContent.trim().slice(0, 30), s.outlineStyle !== 'none' || (box && box.borderColor !== 'rgba(0, 0, 0, 0)')]; })()",
        );
        assert_eq!(at[1], true, "the focus is not seen on {at}");
        seen.push(at[0].as_str().unwrap().to_string());
        if seen.last().is_some_and(|name| name == "Message") {
            break;
        }
    }
    for name in ["Chat", "Config", "Theme", "New conversation", "Model", "Message"] {
        assert!(seen.iter().any(|known| known == name), "{name} is not reached: {seen:?}");
    }
    world.page.typed("by keys");
    world.page.key("Enter");
    world
        .page
        .wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'hi')");
    // A page by its link, a dialog by its button, and out of it again.
    world.page.eval("document.querySelector('#nav [data-page=overview]').focus()");
    world.page.key("Enter");
    world
        .page
        .wait("document.activeElement.tagName === 'H1' && document.activeElement.textContent === 'Overview'");
    world.page.key("Tab");
    world.page.key("Enter");
    world.page.wait("document.querySelector('dialog[open]')");
    world.page.key("Escape");
    world.page.wait("!document.querySelector('dialog')");
    world.quiet();
}

/// On each page all that can be used is reached by the Tab key, in sight when it has the focus, at the width of a phone too.
#[test]
fn i12_4_keys_reach_everything_on_every_page() {
    if !is_wanted(false) {
        return;
    }
    const USED: &str = "[...document.querySelectorAll('main :is(a[href], button, input, select, textarea, summary)')].filter((e) => !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !(e.getAttribute('role') === 'tab' && e.tabIndex < 0))";
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    world.page.wait("document.querySelector('.composer textarea')");
    world.say("hello");
    world.page.wait("document.querySelector('.message.assistant')");
    let pages =
        world.page.eval("[...document.querySelectorAll('#nav [data-page]')].map((a) => a.dataset.page)");
    assert_eq!(pages, json!(PAGES), "every page is walked through");
    for (width, name) in [1280, 360].into_iter().flat_map(|width| PAGES.map(|name| (width, name))) {
        world.page.size(width, 780);
        world.go(name);
        world.page.wait(&format!(
            "document.querySelector('.page-{name} h1') && !document.querySelector('main').textContent.includes('Loading…')"
        ));
        world.page.eval("(() => { window.reached = new Set(); const h = document.querySelector('main h1'); h.tabIndex = -1; h.focus(); })()");
        // Some stands before the heading.
        let most = world.page.eval(&format!("{USED}.length")).as_u64().unwrap().min(120) + 40;
        for _ in 0..most {
            world.page.key("Tab");
            let seen = world.page.eval(
                "(() => { const e = document.activeElement; reached.add(e.outerHTML.slice(0, 120)); if (!e.closest('main')) return true; const r = e.getBoundingClientRect(); const s = getComputedStyle(e); const box = e.closest('.composer'); \
                 return (s.outlineStyle !== 'none' || Boolean(box)) && r.width > 0 && r.right > 0 && r.left < innerWidth && r.bottom > 0 && r.top < innerHeight || e.outerHTML.slice(0, 120); })()",
            );
            assert_eq!(seen, true, "{name} at {width}: the focus is out of sight");
        }
        let missed = world.page.eval(&format!("{USED}.slice(0, 120).filter((e) => e.type !== 'radio').map((e) => e.outerHTML.slice(0, 120)).filter((e) => !reached.has(e))"));
        assert_eq!(missed, json!([]), "{name} at {width}: not reached by keys");
    }
    world.quiet();
}

/// Usable within 300 ms on a processor that is four times slower.
#[test]
fn i12_4_the_page_is_usable_soon() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    let watch = "window.usable = window.connected = 0; new MutationObserver(() => { if (!usable && document.querySelector('.composer textarea')) usable = performance.now(); if (!connected && document.getElementById('link')?.textContent.startsWith('Connected')) connected = performance.now(); }).observe(document, { childList: true, subtree: true })";
    world.page.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch}));
    world.page.cdp("Emulation.setCPUThrottlingRate", json!({"rate": 4}));
    let mut times = Vec::new();
    for _ in 0..7 {
        world.page.reload();
        world.page.wait("window.usable && window.connected");
        times.push(world.page.eval("window.usable").as_f64().unwrap());
    }
    times.sort_by(f64::total_cmp);
    let [connected, first] =
        ["window.connected", "performance.getEntriesByType('navigation')[0].responseStart"]
            .map(|what| world.page.eval(what).as_f64().unwrap());
    eprintln!(
        "4 times slower: usable after {:.0} ms (median of {}), connected after {connected:.0} ms, first byte after {first:.1} ms",
        times[3],
        times.len()
    );
    // Whoever compiles beside it measures himself.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
    if load > 1.5 {
        eprintln!("NOT JUDGED: the machine is busy (load {load})");
        return;
    }
    assert!(times[3] < 300.0, "{times:?}");
}
