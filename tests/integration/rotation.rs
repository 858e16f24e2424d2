//! Credentials that change while everything runs: the new one is used at once, the old one is called safe only when it is.

use serde_json::{Value, json};

use crate::{
    harness::{
        World,
        fixture::{at, sample, set},
        story::{CONNECTION, ENDPOINT, STAGES, Told, connection, endpoint, text},
    },
    variants::{secret, self_managed},
};

const NEW: &str = "a-new~client-secret";

/// A patch of the client secrets of an application: `operator` or `servicePrincipal`.
fn secrets_of(world: &World, who: &str, secrets: &Value) -> Value {
    let seed = |pointer: &str| at(&world.fixture.seed, pointer).as_str().unwrap().to_owned();
    let (tenant, client) = (seed("/azure/tenantId"), seed(&format!("/azure/{who}/clientId")));
    json!({"azure": {"tenants": {tenant: {"applications": {client: {"secrets": secrets}}}}}})
}

async fn ready_world(name: &str) -> World {
    let world = World::start(name).await;
    world.apply_fixture().await;
    world.is_ready().await;
    world
}

fn told(reason: &'static str) -> Told {
    connection("CredentialsValid", reason).ready("True/KeysCanFlow").at_rest().still(&STAGES)
}

/// Changes of the keystore since `seq`, as the bodies of the requests.
async fn patches(world: &World, seq: u64) -> Vec<Value> {
    let all = world.cloud.requests_after(seq).await;
    let patch = |one: &&Value| text(one, "/service") == "uko" && text(one, "/method") == "PATCH";
    all.iter().filter(patch).map(|one| one["request_body"].clone()).collect()
}

/// Requests for a token since `seq`.
async fn tokens(world: &World, seq: u64, service: &str, path: &str) -> usize {
    let all = world.cloud.requests_after(seq).await;
    let asked = |one: &&Value| text(one, "/service") == service && text(one, "/url").contains(path);
    all.iter().filter(asked).count()
}

async fn event(world: &World, start: &str) -> usize {
    world
        .eventually(start, async || {
            let events = world.events().await;
            let found = events.iter().filter(|event| event.starts_with(start)).count();
            if found > 0 { Ok(found) } else { Err(format!("{events:?}")) }
        })
        .await
}

#[tokio::test]
async fn another_secret_is_proven_then_patched_then_called_the_one_in_use() {
    let world = ready_world("rotate-reference").await;
    world.cloud.patch(&secrets_of(&world, "servicePrincipal", &json!({"second": {"value": NEW}}))).await;
    let mut next = sample("rotated-secret.example.yaml").remove(0);
    set(&mut next, "/stringData/clientSecret", json!(NEW));
    world.apply_value(&next).await.unwrap();
    let before = world.cloud.last_request().await;
    let reference = json!({"azure": {"servicePrincipal": {"passwordSecretRef": {"name": "payments-sp-2"}}}});
    world.change_connection(reference).await;
    let object = world
        .hears(
            told("True/CredentialsRotated")
                .says(&["payments-sp-2", "the earlier one, of the Secret payments-sp, may be revoked"]),
        )
        .await;
    let held = &object["status"]["uko"]["credentials"];
    assert_eq!((text(held, "/secretName"), text(held, "/previousSecretName")), ("payments-sp-2", "payments-sp"));
    assert!(text(held, "/provenAt") >= text(held, "/since"), "{held}");
    let sent = patches(&world, before).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    let members: Vec<&String> = sent[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["azure_service_principal_password"], "in a change of its own");
    let asked = world.cloud.requests_after(before).await;
    let place = |service: &str, method: &str| {
        asked.iter().position(|one| text(one, "/service") == service && text(one, "/method") == method).unwrap()
    };
    assert!(place("entra", "POST") < place("uko", "PATCH"), "proven with Entra before UKO gets it");
    assert_eq!(event(&world, "Normal CredentialsRotated").await, 1);

    world.cloud.patch(&secrets_of(&world, "servicePrincipal", &json!({"first": null}))).await;
    world.looks_again(CONNECTION).await;
    world.connection_is_ready().await;
    world.is_discreet().await;
}

