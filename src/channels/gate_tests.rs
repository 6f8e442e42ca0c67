//! Every row of who may talk, as a table: configuration, chat, sender, what he does, verdict.
use super::*;
use crate::config::testing::Dir;
use crate::json::json;

const DM: Chat = Chat::Direct;
const GROUP: Chat = Chat::Group { id: "-1", topic: None };
const OTHER: Chat = Chat::Group { id: "-9", topic: None };
const TOPIC: Chat = Chat::Group { id: "-1", topic: Some(5) };
const OWNER: &str = "owner";
const GUEST: &str = "guest";
const TG: &str = "channels.telegram";

/// The verdict in a word; of a drop its reason and key, the channel's path left out.
fn word(telegram: &str, more: &str, chat: Chat, sender: u64, kind: Kind) -> String {
    let dir = Dir::new();
    let config = dir.config(&format!("{{channels: {{telegram: {{{telegram}}}}}{more}}}"));
    let account = Account::of(&config, "telegram", "default");
    // 50 was let in by pairing first, 51 later.
    let paired = Senders::of("telegram", json!(["50", "51"]).as_array().unwrap());
    let sender = (sender > 0).then_some(Who::Number(sender));
    match judge(&account, &Asking { chat, sender, kind }, &paired) {
        Verdict::Admit(Provenance::Owner) => OWNER.into(),
        Verdict::Admit(Provenance::Guest) => GUEST.into(),
        Verdict::Admit(other) => panic!("{other:?}"),
        Verdict::Pair => "pair".into(),
        Verdict::Drop(dropped) => {
            let key = dropped.key.strip_prefix(TG).unwrap_or(&dropped.key);
            format!("{} {}", dropped.reason.name(), key.trim_start_matches('.'))
        }
    }
}

fn check(rows: &[(&str, Chat, u64, Kind, &str)]) {
    for (telegram, chat, sender, kind, want) in rows {
        assert_eq!(word(telegram, "", *chat, *sender, *kind), *want, "{telegram} {chat:?} {sender} {kind:?}");
    }
}

#[test]
fn direct_chats() {
    use Kind::*;
    check(&[
        ("dmPolicy: 'disabled', allowFrom: [1]", DM, 1, Message, "direct-disabled dmPolicy"),
        ("dmPolicy: 'open', allowFrom: ['*']", DM, 1, Message, GUEST),
        ("dmPolicy: 'open', allowFrom: ['*', 1]", DM, 1, Message, OWNER),
        ("dmPolicy: 'open', allowFrom: ['*', 1]", DM, 2, Command, GUEST),
        ("dmPolicy: 'allowlist', allowFrom: [1]", DM, 1, Message, OWNER),
        ("dmPolicy: 'allowlist', allowFrom: ['TG:1']", DM, 1, Message, OWNER),
        ("dmPolicy: 'allowlist', allowFrom: ['*']", DM, 2, Message, GUEST),
        ("dmPolicy: 'allowlist', allowFrom: [1]", DM, 2, Message, "sender-not-allowed allowFrom"),
        ("dmPolicy: 'allowlist', allowFrom: ['@ann', 'ann']", DM, 2, Message, "sender-not-allowed allowFrom"),
        ("dmPolicy: 'allowlist', allowFrom: []", DM, 2, Message, "sender-not-allowed allowFrom"),
        ("dmPolicy: 'allowlist'", DM, 50, Message, OWNER),
        ("", DM, 50, Message, OWNER),
        ("", DM, 51, Message, GUEST),
        ("allowFrom: [1]", DM, 50, Message, GUEST),
        ("", DM, 2, Message, "pair"),
        ("allowFrom: [1]", DM, 2, Message, "pair"),
        ("", DM, 0, Message, "sender-not-allowed allowFrom"),
    ]);
}

