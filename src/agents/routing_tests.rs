//! Routing by tables: bindings, direct chats, groups and threads.
use super::*;
use crate::config::testing::Dir;

fn routed(config: &str, inbound: &Inbound) -> Result<Route> {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    let mut env = dir.env(&[]);
    let config = Config::inspect(&mut env);
    route(&config, &Agents::of(&config, &env), inbound)
}

fn dm<'a>(channel: &'a str, peer: &'a str) -> Inbound<'a> {
    Inbound { channel, peer, ..Inbound::default() }
}

fn group<'a>(channel: &'a str, peer: &'a str) -> Inbound<'a> {
    let has_topics = channel == "telegram";
    Inbound { channel, peer, kind: PeerKind::Group, has_topics, ..Inbound::default() }
}

#[test]
fn direct_chats_share_what_the_scope_says() {
    let links = "identityLinks: {Alice: ['telegram:55', 'DISCORD:9'], bob: ['77']}";
    let check = |scope: &str, inbound: Inbound, want: &str| {
        let config = format!("{{session: {{dmScope: '{scope}', {links}}}}}");
        assert_eq!(routed(&config, &inbound).unwrap().session_key, want, "{scope} {inbound:?}");
    };
    check("main", dm("telegram", "55"), "agent:main:main");
    check("per-peer", dm("telegram", "AbC"), "agent:main:direct:abc");
    check("per-peer", dm("telegram", "55"), "agent:main:direct:alice");
    check("per-peer", dm("discord", "9"), "agent:main:direct:alice");
    check("per-peer", dm("slack", "9"), "agent:main:direct:9");
    check("per-channel-peer", dm("Slack", "77"), "agent:main:slack:direct:bob");
    check("per-channel-peer", dm("whatsapp", "+15551230001"), "agent:main:whatsapp:direct:+15551230001");
    check("per-account-channel-peer", dm("irc", "x"), "agent:main:irc:default:direct:x");
    let own = Inbound { account: "My Phone!", ..dm("irc", "x") };
    check("per-account-channel-peer", own, "agent:main:irc:my-phone:direct:x");
    let odd = Inbound { account: "!!", ..dm("irc", "x") };
    check("per-account-channel-peer", odd, "agent:main:irc:default:direct:x");
    // Senders without an id never land in the owner's session.
    check("per-peer", dm("irc", " "), "agent:main:direct:unknown");
    check("per-channel-peer", dm("", ""), "agent:main:unknown:direct:unknown");
}

#[test]
fn groups_and_threads_have_their_own() {
    let check = |inbound: Inbound, want: &str| {
        assert_eq!(routed("{}", &inbound).unwrap().session_key, want, "{inbound:?}");
    };
    check(group("telegram", "-100"), "agent:main:telegram:group:-100");
    check(Inbound { thread: "7", ..group("telegram", "-100") }, "agent:main:telegram:group:-100:topic:7");
    check(Inbound { thread: "T1.5", ..group("slack", "G1") }, "agent:main:slack:group:g1:thread:t1.5");
    check(Inbound { kind: PeerKind::Channel, ..dm("discord", "99") }, "agent:main:discord:channel:99");
    check(Inbound { thread: "7", ..dm("telegram", "5") }, "agent:main:main:thread:7");
    check(group("irc", ""), "agent:main:irc:group:unknown");
}

#[test]
fn the_global_scope_has_one_main_session() {
    let config = "{session: {scope: 'global', dmScope: 'main'}, agents: {list: [{id: 'ops'}]}}";
    let got = routed(config, &Inbound { thread: "7", ..dm("telegram", "5") }).unwrap();
    assert_eq!(
        (got.session_key.as_str(), got.main_key.as_str(), got.agent.as_str()),
        ("global", "global", "ops")
    );
    assert_eq!(routed(config, &group("irc", "#a")).unwrap().session_key, "agent:ops:irc:group:#a");
}

