//! Markdown as elements: what is meant, what is not, and texts that are made to be slow.
use super::*;

/// A text, and what is made of it.
const CASES: &[(&str, &str)] = &[
    (
        "a *b* **c** ***d*** snake_case 2*3*4 ~~g~~",
        "<p>a <em>b</em> <strong>c</strong> <strong><em>d</em></strong> snake_case 2*3*4 <del>g</del></p>",
    ),
    ("`a``b` \\*no\\* **unclosed", "<p><code>a``b</code> *no* **unclosed</p>"),
    ("<script>x</script> &amp; <b>", "<p>&lt;script&gt;x&lt;/script&gt; &amp;amp; &lt;b&gt;</p>"),
    ("# H\ntext\nmore\n\n---", "<h3>H</h3><p>text<br>more</p><hr>"),
    ("1. a\n   - b\n2. c\n\n- d", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol><ul><li>d</li></ul>"),
    ("> q\n> r\n\nend", "<blockquote><p>q<br>r</p></blockquote><p>end</p>"),
    (
        "[y](javascript:alert(1)) [z](data:text/html,x)",
        "<p>[y](javascript:alert(1)) [z](data:text/html,x)</p>",
    ),
    (
        "- [x] done",
        "<ul><li class=\" task\"><input type=\"checkbox\" disabled=\"\" aria-label=\"Done\">done</li></ul>",
    ),
];

/// SEC-39: no text becomes HTML or a link that runs something.
#[test]
fn i12_4_sec_39_markdown_is_made_into_elements() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::apart(vec![model::texts(&["hi"])], json!({}));
    world.page.open(&world.url());
    world.page.wait("document.querySelector('.login')");
    let made = |page: &mut Page, text: &str| {
        page.eval(&format!(
            "(async () => {{ const {{ markdown }} = await import(document.querySelector('script').src.replace('app.js', 'markdown.js')); const since = performance.now(); const node = markdown({}); return [node.innerHTML, performance.now() - since, [...node.querySelectorAll('a')].map((a) => a.href + ' ' + a.rel)] }})()",
            json!(text)
        ))
    };
    for (text, want) in CASES {
        assert_eq!(made(&mut world.page, text)[0], *want, "{text}");
    }
    let links = made(&mut world.page, "[x](http://a.b/c_(d)) <https://e.f> https://g.h/i.");
    assert_eq!(
        links[2],
        json!([
            "http://a.b/c_(d) noopener noreferrer",
            "https://e.f/ noopener noreferrer",
            "https://g.h/i noopener noreferrer"
        ])
    );
    for part in [
        "*", "[", "_a ", "**a ", "> ", "~~a", "a](", "![", "https://", "*a*b", "a\n", "- a\n", "  - ", "`a ",
        "|a\n",
    ] {
        for length in [19_000, 100_000] {
            let time = made(&mut world.page, &part.repeat(length / part.len()))[1].as_f64().unwrap();
            assert!(time < 3000.0, "{part:?} × {length}: {time:.0} ms");
        }
    }
    world.quiet();
}
