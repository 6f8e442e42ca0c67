//! What is never granted, and what does not come back: SEC-07, SEC-08, R-05c.
use super::*;

/// SEC-08: what was taken away does not come back by itself.
#[test]
fn a_revoked_token_stays_dead() {
    let f = Fixture::new();
    let token = f.paired(LOCAL).device_token;
    let change = f.pairing.revoke(&id(1), "operator", None, NOW).unwrap();
    assert_eq!(change.close, [Closing { device_id: id(1), role: "operator".into() }]);
    assert_eq!(f.check("operator", READ, &token), Came::InVain);
    assert!(f.pairing.rotate(&id(1), "operator", None, None, NOW).is_err());
    let request = f.waiting(Connect { role: "node", scopes: &[], ..REMOTE }).request_id;
    f.pairing.approve(&request, Some(&strings(&["operator.pairing"])), NOW).unwrap();
    assert_eq!(f.check("operator", READ, &token), Came::InVain);
    let new = f.paired(REMOTE).device_token;
    assert_ne!(new, token);
    assert_eq!(f.check("operator", READ, &token), Came::InVain);
}

#[test]
fn a_removed_device_has_to_ask_again() {
    let f = Fixture::new();
    let token = f.paired(LOCAL).device_token;
    f.waiting(Connect { role: "node", scopes: &[], ..REMOTE });
    let change = f.pairing.remove(&id(1), None, NOW).unwrap();
    assert_eq!(change.close.len(), 2);
    assert_eq!(f.check("operator", READ, &token), Came::InVain);
    assert!(f.pairing.list(NOW).unwrap().pending.is_empty());
    assert_eq!(f.waiting(REMOTE).reason, "not-paired");
    f.paired(Connect { device: 2, ..LOCAL });
    let cleared = f.pairing.clear(true, None, NOW).unwrap();
    assert_eq!(cleared.result, [id(2)]);
    let listing = f.pairing.list(NOW).unwrap();
    assert!(listing.paired.is_empty() && listing.pending.is_empty());
}

/// R-05c: the client that shares the state directory has the new token.
#[test]
fn rotation_reaches_the_local_client() {
    let f = Fixture::new();
    let old = f.paired(LOCAL).device_token;
    tokens::store(
        &f.dir.0,
        &id(1),
        "operator",
        &StoredToken { token: old.clone(), scopes: vec![], gateway: String::new() },
        1,
    )
    .unwrap();
    let change = f.pairing.rotate(&id(1), "operator", None, None, NOW).unwrap();
    assert_eq!(change.close, [Closing { device_id: id(1), role: "operator".into() }]);
    assert_eq!(
        tokens::load(&f.dir.0, &id(1), "operator", tokens::HERE, true).unwrap().token,
        change.result.token
    );
    assert_eq!(f.check("operator", ADMIN, &change.result.token), Came::In);
    assert_eq!(f.check("operator", READ, &old), Came::InVain);
}