const BOUND: &str = r##"{
  agents: {list: [{id: "home", default: true}, {id: "chan"}, {id: "acct"}, {id: "peer"}, {id: "guild"},
                  {id: "team"}, {id: "mods"}, {id: "topic"}, {id: "both"}]},
  bindings: [
    {agentId: "chan", match: {channel: "telegram", accountId: "*"}},
    {agentId: "acct", match: {channel: "Telegram"}},
    {agentId: "acct", match: {channel: "discord", accountId: "biz"}},
    {agentId: "guild", match: {channel: "discord", accountId: "*", guildId: "g1"}},
    {agentId: "mods", match: {channel: "discord", guildId: "g1", roles: ["mod"]}},
    {agentId: "both", match: {channel: "discord", guildId: "g1", peer: {kind: "channel", id: "c1"}}},
    {agentId: "team", match: {channel: "slack", teamId: "t1"}},
    {agentId: "peer", match: {channel: "telegram", accountId: "*", peer: {kind: "dm", id: "55"}}},
    {agentId: "peer", match: {channel: "telegram", peer: {kind: "group", id: "-100"}}},
    {agentId: "topic", match: {channel: "telegram", peer: {kind: "group", id: "-100:topic:7"}}},
    {agentId: "gone", match: {channel: "matrix"}},
    {agentId: "chan", match: {channel: "matrix"}},
  ],
}"##;

#[test]
fn the_most_particular_binding_wins() {
    let check = |inbound: Inbound, agent: &str, by: &str| {
        let got = routed(BOUND, &inbound).unwrap();
        assert_eq!((got.agent.as_str(), got.matched_by), (agent, by), "{inbound:?}");
        let prefix = format!("agent:{agent}:");
        assert!(got.session_key.starts_with(&prefix) && got.main_key == format!("{prefix}main"), "{got:?}");
    };
    check(dm("telegram", "1"), "acct", "account");
    check(Inbound { account: "second", ..dm("telegram", "1") }, "chan", "channel");
    check(dm("TELEGRAM", "55"), "peer", "peer");
    check(Inbound { account: "second", ..dm("telegram", "55") }, "peer", "peer");
    check(group("telegram", "55"), "acct", "account");
    check(group("telegram", "-100"), "peer", "peer");
    check(Inbound { account: "second", ..group("telegram", "-100") }, "chan", "channel");
    check(Inbound { thread: "7", ..group("telegram", "-100") }, "topic", "peer");
    check(Inbound { thread: "8", ..group("telegram", "-100") }, "peer", "peer");
    check(dm("discord", "1"), "home", "default");
    check(Inbound { account: "biz", ..dm("discord", "1") }, "acct", "account");
    check(Inbound { guild: "g1", account: "biz", ..group("discord", "1") }, "guild", "guild");
    check(Inbound { guild: "g1", roles: &["mod"], ..group("discord", "1") }, "mods", "roles");
    let channel = Inbound { kind: PeerKind::Channel, guild: "g1", ..dm("discord", "c1") };
    check(channel.clone(), "both", "peer");
    // Every condition counts: the channel of another server is another channel.
    check(Inbound { guild: "g2", ..channel.clone() }, "home", "default");
    check(Inbound { peer: "t9", parent: Some((PeerKind::Channel, "c1")), ..channel }, "both", "parent");
    check(Inbound { team: "t1", ..group("slack", "x") }, "team", "team");
    check(group("slack", "x"), "home", "default");
    // The first of equals; its agent does not exist, so the default one answers.
    check(dm("matrix", "@a:b.c"), "home", "account");
    check(dm("", "1"), "home", "default");
}

#[test]
fn mistakes_in_the_configuration_mix_nobodys_messages() {
    let error = routed("{bindings: 7}", &dm("telegram", "1")).unwrap_err();
    assert!(error.message().contains("bindings"), "{error}");
    let alone = "agent:main:telegram:default:direct:1";
    // B2-1: only what decides about direct chats moves them.
    for (session, key) in [
        ("dmScope: 'nonsense'", alone),
        ("dmScope: 'per-peer', identityLinks: [1]", alone),
        ("identityLinks: [1]", "agent:main:main"),
        ("sendPolicy: {rules: 5}", "agent:main:main"),
    ] {
        let got = routed(&format!("{{session: {{{session}}}}}"), &dm("telegram", "1")).unwrap();
        assert_eq!(got.session_key, key, "{session}");
    }
}

#[test]
fn hostile_peers_name_no_session() {
    for peer in ["a\0b", "a\nb", "x".repeat(300).as_str()] {
        assert!(routed("{}", &group("irc", peer)).is_err(), "{peer:?}");
    }
    // The agent id is the only part that names a directory.
    let got = routed("{}", &group("../..", "../../etc")).unwrap();
    assert_eq!(got.session_key, "agent:main:../..:group:../../etc");
}
