//! Reasoning between marks, cut at every place.
use super::*;

/// Thought and text once all is done.
fn split(pieces: &[&str]) -> (String, String) {
    let (mut think, mut steps) = (Think::default(), Vec::new());
    pieces.iter().for_each(|piece| steps.extend(think.push(piece)));
    steps.extend(think.end(false));
    let (mut thought, mut said, mut last) = (String::new(), String::new(), String::new());
    for step in steps {
        match step {
            Step::Text(t) => {
                last.clear();
                said += &t;
            }
            Step::Thought(t) => {
                last += &t;
                thought += &t;
            }
            Step::Unsay => {
                last = std::mem::take(&mut said);
                thought += &last;
            }
            Step::Resay(tag) => said += &(tag + &std::mem::take(&mut last)),
        }
    }
    (thought, said)
}

#[test]
fn b_f14_every_cut_gives_the_same_split() {
    let check = |whole: &str, thought: &str, said: &str| {
        let cuts: Vec<usize> = (0..=whole.len()).filter(|n| whole.is_char_boundary(*n)).collect();
        assert_eq!(split(&[whole]), (thought.to_string(), said.to_string()), "{whole}");
        // The text is what counts; reasoning that was given back is in both.
        for first in &cuts {
            for second in cuts.iter().filter(|n| *n >= first) {
                let pieces = [&whole[..*first], &whole[*first..*second], &whole[*second..]];
                assert!(
                    split(&pieces).1.ends_with(said) && said.is_empty() == split(&pieces).1.is_empty(),
                    "{pieces:?}"
                );
            }
        }
    };
    check("\n<think>\nhm </b> ü</think>\n\nYes.", "hm </b> ü", "Yes.");
    check("<think></think>No", "", "No");
    check("<think>only", "only", "");
    check("<think>cut</thi", "cut</thi", "");
    check(" a <think>b</think>", "b", " a ");
    check("<thin ice", "", "<thin ice");
    check("<thi", "", "<thi");
    check("Okay, let me see.\n</think>\n\nHello.", "Okay, let me see.\n", "Hello.");
    check("<thinking>hm</thinking>Hello.", "hm", "Hello.");
    check("<thought>hm</thought>Hello.", "hm", "Hello.");
    check("<THINK>hm</Think >Hello.", "hm", "Hello.");
    check("[THINK]hm[/THINK]Hello.", "hm", "Hello.");
    check("<mm:think>hm</mm:think>Hello.", "hm", "Hello.");
    check("<thinking a=\"b\">hm</thinking>Hello.", "hm", "Hello.");
    check("<think>a</think><think>b</think>Hello.", "ab", "Hello.");
    check("Hello. <think>a</think> You.", "a", "Hello. You.");
    check("<think>a</think><final>Hello.</final>", "a", "Hello.");
    check("<final>\nHello.</final>\n", "", "Hello.");
    check("</think>\nHello.", "", "Hello.");
    check("<think/>Hello.", "", "Hello.");
    // What a tag in code, or one that is only mentioned, stands beside is text.
    check("Use `<think>` and `</think>`.", "", "Use `<think>` and `</think>`.");
    check("A:\n```xml\n<think>x</think>\n```\nB", "", "A:\n```xml\n<think>x</think>\n```\nB");
    check("```ls``` lists.\n<think>x</think>\nB", "x", "```ls``` lists.\nB");
    check("a < b, [x], <b>, <thinker>, the <final> word", "", "a < b, [x], <b>, <thinker>, the <final> word");
    check("<think>say `</think>` then</think>Hello.", "say `</think>` then", "Hello.");
}

#[test]
fn b_f14_what_leads_to_no_answer_is_given_back() {
    assert_eq!(split(&["The <think> tag opens."]).1, "The <think> tag opens.");
    assert_eq!(split(&["Hello.</think>"]).1, "Hello.");
    assert_eq!(split(&["Hello.", "</think>", "\n"]).1, "Hello.");
    let mut think = Think::default();
    think.push("Hello. <think>cut");
    assert_eq!(think.end(true), []);
}