/// R-05c: a new token that cannot be stored at the client does not kill the old one.
#[test]
fn a_rotation_that_fails_at_the_client_changes_nothing() {
    let f = Fixture::new();
    let old = f.paired(LOCAL).device_token;
    tokens::store(
        &f.dir.0,
        &id(1),
        "operator",
        &StoredToken { token: old.clone(), scopes: vec![], gateway: String::new() },
        1,
    )
    .unwrap();
    let lock = f.dir.0.join("identity/.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    assert!(f.pairing.rotate(&id(1), "operator", None, None, NOW).is_err());
    assert_eq!(f.check("operator", ADMIN, &old), Came::In);
}

/// Lists of scopes as callers and devices may write them.
fn scope_lists() -> Vec<Vec<String>> {
    let lists: [&[&str]; 12] = [
        &[],
        &[""],
        ADMIN,
        READ,
        &["operator.read", "operator.read"],
        &["operator.write"],
        &["OPERATOR.ADMIN"],
        &["operator.pairing"],
        &["operator.pairing", "operator.read"],
        &["operator.admin ", "operator.*", "*"],
        &["operator.made-up", "operator.read"],
        &["operator.approvals", "operator.pairing", "operator.write"],
    ];
    lists.iter().map(|list| strings(list)).collect()
}

fn token_scopes(f: &Fixture, role: &str) -> Vec<String> {
    let scopes = f.record()["tokens"][role]["scopes"].clone();
    serde_json::from_value(scopes).unwrap_or_default()
}

/// SEC-07: rotation grants no more than the caller holds and the device was approved for.
#[test]
fn rotation_never_grants_more_than_caller_and_approval() {
    for approved in scope_lists() {
        let f = Fixture::new();
        let approved_refs: Vec<&str> = approved.iter().map(String::as_str).collect();
        f.paired(Connect { scopes: &approved_refs, ..LOCAL });
        let (file, before) = (std::fs::read(f.path("paired.json")).unwrap(), f.record());
        for asked in scope_lists().into_iter().map(Some).chain([None]) {
            for caller in scope_lists() {
                std::fs::write(f.path("paired.json"), &file).unwrap();
                let case = format!("approved {approved:?}, asked {asked:?}, caller {caller:?}");
                match f.pairing.rotate(&id(1), "operator", asked.as_deref(), Some(&caller), NOW) {
                    Ok(change) => {
                        let granted = change.result.scopes;
                        assert_eq!(scopes::first_missing(&approved, &granted), None, "{case}: {granted:?}");
                        assert_eq!(scopes::first_missing(&caller, &granted), None, "{case}: {granted:?}");
                        assert_eq!(token_scopes(&f, "operator"), granted, "{case}");
                        assert!(scopes::covers(&caller, "operator.pairing"), "{case}");
                        assert!(
                            asked
                                .as_ref()
                                .is_none_or(|asked| scopes::first_missing(asked, &granted).is_none()),
                            "{case}"
                        );
                    }
                    Err(_) => assert_eq!(f.record(), before, "{case}"),
                }
                assert_eq!(f.record()["roles"], json!(["operator"]), "{case}");
                assert!(f.pairing.rotate(&id(1), "node", asked.as_deref(), None, NOW).is_err(), "{case}");
            }
        }
    }
}

/// SEC-07: approval grants no more than the caller holds and the request asks for, and no other role.
#[test]
fn approval_never_grants_more_than_caller_and_request() {
    for role in scopes::ROLES {
        for asked in scope_lists() {
            let f = Fixture::new();
            let asked_refs: Vec<&str> = asked.iter().map(String::as_str).collect();
            let request = f.waiting(Connect { role, scopes: &asked_refs, ..REMOTE }).request_id;
            let file = std::fs::read(f.path("pending.json")).unwrap();
            for caller in scope_lists() {
                std::fs::write(f.path("pending.json"), &file).unwrap();
                let case = format!("{role} asked {asked:?}, caller {caller:?}");
                if f.pairing.approve(&request, Some(&caller), NOW).is_err() {
                    assert!(!f.path("paired.json").exists(), "{case}");
                    continue;
                }
                let granted: Vec<String> = serde_json::from_value(f.record()["scopes"].clone()).unwrap();
                assert!(granted.iter().all(|scope| asked.contains(scope)), "{case}: {granted:?}");
                assert_eq!(scopes::first_missing(&caller, &granted), None, "{case}: {granted:?}");
                assert!(scopes::covers(&caller, "operator.pairing"), "{case}");
                assert_eq!(token_scopes(&f, role), granted, "{case}");
                assert_eq!(f.record()["roles"], json!([role]), "{case}");
                assert!(role == "operator" || granted.is_empty(), "{case}");
                std::fs::remove_file(f.path("paired.json")).unwrap();
            }
        }
    }
}

/// SEC-07, SEC-08: scopes taken away by a rotation need a new approval.
#[test]
fn narrowed_scopes_do_not_come_back_by_reconnecting() {
    let f = Fixture::new();
    f.paired(LOCAL);
    f.pairing.rotate(&id(1), "operator", Some(&strings(READ)), Some(&strings(ADMIN)), NOW).unwrap();
    assert_eq!(f.waiting(REMOTE).reason, "scope-upgrade");
    f.paired(Connect { scopes: READ, ..REMOTE });
    assert_eq!(token_scopes(&f, "operator"), READ);
    assert!(f.pairing.rotate(&id(1), "operator", Some(&[]), None, NOW).is_err());
}

/// N-39: what the owner has declined is not asked for again at each connect: the device is in with the rest, by the
/// secret and by its token, here as elsewhere. What is new is still a request, and a whole approval grants all.
#[test]
fn n_39_a_device_that_was_granted_less_is_in_with_that() {
    let f = Fixture::new();
    let request = f.waiting(Connect { scopes: ADMIN, ..REMOTE }).request_id;
    assert!(f.pairing.approve_only(&request, Some(&strings(&["operator.made-up"])), None, NOW).is_err());
    f.pairing.approve_only(&request, Some(&strings(READ)), Some(&strings(ADMIN)), NOW).unwrap();
    assert_eq!(f.record()["scopes"], json!(READ));
    assert_eq!(f.record()["declinedScopes"], json!(ADMIN));
    let token = f.paired(Connect { scopes: ADMIN, ..REMOTE }).device_token;
    let by_token = f.admit_with(Connect { scopes: ADMIN, ..REMOTE }, Credential::Tokens(&[&token])).result;
    let Admission::Paired(by_token) = by_token.admission else { panic!("it has to wait") };
    for paired in [by_token, f.paired(Connect { scopes: ADMIN, ..LOCAL })] {
        assert_eq!((paired.device_token, paired.scopes), (token.clone(), strings(READ)));
    }
    assert_eq!(token_scopes(&f, "operator"), READ);
    let more = f.waiting(Connect { scopes: &["operator.read", "operator.pairing"], ..REMOTE });
    assert_eq!((more.reason, more.approved_scopes), ("scope-upgrade", strings(READ)));
    f.pairing.approve(&more.request_id, Some(&strings(ADMIN)), NOW).unwrap();
    assert_eq!(f.record()["declinedScopes"], json!(ADMIN));
    let wide = strings(&["operator.pairing", "operator.read"]);
    assert_eq!(f.paired(Connect { scopes: ADMIN, ..REMOTE }).scopes, wide);
}

/// S-H6: while a token is revoked or rotated, whoever comes by it is either in with that very token or out; nobody is
/// handed its successor, and the revoked one has none.
#[test]
fn s_h6_a_dying_token_buys_no_successor() {
    for rotates in [false, true] {
        for round in 0..20 {
            let f = Fixture::new();
            let token = f.paired(LOCAL).device_token;
            let came = std::thread::scope(|scope| {
                let knock = || {
                    let at = |n: u64| Connect { at: NOW + n * LAST_USED, scopes: READ, ..REMOTE };
                    let decide = |n| f.admit_with(at(n), Credential::Tokens(&[&token])).result.admission;
                    (0..6).map(decide).collect::<Vec<_>>()
                };
                let threads: Vec<_> = (0..6).map(|_| scope.spawn(knock)).collect();
                match rotates {
                    true => drop(f.pairing.rotate(&id(1), "operator", None, None, NOW).unwrap()),
                    false => drop(f.pairing.revoke(&id(1), "operator", None, NOW).unwrap()),
                }
                threads.into_iter().flat_map(|t| t.join().unwrap()).collect::<Vec<_>>()
            });
            for admission in came {
                match admission {
                    Admission::Paired(paired) => assert_eq!(paired.device_token, token, "round {round}"),
                    Admission::Refused => {}
                    Admission::Pending(_) => panic!("pending in round {round}"),
                }
            }
            assert_eq!(f.check("operator", READ, &token), Came::InVain);
            let held = &f.record()["tokens"]["operator"];
            assert_eq!(held["revokedAtMs"].is_u64(), !rotates, "round {round}: {held}");
        }
    }
}

/// More than the step after which the use of a token is written down, so that each connect writes.
const LAST_USED: u64 = 6 * 60 * 1000;

/// S-L3: who holds less than a device neither ends its token, nor removes or narrows it, nor sees its new token.
#[test]
fn s_l3_a_lesser_caller_does_nothing_to_a_greater_device() {
    for (caller, device, may) in [
        (&["operator.pairing"][..], ADMIN, false),
        (&["operator.pairing", "operator.read"], ADMIN, false),
        (&["operator.pairing", "operator.read"], &["operator.write"], false),
        (&["operator.pairing", "operator.write"], READ, true),
        (&["operator.pairing", "operator.read"], READ, true),
        (&["operator.read"], READ, false),
        (ADMIN, ADMIN, true),
    ] {
        let caller = strings(caller);
        let (id, held) = (id(1), Some(caller.as_slice()));
        let fresh = || {
            let f = Fixture::new();
            f.paired(Connect { scopes: device, ..LOCAL });
            f
        };
        let check = |f: &Fixture, done: Result<(), crate::error::Error>, what: &str| {
            assert_eq!(done.is_ok(), may, "{caller:?} {device:?} {what}");
            if let Err(e) = done {
                assert!(e.message().starts_with("missing scope: operator."), "{e}");
                assert!(f.record()["tokens"]["operator"]["revokedAtMs"].is_null(), "{what}");
            }
        };
        let f = fresh();
        check(&f, f.pairing.revoke(&id, "operator", held, NOW).map(drop), "revoke");
        let f = fresh();
        check(&f, f.pairing.remove(&id, held, NOW).map(drop), "remove");
        for target in [None, Some(strings(READ))] {
            let f = fresh();
            let before = f.record();
            check(&f, f.pairing.rotate(&id, "operator", target.as_deref(), held, NOW).map(drop), "rotate");
            assert_eq!(f.record() == before, !may);
        }
    }
    // Of a record that cannot be read nobody knows what it grants.
    let f = Fixture::new();
    f.write("paired.json", &json!({"x": {"tokens": 7}}));
    assert!(f.pairing.remove("x", Some(&strings(&["operator.pairing"])), NOW).is_err());
    f.pairing.remove("x", Some(&strings(ADMIN)), NOW).unwrap();
}
