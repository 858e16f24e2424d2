use super::*;

const INSTANCE: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-3333-4444-555555555555";

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn fault(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

#[test]
fn nothing_is_allowed_by_default() {
    for text in ["", "# nothing yet\n", "---\n", "rules: []\n", "{}\n"] {
        let policy = policy(text);
        assert!(policy.allows_instance("keys", INSTANCE).is_err(), "{text}");
        assert!(policy.allows_server("keys", "https://uko.example.com").is_err());
        assert!(policy.operator_identity("keys", SUBSCRIPTION, Verb::Observe).is_err());
    }
}

#[test]
fn a_target_is_allowed_only_to_the_namespaces_of_a_rule_that_names_it() {
    let policy = policy(&format!(
        "rules:\n- namespaces: [keys, on]\n  ukoInstances: [{INSTANCE}]\n- namespaces: ['*']\n  ukoServers: ['https://uko.example.com:8443']\n"
    ));
    assert!(policy.allows_instance("keys", INSTANCE).is_ok());
    assert!(policy.allows_instance("on", INSTANCE).is_ok());
    assert!(policy.allows_instance("keys", &INSTANCE.to_uppercase()).is_ok());
    assert!(policy.allows_instance("keys2", INSTANCE).is_err());
    assert!(policy.allows_instance("*", INSTANCE).is_err());
    assert!(policy.allows_server("any", "https://uko.example.com:8443").is_ok());
    assert!(policy.allows_server("any", INSTANCE).is_err());
}

#[test]
fn servers_are_compared_by_origin_and_not_by_spelling() {
    let policy = policy("rules: [{namespaces: [keys], ukoServers: ['https://UKO.example.com:443/']}]");
    for same in ["https://uko.example.com", "https://uko.EXAMPLE.com/", "HTTPS://uko.example.com:443"] {
        assert!(policy.allows_server("keys", same).is_ok(), "{same}");
    }
    for other in [
        "https://uko.example.com:8443",
        "http://uko.example.com",
        "https://uko.example.com.evil.org",
        "https://uko.example.com@evil.org",
        "https://evil.org/uko.example.com",
        "https://me@uko.example.com",
        "https://uko.example.com/path",
        "https://uko.example.com?x",
        "uko.example.com",
    ] {
        assert!(policy.allows_server("keys", other).is_err(), "{other}");
    }
}

#[test]
fn the_identity_is_lent_for_a_verb_on_a_scope_and_what_lies_below_it() {
    let policy = policy(&format!(
        "rules:\n- namespaces: [keys]\n  operatorIdentity:\n    scopes: [{SUBSCRIPTION}/resourceGroups/rg-keys]\n    verbs: [Observe, Approve]\n"
    ));
    let may = |scope: &str, verb| {
        let scope = format!("{SUBSCRIPTION}{scope}");
        policy.operator_identity("keys", &scope, verb).is_ok()
    };
    assert!(may("/resourceGroups/rg-keys", Verb::Observe));
    assert!(may("/resourcegroups/RG-KEYS/providers/Microsoft.KeyVault/vaults/v", Verb::Approve));
    assert!(!may("/resourceGroups/rg-keys", Verb::Grant));
    assert!(!may("/resourceGroups/rg-keys-2", Verb::Observe));
    assert!(!may("", Verb::Observe));
    assert!(!may("/resourceGroups/rg-keys/../rg-other", Verb::Observe));
    assert!(!may("/resourceGroups/rg-keys/%2e%2e/rg-other", Verb::Observe));
    assert!(!may("/resourceGroups/rg-keys//x", Verb::Observe));
}

#[test]
fn verbs_and_scopes_of_two_rules_do_not_mix() {
    let (a, b) = (format!("{SUBSCRIPTION}/resourceGroups/a"), format!("{SUBSCRIPTION}/resourceGroups/b"));
    let policy = policy(&format!(
        "rules:\n- namespaces: [keys]\n  operatorIdentity: {{scopes: [{a}], verbs: [Grant]}}\n- namespaces: [keys]\n  operatorIdentity: {{scopes: [{b}], verbs: [Observe]}}\n"
    ));
    assert!(policy.operator_identity("keys", &a, Verb::Grant).is_ok());
    assert!(policy.operator_identity("keys", &b, Verb::Grant).is_err());
    assert!(policy.operator_identity("keys", &a, Verb::Observe).is_err());
}

#[test]
fn the_largest_stated_limit_counts() {
    let policy = policy(&format!(
        "rules:\n- {{namespaces: ['*'], ukoInstances: [{INSTANCE}], maxKeystores: 2}}\n- {{namespaces: [big], ukoInstances: [{INSTANCE}], maxKeystores: 10}}\n- {{namespaces: [big], ukoServers: ['https://uko.example.com']}}\n- {{namespaces: [small], ukoInstances: [{INSTANCE}]}}\n"
    ));
    assert_eq!(policy.max_keystores("big", Target::Instance(INSTANCE)), Some(10));
    assert_eq!(policy.max_keystores("small", Target::Instance(INSTANCE)), Some(2));
    assert_eq!(policy.max_keystores("big", Target::Server("https://uko.example.com")), None);
}

#[test]
fn the_lines_of_a_refusal_allow_exactly_what_was_refused() {
    let scope = format!("{SUBSCRIPTION}/resourceGroups/rg");
    let nothing = Policy::default();
    let refusals = [
        nothing.allows_instance("123", INSTANCE).unwrap_err(),
        nothing.allows_server("on", "https://uko.example.com:8443").unwrap_err(),
        nothing.operator_identity("keys", &scope, Verb::CloseNetwork).unwrap_err(),
    ];
    let text = refusals.iter().map(Refusal::lines).collect::<String>();
    let cured = policy(&format!("rules:\n{text}"));
    assert!(cured.allows_instance("123", INSTANCE).is_ok());
    assert!(cured.allows_server("on", "https://uko.example.com:8443").is_ok());
    assert!(cured.operator_identity("keys", &scope, Verb::CloseNetwork).is_ok());
    assert!(cured.allows_instance("on", INSTANCE).is_err());
    assert!(cured.operator_identity("keys", &scope, Verb::Grant).is_err());
}

#[test]
fn a_refusal_reads_like_this() {
    let refusal = Policy::default().allows_server("keys", "https://uko.example.com").unwrap_err();
    assert_eq!(refusal.to_string(), "namespace keys may not aim at the UKO server https://uko.example.com");
    assert_eq!(refusal.lines(), "- namespaces: [\"keys\"]\n  ukoServers: [\"https://uko.example.com\"]\n");
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_with_its_line_and_cure() {
    for (text, line, cure) in [
        ("rules:\n- namespaces: [keys]\n  ukoInstance: [x]\n", "3", "ukoInstances"),
        ("rule: []\n", "1", "rules"),
        ("rules:\n- ukoServers: []\n", "2", "namespaces"),
        ("rules:\n- namespaces: []\n", "2", "at least one"),
        ("rules:\n- namespaces: [team-*]\n", "2", "alone for all"),
        ("rules:\n- namespaces: [keys]\n  ukoServers: ['http://uko']\n", "3", "https://host"),
        ("rules:\n- namespaces: [keys]\n  ukoInstances: [abc]\n", "3", "8-4-4-4-12"),
        ("rules:\n- namespaces: [keys]\n  operatorIdentity: {scopes: [/], verbs: []}\n", "3", "/subscriptions/<id>"),
        ("rules:\n- namespaces: [keys]\n  operatorIdentity: {scopes: [], verbs: [Delete]}\n", "3", "CloseNetwork"),
        ("rules:\n- namespaces: [keys]\n  maxKeystores: -1\n", "3", "maxKeystores"),
        ("rules:\n- namespaces: [keys]\nrules: []\n", "3", "duplicate"),
        ("rules: []\n---\nrules: []\n", "", "document"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(&format!("line {line}")), "{text}\n{fault}");
        assert!(fault.contains(cure), "{text}\n{fault}");
    }
}