#[test]
fn b_f14_other_marks_are_known_too() {
    let check = |whole: &str, thought: &str, said: &str| {
        let all: Vec<String> = whole.chars().map(String::from).collect();
        let pieces: Vec<&str> = all.iter().map(String::as_str).collect();
        for split in [split(&[whole]), split(&pieces)] {
            assert_eq!(split, (thought.to_string(), said.to_string()), "{whole}");
        }
    };
    check("<reasoning>hm</reasoning>\nHello.", "hm", "Hello.");
    check("◁think▷hm ◁ b▷◁/think▷Hello.", "hm ◁ b▷", "Hello.");
    check("a ◁ b ▷ ◁thing▷", "", "a ◁ b ▷ ◁thing▷");
    let final_head = "<|start|>assistant<|channel|>final<|message|>";
    check(&format!("<|channel|>analysis<|message|>hm<|end|>{final_head}Hello.<|return|>"), "hm", "Hello.");
    check(&format!("{final_head}Hello."), "", "Hello.");
    let call =
        "<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>";
    check(&format!("<|channel|>analysis<|message|>`hm{call}"), "`hm{}", "");
    check("<|channel|>analysis<|message|>only", "only", "");
    let cohere = "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hello.<|END_RESPONSE|>";
    check(cohere, "hm", "Hello.");
    check("<|START_THINKING|>hm<|END_THINKING|>\nHello.", "hm", "Hello.");
    check("<|START_RESPONSE|>Hello.<|END_RESPONSE|>", "", "Hello.");
    check("<|channel>thought\nhm\n<channel|>Hello.", "hm\n", "Hello.");
    check("<|channel>thought\n<channel|>\nHello.", "", "Hello.");
    check("Its `<|START_THINKING|>` and a <channel> or <|channel> too.", "", {
        "Its `<|START_THINKING|>` and a <channel> or <|channel> too."
    });
    check("The mark <|channel|>final<|message|> is one, <|end|> another, 1 <| 2.", "", {
        "The mark <|channel|>final<|message|> is one, <|end|> another, 1 <| 2."
    });
}

#[test]
fn b_f14_a_closing_tag_that_is_spoken_of_takes_nothing_away() {
    let answer = |reasons: bool, reasoned: bool, whole: &str| {
        let mut think = Think { reasons, reasoned, ..Think::default() };
        let mut steps: Vec<Step> = whole.chars().flat_map(|c| think.push(&c.to_string())).collect();
        steps.extend(think.end(false));
        steps.into_iter().fold(String::new(), |said, step| match step {
            Step::Text(text) => said + &text,
            Step::Unsay => String::new(),
            Step::Thought(_) | Step::Resay(_) => said,
        })
    };
    for mention in [
        "Close it with </think> and go on.",
        "Close it with \"</think>\", then go on.",
        "It ends in </think>\nand goes on.",
        "Say `</think>` here.",
        "So:\n```\n</think>\n```\nand on.",
        "So:\n\n    </think>\n\nand on.",
        "> </think>\nis a quote.",
    ] {
        assert_eq!(answer(false, false, mention), mention);
        assert_eq!(answer(true, true, mention), mention);
    }
    // A model that reasons may end its reasoning anywhere, once.
    assert_eq!(answer(true, false, "Okay.</think>Hello."), "Hello.");
    assert_eq!(answer(true, false, "Say \"</think>\"."), "Say \"</think>\".");
    assert_eq!(answer(false, false, "Okay.\n</think>\n\nHello."), "Hello.");
    // Once it has ended, the tag alone is noise.
    assert_eq!(answer(true, true, "Hello.\n</think>\nYou."), "Hello.\nYou.");
    assert_eq!(answer(false, false, "<think>hm</think>Hello.\n</think>"), "Hello.\n");
}

#[test]
fn b_f14_what_is_said_of_tags_loses_no_word() {
    for whole in [
        "The <think> tag opens.",
        "Use <think> to open and </think> to close it.",
        "Use <think> to open.\n\nThen go on, a line\n\n  or two.",
        "Wrap it as <think>reasoning</think> and then answer.",
        "The format: <think> first </think> then the answer.",
        "There are two. <think> opens, </think> closes.",
        "They are \"<think>\" and \"</think>\", in quotes.",
        "(<think>) and **<think>** and \\<think> and <think/> here",
        "It has <think></think> pairs.",
        "Write <think>so</think>\nand go on.",
        "It ends in <think>",
        "It ends in <think>\n",
        "Tags:\n- <think>: opens it\n- </think>: closes it\n",
        "| <think> | opens |\n| </think> | closes |",
        "So:\n~~~\n<think>x</think>\n~~~\nand on.",
        "Models write [THINK] and [/THINK], or ◁think▷ and ◁/think▷, too.",
    ] {
        let all: Vec<String> = whole.chars().map(String::from).collect();
        let pieces: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!((split(&[whole]).1, split(&pieces).1), (whole.to_string(), whole.to_string()));
    }
}

#[test]
fn b_f14_nested_blocks_are_one() {
    for (whole, said) in [
        ("<think>a <think>b</think> c</think>Hello.", "Hello."),
        ("<think>a<think>b<think>c</think>d</think>e</think>\nHello.", "Hello."),
        ("<think>a <thinking>b</thinking> c</think>\n\nHello.", "Hello."),
        ("<think>I could write <think> here.</think>Hello.", "Hello."),
        ("<think>I could write <think> here.</think>Close it with </think> then.", {
            "Close it with </think> then."
        }),
        ("Hello.\n<think>\nso, </b>\n</think>\nYou.", "Hello.\nYou."),
        ("Hello <think>\nwell\n</think>\nYou.", "Hello You."),
    ] {
        let all: Vec<String> = whole.chars().map(String::from).collect();
        let pieces: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!((split(&[whole]).1, split(&pieces).1), (said.to_string(), said.to_string()), "{whole}");
    }
}