#[tokio::test]
async fn a_new_secret_that_entra_refuses_stays_away_from_uko_and_the_old_one_is_kept() {
    let world = ready_world("rotate-refused").await;
    let before = world.cloud.last_request().await;
    world.put_secret("payments-sp", "clientSecret", Some("mistyped")).await;
    let refused = connection("CredentialsValid", "False/ClientSecretInvalid").stalled();
    world.hears(refused.says(&["UKO still uses", "from the Secret payments-sp", "do not revoke that one yet"])).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(patches(&world, before).await, Vec::<Value>::new());
    let health = &world.get(CONNECTION, "payments").await.unwrap()["status"]["uko"]["health"];
    assert_eq!(health, "ok", "UKO goes on with the one that it has");

    world.cloud.patch(&secrets_of(&world, "servicePrincipal", &json!({"second": {"value": NEW}}))).await;
    world.put_secret("payments-sp", "clientSecret", Some(NEW)).await;
    world.hears(told("True/CredentialsRotated").says(&["the earlier one may be revoked"])).await;
}

#[tokio::test]
async fn a_new_secret_that_uko_refuses_leaves_the_old_one_in_use() {
    let world = ready_world("rotate-uko").await;
    world.cloud.patch(&secrets_of(&world, "servicePrincipal", &json!({"second": {"value": NEW}}))).await;
    let body = json!({"errors": [{"code": "invalid_field", "message": "no", "target": {"type": "field", "name": "azure_service_principal_password"}}]});
    world.cloud.fault(&json!({"service": "uko", "method": "PATCH", "count": -1, "status": 400, "body": body})).await;
    world.put_secret("payments-sp", "clientSecret", Some(NEW)).await;
    let object = world
        .hears(connection("KeystoreConnected", "False").ready("False").says(&[
            "passwordSecretRef",
            "UKO still uses",
            "do not revoke that one yet",
        ]))
        .await;
    assert_eq!(object["status"]["uko"]["credentials"].get("previousSecretName"), None);

    world.cloud.no_faults().await;
    world.looks_again(CONNECTION).await;
    world.hears(told("True/CredentialsRotated")).await;
}

#[tokio::test]
async fn the_operators_own_credentials_are_used_as_soon_as_they_change() {
    let world = ready_world("rotate-operator").await;
    // The old ones end with the change, so that only the new ones can work.
    let before = world.cloud.last_request().await;
    world.cloud.patch(&secrets_of(&world, "operator", &json!({"first": null, "second": {"value": NEW}}))).await;
    world.put_secret("azure-operator", "clientSecret", Some(NEW)).await;
    world
        .eventually("a token with the new secret", async || match tokens(&world, before, "entra", "/token").await {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        })
        .await;
    world.connection_is_ready().await;

    world.put_secret("azure-operator", "clientSecret", Some("mistyped")).await;
    let who = "The operator's Azure identity (spec.azure.identity)";
    world.hears(connection("CredentialsValid", "False/ClientSecretInvalid").stalled().says(&[who])).await;
    world.put_secret("azure-operator", "clientSecret", Some(NEW)).await;
    world.connection_is_ready().await;

    let key = at(&world.fixture.seed, "/ibm/apiKey").as_str().unwrap().to_owned();
    world.put_secret("ibm-cloud", "apiKey", Some("nobody-knows-it")).await;
    world.hears(endpoint("CredentialsValid", "False/ApiKeyInvalid").stalled()).await;
    world.hears(connection("CredentialsValid", "False/ApiKeyInvalid").stalled()).await;
    world.put_secret("ibm-cloud", "apiKey", Some(&key)).await;
    world.is_ready().await;
    assert!(world.operator.as_ref().unwrap().metrics().await.contains("uko_operator_leader 1"), "no restart");
}