#[test]
fn sec_33_one_gate_for_all_kinds() {
    use Kind::*;
    let closed = "groups: {'-1': {}}, allowFrom: [1]";
    let list = "sender-not-allowed groupAllowFrom";
    for kind in [Message, Edit, Command, Callback, Reaction, Inline] {
        assert_eq!(word(closed, "", GROUP, 1, kind), OWNER, "{kind:?}");
        assert_eq!(word(closed, "", GROUP, 2, kind), list, "{kind:?}");
        assert_eq!(word("", "", DM, 50, kind), OWNER, "{kind:?}");
        let stranger = if kind == Message { "pair" } else { "sender-not-allowed allowFrom" };
        assert_eq!(word("", "", DM, 2, kind), stranger, "{kind:?}");
    }
}

#[test]
fn groups() {
    use Kind::Message;
    check(&[
        // The default is `allowlist`, and who was paired is in no list of a group (D8).
        ("", GROUP, 50, Message, "sender-not-allowed groupAllowFrom"),
        ("groups: {'-1': {}}", GROUP, 50, Message, "sender-not-allowed groupAllowFrom"),
        ("groupAllowFrom: [3]", GROUP, 3, Message, GUEST),
        ("groupAllowFrom: [3], allowFrom: [1]", GROUP, 1, Message, "sender-not-allowed groupAllowFrom"),
        ("groupAllowFrom: ['*']", GROUP, 2, Message, GUEST),
        ("groupAllowFrom: [], allowFrom: [1]", GROUP, 1, Message, "sender-not-allowed groupAllowFrom"),
        ("groupAllowFrom: ['-1']", GROUP, 2, Message, "sender-not-allowed groupAllowFrom"),
        ("groupAllowFrom: ['ann']", GROUP, 2, Message, "sender-not-allowed groupAllowFrom"),
        ("allowFrom: [1]", GROUP, 1, Message, OWNER),
        // All who may write directly are not all who may in groups.
        ("dmPolicy: 'open', allowFrom: ['*', 1]", GROUP, 2, Message, "sender-not-allowed groupAllowFrom"),
        ("groupPolicy: 'open'", GROUP, 2, Message, GUEST),
        ("groupPolicy: 'open'", GROUP, 0, Message, GUEST),
        ("groupAllowFrom: [3]", GROUP, 0, Message, "sender-not-allowed groupAllowFrom"),
        ("groupPolicy: 'disabled', groupAllowFrom: [3]", GROUP, 3, Message, "groups-disabled groupPolicy"),
        ("groupPolicy: 'open', groups: {'-1': {}}", OTHER, 2, Message, "not-allowed groups.-9"),
        ("groupPolicy: 'open', groups: {}", OTHER, 2, Message, "not-allowed groups.-9"),
        ("groupPolicy: 'open', groups: {'*': {}}", OTHER, 2, Message, GUEST),
        (
            "groupPolicy: 'open', groups: {'-1': {enabled: false}}",
            GROUP,
            2,
            Message,
            "group-disabled groups.-1.enabled",
        ),
        (
            "groupPolicy: 'open', groups: {'*': {enabled: false}, '-1': {}}",
            OTHER,
            2,
            Message,
            "group-disabled groups.*.enabled",
        ),
        (
            "groupPolicy: 'open', groups: {'*': {enabled: false}, '-1': {enabled: true}}",
            GROUP,
            2,
            Message,
            GUEST,
        ),
        ("groups: {'-1': {groupPolicy: 'open'}}", GROUP, 2, Message, GUEST),
        (
            "groups: {'-1': {groupPolicy: 'disabled'}}, allowFrom: [1]",
            GROUP,
            1,
            Message,
            "groups-disabled groups.-1.groupPolicy",
        ),
    ]);
    let defaults = ", 'defaults': {groupPolicy: 'disabled'}";
    let common =
        |own: &str| word(&format!("{own}}}{}", defaults.trim_end_matches('}')), "", GROUP, 1, Message);
    assert_eq!(common("allowFrom: [1]"), "groups-disabled channels.defaults.groupPolicy");
    assert_eq!(common("allowFrom: [1], groupPolicy: 'allowlist'"), OWNER);
}

