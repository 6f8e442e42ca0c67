//! What Markdown becomes: text, and spans written as letters around it.
use super::*;
use std::time::{Duration, Instant};

/// `{b:bold}`, and so on: enough to see what begins and ends where.
fn written(text: &Text) -> String {
    let mut out = String::new();
    text.walk(0..text.plain.len(), |part| match part {
        Part::Text(text) => out.push_str(text),
        Part::Close(_) => out.push('}'),
        Part::Open(style) => out.push_str(&match style {
            Style::Link(address) => format!("{{{address}:"),
            Style::Bold => "{b:".into(),
            Style::Italic => "{i:".into(),
            Style::Strike => "{s:".into(),
            Style::Spoiler => "{h:".into(),
            Style::Code => "{c:".into(),
            Style::Block => "{p:".into(),
        }),
    });
    out
}

fn check(markdown: &str, want: &str) {
    assert_eq!(written(&parse(markdown, Tables::Code)), want, "{markdown:?}");
}

#[test]
fn emphasis_is_commonmarks() {
    check("**b** __b__ *i* _i_ ***x*** ~~s~~ ||x||", "{b:b} {b:b} {i:i} {i:i} {b:{i:x}} {s:s} {h:x}");
    check("2*3*4 snake_case_name a * b * c", "2{i:3}4 snake_case_name a * b * c");
    check("**open `tick and *one", "**open `tick and *one");
    check("**a *b* c** *a **b** c*", "{b:a {i:b} c} {i:a {b:b} c}");
    check("**a *b** c*", "{i:{i:a {i:b}} c}");
    check("a || b || c ~x~ ~~~", "a || b || c ~x~ ~~~");
    check("**注意：**请 **「b」**x", "{b:注意：}请 {b:「b」}x");
    check(r"\*a\* \\ \n \_", r"*a* \ \n _");
    check("`` a`b `` `*c*` ` ``", "{c:a`b} {c:*c*} ` ``");
    check("&lt;b&gt; &amp;amp; &#8364; &nope; <b>x</b>", "<b> &amp; € &nope; <b>x</b>");
}

#[test]
fn links_of_every_kind() {
    check("[t](https://x?a=1&b=2 \"title\")", "{https://x?a=1&b=2:t}");
    check("[**t** `c`](<https://x/a b>)", "{https://x/a%20b:{b:t} {c:c}}");
    check("[a](https://x/(b)) [c](u))", "{https://x/(b):a} {u:c})");
    check(
        "https://x.org/a_b_c. (www.foo.com) a@b.co, <https://x>",
        "{https://x.org/a_b_c:https://x.org/a_b_c}. ({http://www.foo.com:www.foo.com}) {mailto:a@b.co:a@b.co}, {https://x:https://x}",
    );
    check("**https://x.org/a** 见https://x.org。", "{https://x.org/a:{b:https://x.org/a}} 见https://x.org。");
    check("![alt *x*](u) [![i](p)](u)", "alt {i:x} {u:i}");
    check(
        "[a](javascript:alert(1)) [b](/rel) [](https://x)",
        "[a](javascript:alert(1)) {/rel:b} {https://x:https://x}",
    );
    check("[a](JavaScript&#58;x) [b](data:x)", "[a](JavaScript:x) [b](data:x)");
    check("[https://a.b](https://c.d) [a [b](u) c](v)", "{https://c.d:https://a.b} [a {u:b} c](v)");
    check(
        "[a][r] [r] [R][] [no] [^1]\n\n[r]: https://x \"t\"\n[^1]: note",
        "{https://x:a} {https://x:r} {https://x:R} [no] [^1]\n\n[^1]: note",
    );
    check("*a [b*](u)*", "{i:a {u:b*}}");
}