#[tokio::test]
async fn a_secret_says_when_it_ends_and_each_step_has_its_event() {
    let world = ready_world("expiring").await;
    let in_days = |days: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let at = i64::try_from(now).unwrap() + days * 86_400 - 3600;
        k8s_openapi::jiff::Timestamp::from_second(at).unwrap().to_string()
    };
    let mark = async |text: Value| {
        let annotation = json!({"metadata": {"annotations": {"uko-operator.io/expires-at": text}}});
        world.merge("Secret", "ibm-cloud", &annotation).await;
    };
    for (date, want) in [
        (in_days(25), "True/CredentialsExpireWithin30Days"),
        (in_days(10), "True/CredentialsExpireWithin14Days"),
        (in_days(2), "True/CredentialsExpireWithin3Days"),
        ("2020-01-01".to_owned(), "True/CredentialsExpired"),
        ("next spring".to_owned(), "Unknown/ExpiresAtInvalid"),
    ] {
        mark(json!(date)).await;
        let of = |told: Told, ready| told.ready(ready).at_rest().says(&["Secret ibm-cloud"]);
        world.hears(of(connection("CredentialsExpiring", want), "True/KeysCanFlow")).await;
        world.hears(of(endpoint("CredentialsExpiring", want), "True/EndpointReady")).await;
        let reason = want.split_once('/').unwrap().1;
        for kind in [CONNECTION, ENDPOINT] {
            assert_eq!(event(&world, &format!("Warning {reason} {kind}/payments")).await, 1);
        }
    }
    mark(Value::Null).await;
    for kind in [CONNECTION, ENDPOINT] {
        world
            .eventually("the condition is gone", async || {
                match world.condition(kind, "payments", "CredentialsExpiring").await {
                    None => Ok(()),
                    Some(condition) => Err(condition.to_string()),
                }
            })
            .await;
    }
}

#[tokio::test]
async fn the_login_at_a_server_of_ones_own_changes_in_place() {
    let world = World::start("rotate-own").await;
    let own = at(&world.fixture.seed, "/ibm/uko/selfManaged").clone();
    secret(&world, "uko-ca", json!({"ca.crt": own["caPem"]})).await;
    let login = |password: &Value| json!({"username": own["username"], "password": password, "clientSecret": own["oidc"]["clientSecret"]});
    secret(&world, "uko-login", login(&own["password"])).await;
    let member = json!({"provider": own["oidc"]["provider"], "clientId": own["oidc"]["clientId"], "secretRef": {"name": "uko-login"}});
    let object = self_managed(&world, &json!({"type": "OidcPassword", "oidcPassword": member}));
    world.apply_value(&object).await.unwrap();
    world.connection_is_ready().await;

    let before = world.cloud.last_request().await;
    let user = text(&own, "/username").to_owned();
    world.cloud.patch(&json!({"ibm": {"selfManaged": {"users": {user: "another-password"}}}})).await;
    secret(&world, "uko-login", login(&json!("another-password"))).await;
    world
        .eventually("a login with the new password", async || match tokens(&world, before, "uko", "/oidc/").await {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        })
        .await;
    world.connection_is_ready().await;

    secret(&world, "uko-login", login(&json!("mistyped"))).await;
    let who = "The operator's identity at UKO (spec.uko)";
    world.hears(connection("CredentialsValid", "False").ready("False").says(&[who])).await;

    // Another way in, with another Secret.
    let certificate = json!({"tls.crt": own["clientCertPem"], "tls.key": own["clientKeyPem"]});
    secret(&world, "uko-certificate", certificate.clone()).await;
    let mutual =
        json!({"type": "MutualTLS", "oidcPassword": null, "mutualTLS": {"secretRef": {"name": "uko-certificate"}}});
    world.change_connection(json!({"uko": {"server": {"authentication": mutual}}})).await;
    world.connection_is_ready().await;
    let broken = json!({"tls.crt": "no certificate", "tls.key": "no key"});
    secret(&world, "uko-certificate", broken).await;
    world.hears(connection("CredentialsValid", "False").ready("False").says(&[who])).await;
    secret(&world, "uko-certificate", certificate).await;
    world.connection_is_ready().await;
}