#[test]
fn d8_lists_of_groups_and_topics_stand_for_the_accounts() {
    use Kind::Message;
    check(&[
        ("groupAllowFrom: [3], groups: {'-1': {allowFrom: [4]}}", GROUP, 4, Message, GUEST),
        (
            "groupAllowFrom: [3], groups: {'-1': {allowFrom: [4]}}",
            GROUP,
            3,
            Message,
            "sender-not-allowed groups.-1.allowFrom",
        ),
        (
            "groupPolicy: 'open', groups: {'-1': {allowFrom: [4]}}",
            GROUP,
            3,
            Message,
            "sender-not-allowed groups.-1.allowFrom",
        ),
        (
            "groupPolicy: 'open', groups: {'-1': {allowFrom: []}}",
            GROUP,
            3,
            Message,
            "sender-not-allowed groups.-1.allowFrom",
        ),
        ("groups: {'-1': {allowFrom: []}}", GROUP, 50, Message, "sender-not-allowed groups.-1.allowFrom"),
        ("groups: {'-1': {allowFrom: [4], topics: {'5': {allowFrom: [6]}}}}", TOPIC, 6, Message, GUEST),
        (
            "groups: {'-1': {allowFrom: [4], topics: {'5': {allowFrom: [6]}}}}",
            TOPIC,
            4,
            Message,
            "sender-not-allowed groups.-1.topics.5.allowFrom",
        ),
        ("groups: {'-1': {allowFrom: [4], topics: {'5': {}}}}", TOPIC, 4, Message, GUEST),
        (
            "groups: {'-1': {allowFrom: [4], topics: {'5': {enabled: false}}}}",
            TOPIC,
            4,
            Message,
            "topic-disabled groups.-1.topics.5.enabled",
        ),
        (
            "groups: {'-1': {groupPolicy: 'disabled', topics: {'5': {groupPolicy: 'open'}}}}",
            TOPIC,
            4,
            Message,
            GUEST,
        ),
    ]);
}

#[test]
fn commands_and_buttons_ask_for_more() {
    use Kind::{Callback, Command, Message};
    let open = "groupPolicy: 'open', allowFrom: [1]";
    check(&[
        (open, GROUP, 2, Message, GUEST),
        (open, GROUP, 2, Command, "sender-not-allowed groupAllowFrom"),
        (open, GROUP, 1, Command, OWNER),
        (open, GROUP, 2, Callback, "sender-not-allowed groupAllowFrom"),
        (open, GROUP, 1, Callback, OWNER),
    ]);
    assert_eq!(word(open, ", commands: {useAccessGroups: false}", GROUP, 2, Command), GUEST);
    let buttons = |scope: &str, chat, sender| {
        word(&format!("{open}, capabilities: {scope}"), "", chat, sender, Callback)
    };
    let off = "buttons-off capabilities.inlineButtons";
    for (scope, chat, sender, want) in [
        ("{inlineButtons: 'off'}", GROUP, 1, off),
        ("{inlineButtons: 'dm'}", GROUP, 1, off),
        ("{inlineButtons: 'dm'}", DM, 1, OWNER),
        ("{inlineButtons: 'dm'}", DM, 2, "sender-not-allowed allowFrom"),
        ("{inlineButtons: 'group'}", GROUP, 2, GUEST),
        ("{inlineButtons: 'group'}", DM, 1, off),
        ("{inlineButtons: 'all'}", GROUP, 2, GUEST),
        ("{inlineButtons: 'all'}", DM, 1, OWNER),
        ("{inlineButtons: 'allowlist'}", GROUP, 2, "sender-not-allowed groupAllowFrom"),
        ("['inlineButtons']", GROUP, 2, GUEST),
        ("[]", GROUP, 1, "buttons-off capabilities"),
    ] {
        assert_eq!(buttons(scope, chat, sender), want, "{scope} {chat:?} {sender}");
    }
}