#[test]
fn blocks_stand_apart() {
    check("a  \nb\\\nc\nd\n\n\n\ne", "a\nb\nc\nd\n\ne");
    check("# T #\ntext\n\nS\n---\nx", "T\n\ntext\n\nS\n\nx");
    check("#hash\n####### seven", "#hash\n####### seven");
    check("> q\n> r\nlazy\n\nx", "q\nr\nlazy\n\n\nx");
    check("a\n\n---\n\n* * *\n\nb", "a\n\nb");
    check("```rust\nfn a() {\n\n\tb <c>\n}\n```\nx", "{p:fn a() {\n\n\tb <c>\n}\n}\nx");
    check("~~~\na\n```\n~~~~\n    b\n\n    c\n\nd", "{p:a\n```\n}\n{p:b\n\nc\n}\nd");
    check("```\nopen *x*", "{p:open *x*\n}");
    check("```\n```\nx", "x");
    check("a ```b``` c", "a {c:b} c");
}

/// D11: nested items and further paragraphs have lines of their own.
#[test]
fn lists_keep_their_lines() {
    check("- a\n- b\n\nx", "• a\n• b\nx");
    check("3. a\n4. b\n\n1) c", "3. a\n4. b\n1. c");
    check("- a\n\n- b", "• a\n• b");
    check("- [ ] x\n- [x] y", "• [ ] x\n• [x] y");
    check(
        "- one\n- two\n  - nested\n    - deeper\n- three",
        "• one\n• two\n  • nested\n    • deeper\n• three",
    );
    check(
        "1. one\n  - by two\n2. two\n\n   para\n\n   ```\n   code\n   ```\n3. three",
        "1. one\n  • by two\n2. two\n  para\n{p:code\n}3. three",
    );
    check("text\n- a\nlazy\n2. not one", "text\n\n• a\nlazy\n2. not one");
    check("- a\n> q\n\nb", "• a\nq\n\n\nb");
    check("-\n- \n-x", "• \n• \n-x");
    check("- ```\n  a\n  ```\n- b", "• \n{p:a\n}• b");
}

/// D11: nothing is styled within the code that a table becomes.
#[test]
fn tables_by_their_mode() {
    let table = "| A | **Long** |\n|---|:-:|\n| 1 | `x|y` \\| z |\n| 22 |\n\nend";
    check("| A | B |\n|---|---|\n| 1 | 22 |", "{p:| A | B  |\n| - | -- |\n| 1 | 22 |\n}");
    check(table, "{p:| A  | Long |\n| -- | ---- |\n| 1  | `x   |\n| 22 |      |\n}\nend");
    let bullets =
        parse("| N | A | B |\n|-|-|-|\n| x | *1* | 2 |\n| y | | 3 |\n\nend", Tables::named("bullets"));
    assert_eq!(written(&bullets), "{b:x}\n• A: {i:1}\n• B: 2\n\n{b:y}\n• B: 3\n\nend");
    assert_eq!(parse("| A |\n|---|\n| 1 |", Tables::named("off")).plain, "| A |\n|---|\n| 1 |");
    check("a | b\nno table", "a | b\nno table");
}

#[test]
fn time_grows_with_the_length_only() {
    let hostile = [
        "*a ",
        "**a*",
        "[",
        "![",
        "[a](",
        "[a](b ",
        "`a``b```",
        "<a",
        "&a",
        "https://",
        "www.-",
        "a@b.",
        "> ",
        "- ",
        "1. a\n",
        "|a",
        "|a|b\n|-|-\n",
        "[a]: b\n",
        "_*~~||",
        "\\",
        "a.b@",
        "[![a](b)",
        "```\n",
        "  - a\n",
        "]",
        "*a_ b~~ ",
        "||a",
        "\t",
        "a\n---\n",
        "> - ",
        "[a]",
        "``",
        "a**b__c",
        "a\n\n",
    ];
    for piece in hostile {
        for text in
            [piece.repeat(100_000 / piece.len()), format!("{}\n{}x", piece.repeat(9), piece.repeat(99))]
        {
            let started = Instant::now();
            let _text = parse(&text, Tables::Code);
            assert!(started.elapsed() < Duration::from_secs(5), "{piece:?} took {:?}", started.elapsed());
        }
    }
}
