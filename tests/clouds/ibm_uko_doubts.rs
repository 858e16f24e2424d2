//! UKO's bad days: lost answers, gateways, thin lists, refused tokens.
//!
//! In: a box with faults. Out: doubt where doubt is due. Never: asserts an order of calls.

use serde_json::{Value, json};
use uko_operator::clouds::http::Class;

use super::{
    Ibm,
    uko::{client, draft},
};

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_open_and_the_list_finds_the_keystore() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let draft = draft(&ibm, &vault, "payments-azure");
    for fault in [
        json!({"drop": "after"}),
        json!({"status": 502, "body": "<html>", "apply": true}),
        json!({"status": 201, "body": "{\"id\":", "apply": true}),
    ] {
        let mut rule = json!({"service": "uko", "method": "POST"});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        ibm.fault(rule);
        ibm.patch(&json!({"ibm": {"switches": {"duplicateNames": "allowed"}}}));
        let error = uko.writer().create_keystore(&draft).await.unwrap_err();
        assert!(error.outcome_unknown, "{fault}");
        assert_eq!(error.class, Class::Transient, "{fault}");
    }
    let found = uko.keystores(&vault).await.unwrap();
    assert_eq!(found.len(), 3, "each was carried out, none was repeated");
    assert!(found.iter().all(|keystore| keystore.description == draft.description));
}

#[tokio::test]
async fn a_gateways_404_does_not_make_a_keystore_look_removed() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let made = uko.writer().create_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    ibm.fault(json!({"service": "uko", "path": "/keystores/", "status": 404, "body": "<html>no backend</html>"}));
    let error = uko.keystore(&vault, &made.id).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, "AnswerUnreadable"));
    let gone = "00000000-0000-4000-8000-00000000dead".into();
    assert_eq!(uko.keystore(&vault, &gone).await.unwrap(), None);
    let error = uko.status(&vault, &gone).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::NotFound, "KeystoreNotFound"));
}

#[tokio::test]
async fn a_thin_list_is_read_and_a_broken_one_is_not_empty() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    uko.writer().create_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    ibm.patch(&json!({"ibm": {"switches": {"sparseLists": true}}}));
    let thin = uko.keystores(&vault).await.unwrap();
    assert_eq!((thin.len(), &thin[0].azure_service_name, &thin[0].status), (1, &None, &None));
    for body in [json!({}), json!({"total_count": 0}), json!("<html>"), json!([])] {
        ibm.fault(json!({"service": "uko", "status": 200, "body": body}));
        assert_eq!(uko.keystores(&vault).await.unwrap_err().reason, "AnswerUnreadable", "{body}");
    }
}

#[tokio::test]
async fn a_list_whose_next_page_is_the_same_page_is_not_read_for_ever() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let page = json!({"total_count": 9, "limit": 1000, "offset": 0, "keystores": [{"id": "k", "name": "n"}],
        "next": {"href": "https://evil.example/api/v4/keystores?offset=0"}});
    ibm.fault(json!({"service": "uko", "status": 200, "count": -1, "body": page}));
    assert_eq!(uko.keystores(&vault).await.unwrap_err().reason, "AnswerUnreadable");
    let asked: Vec<Value> = ibm.calls("uko");
    assert_eq!(asked.len(), 1);
    assert!(ibm.calls("unknown").is_empty(), "a link is never followed to another host");
}

#[tokio::test]
async fn a_list_whose_link_is_lost_is_still_read_to_its_end() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    for name in ["payments-azure", "billing-azure"] {
        uko.writer().create_keystore(&draft(&ibm, &vault, name)).await.unwrap();
    }
    let both = uko.keystores(&vault).await.unwrap();
    assert_eq!(both.len(), 2);
    for next in [json!(null), json!("more"), json!({"href": "/api/v4/keystores"})] {
        let first = json!({"id": both[0].id.as_str(), "name": both[0].name});
        let page = json!({"total_count": 2, "keystores": [first], "next": next});
        ibm.fault(json!({"service": "uko", "status": 200, "body": page}));
        let found = uko.keystores(&vault).await.unwrap();
        let ids: Vec<_> = found.iter().map(|keystore| &keystore.id).collect();
        assert_eq!(ids, [&both[0].id, &both[1].id], "{next}");
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_then_denied() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    ibm.fault(json!({"service": "uko", "status": 401}));
    assert!(uko.vault(&vault).await.unwrap().is_some());
    ibm.fault(json!({"service": "uko", "status": 401, "count": -1}));
    let error = uko.vault(&vault).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Denied, "UkoTokenRejected"));
}

#[tokio::test]
async fn a_login_page_in_front_of_uko_refuses_no_token() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    ibm.fault(json!({"service": "uko", "status": 401, "count": -1, "body": "<html>Sign in</html>"}));
    let error = uko.vault(&vault).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, "UkoUnavailable"));
}

#[tokio::test]
async fn outage_throttling_and_missing_rights_read_as_what_they_are() {
    for (fault, class, reason) in [
        (json!({"status": 503, "count": -1}), Class::Transient, "UkoUnavailable"),
        (json!({"status": 429, "retry_after": 3}), Class::Throttled, "UkoThrottled"),
        (json!({"status": 403}), Class::AwaitingPerson, "UkoPermissionDenied"),
        (json!({"status": 404, "count": -1}), Class::NotFound, "UkoInstanceNotFound"),
        (
            json!({"status": 302, "headers": {"Location": "https://evil.example/"}}),
            Class::AwaitingPerson,
            "RedirectRefused",
        ),
    ] {
        let ibm = Ibm::start().await;
        let (uko, _) = client(&ibm);
        let mut rule = json!({"service": "uko"});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        ibm.fault(rule);
        let error = uko.vaults_named("payments").await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{fault}");
        assert!(ibm.calls("unknown").is_empty());
    }
}