#[test]
fn sec_34_the_owner_is_who_is_listed_as_one() {
    use Kind::Message;
    let owners = ", commands: {ownerAllowFrom: ['telegram:3', 'discord:1', '@ann', '*']}";
    for (sender, want) in [(3, OWNER), (1, GUEST), (50, GUEST)] {
        assert_eq!(word("allowFrom: [1, 3]", owners, DM, sender, Message), want, "{sender}");
    }
    assert_eq!(word("", ", commands: {ownerAllowFrom: []}", DM, 50, Message), OWNER);
    assert_eq!(word("allowFrom: [1], groupPolicy: 'open'", "", GROUP, 0, Message), GUEST);
}

#[test]
fn a_section_with_a_mistake_lets_in_nobody() {
    let dir = Dir::new();
    let config = dir.config("{channels: {telegram: {dmPolicy: 'open', botToken: 'x'}}}");
    let account = Account::of(&config, "telegram", "default");
    let asking = Asking { chat: DM, sender: Some(Who::Number(50)), kind: Kind::Message };
    let paired = Senders::of("telegram", &[json!("50")]);
    let Verdict::Drop(dropped) = judge(&account, &asking, &paired) else { panic!("let in") };
    assert_eq!((dropped.reason, dropped.key.as_str()), (Reason::Mistake, "channels.telegram.dmPolicy"));
}

/// B-F25: what cannot be read of one group shuts that group, and whatever else it may have kept apart.
#[test]
fn b_f25_a_group_with_a_mistake_is_shut_alone() {
    use Kind::Message;
    for bad in ["groupPolicy: 'nope'", "allowFrom: {}", "topics: {'5': {allowFrom: {}}}"] {
        let groups = format!("allowFrom: [1], groupPolicy: 'open', groups: {{'-1': {{{bad}}}, '*': {{}}}}");
        let shut = format!("config-mistake groups.-1.{}", bad.split(": ").next().unwrap());
        for (chat, sender) in [(GROUP, 1), (GROUP, 2), (TOPIC, 1)] {
            assert!(word(&groups, "", chat, sender, Message).starts_with(&shut), "{groups}");
        }
        assert_eq!(word(&groups, "", DM, 1, Message), OWNER, "{groups}");
        assert_eq!(word(&groups, "", OTHER, 2, Message), GUEST, "{groups}");
        // What all inherit may have been a restriction of each.
        let all = format!("allowFrom: [1], groupPolicy: 'open', groups: {{'-1': {{}}, '*': {{{bad}}}}}");
        assert!(word(&all, "", GROUP, 2, Message).starts_with("config-mistake groups.*."), "{all}");
        assert_eq!(word(&all, "", DM, 1, Message), OWNER, "{all}");
    }
    assert_eq!(word("allowFrom: [1], groups: {'-1': 7}", "", GROUP, 1, Message), "config-mistake groups.-1");
}

#[test]
fn sec_33_34_texts_are_ids_elsewhere_and_owners_are_named_with_their_channel() {
    let dir = Dir::new();
    let text = "{channels: {signal: {allowFrom: ['+1', '+2'], groups: {g: {}}, groupAllowFrom: ['+2']}}, \
                commands: {ownerAllowFrom: ['+1', 'signal:+2']}}";
    let config = dir.config(text);
    let account = Account::of(&config, "signal", "default");
    let paired = Senders::of("signal", &[json!("+3")]);
    let judge = |chat, id| {
        judge(&account, &Asking { chat, sender: Some(Who::Text(id)), kind: Kind::Message }, &paired)
    };
    assert_eq!(judge(DM, "+1"), Verdict::Admit(Provenance::Guest));
    assert_eq!(judge(DM, "+2"), Verdict::Admit(Provenance::Owner));
    assert_eq!(judge(DM, "+4"), Verdict::Pair);
    assert!(matches!(judge(Chat::Group { id: "g", topic: None }, "+1"), Verdict::Drop(_)));
    assert_eq!(judge(Chat::Group { id: "g", topic: None }, "+2"), Verdict::Admit(Provenance::Owner));
}
