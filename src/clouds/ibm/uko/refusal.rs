//! What a refusal of UKO means.
//!
//! In: an answer that is no success. Out: an error in our own words. UKO publishes no list of codes and no codes per
//! operation; only `missing_field` is known \[E\], so the table goes by status, operation and the field UKO names.
//! Never: shows a text of UKO's.

use crate::clouds::{
    http::{Answer, Class, Error},
    ibm::refusal::{Verdict, Words, common, foreign},
};

/// UKO's table.
pub(super) fn uko(answer: &Answer) -> Error {
    let words = Words::of(answer);
    let verdict = verdict(answer, &words);
    words.error(answer, verdict)
}

fn verdict(answer: &Answer, words: &Words) -> Verdict {
    // Which status a failed test gets is unpublished [I]: a refusal that names a field is one, whatever its status.
    let tests = answer.operation == "TestKeystore";
    if tests && words.field.is_some() && !matches!(answer.status, 401 | 403 | 429) {
        return test_failed(words);
    }
    if let Some(verdict) = common(answer) {
        return verdict;
    }
    match answer.status {
        // A server says 401 or 403 without a body as well; a body that is not UKO's own is a proxy's, whatever it says.
        400 if !words.recognised => foreign(answer.service),
        401 | 403 if !words.recognised && !answer.body.is_empty() => foreign(answer.service),
        401 => (
            Class::Denied,
            "UkoTokenRejected",
            "UKO refuses the token; check that the credential belongs to this instance.",
        ),
        403 => (
            Class::AwaitingPerson,
            "UkoPermissionDenied",
            "Give the identity the role Vault Administrator, or one that may list, read, write and delete target keystores.",
        ),
        404 => not_found(answer.operation),
        409 if answer.operation == "CreateKeystore" => name_taken(),
        409 if answer.operation == "CreateVault" => (
            Class::Conflict,
            "UkoVaultNameTaken",
            "UKO has a vault of this name that this identity may not see; choose another name, or grant access.",
        ),
        409 if answer.operation == "DeleteKeystore" => (
            Class::Conflict,
            "KeystoreChangedOrInUse",
            "The keystore was changed, or still holds keys; it is looked at again.",
        ),
        409 | 412 => (Class::Conflict, "KeystoreChanged", "Somebody else changed the keystore; it is looked at again."),
        _any if tests => test_failed(words),
        // A duplicate may also come as 400; the code's wording is unpublished [I].
        400 | 422
            if answer.operation == "CreateKeystore"
                && (words.code_has("duplicate") || words.code_has("already_exists")) =>
        {
            name_taken()
        }
        400 | 422 if words.field.is_some() => (
            Class::Invalid,
            "UkoFieldRejected",
            "UKO refuses one field of the keystore; correct it in the manifest or the Secret.",
        ),
        _other => (
            Class::AwaitingPerson,
            "UkoRequestRejected",
            "UKO refuses the request without naming a field; compare the spec with what its console accepts.",
        ),
    }
}

fn name_taken() -> Verdict {
    (
        Class::Conflict,
        "KeystoreNameTaken",
        "The UKO vault has a keystore of this name or for this Key Vault; it is looked for again.",
    )
}

fn test_failed(words: &Words) -> Verdict {
    let advice =
        "UKO could not reach the Key Vault with these data; check the path, the service principal and its secret.";
    let class = match words.field {
        Some(_) => Class::Invalid,
        None => Class::AwaitingPerson,
    };
    (class, "ConnectionTestFailed", advice)
}

fn not_found(operation: &'static str) -> Verdict {
    match operation {
        "ListVaults" => (
            Class::AwaitingPerson,
            "ApiVersionUnsupported",
            "The server does not know /api/v4; check its address, or upgrade UKO.",
        ),
        "CreateKeystore" | "TestKeystore" | "ListKeystores" => {
            (Class::NotFound, "UkoVaultNotFound", "UKO knows no such vault, or does not show it to this identity.")
        }
        _by_id => {
            (Class::NotFound, "KeystoreNotFound", "UKO knows no such keystore, or does not show it to this identity.")
        }
    }
}

/// The table for the two logins of a self-managed UKO. Their error shapes are the usual ones of OIDC \[I\].
pub(super) fn login(answer: &Answer) -> Error {
    let words = Words::of(answer);
    let verdict = common(answer).unwrap_or_else(|| match answer.status {
        400 | 401 | 403 if !words.json && !answer.body.is_empty() => foreign(answer.service),
        400 | 401 | 403 => (
            Class::Denied,
            "UkoLoginRefused",
            "UKO refuses the login; check user, password or passcode, client id and client secret in the Secret.",
        ),
        404 | 405 if answer.operation == "LoginOidc" => (
            Class::Invalid,
            "UkoLoginProviderUnknown",
            "UKO knows no such OIDC provider; the usual names are EkmfOpenIdConnect and UKOOpenIdConnect.",
        ),
        404 | 405 => (
            Class::Invalid,
            "UkoLoginUnsupported",
            "UKO offers no login by passcode; choose another type of authentication.",
        ),
        _other => (
            Class::AwaitingPerson,
            "UkoRequestRejected",
            "UKO refuses the login in an unknown way; ask whoever runs the server.",
        ),
    });
    words.error(answer, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds::{http::Service, ibm::refusal::tests::answer};

    const FIELD: &str =
        r#"{"errors":[{"code":"connection_failed","message":"m","target":{"type":"field","name":"tls_proxy"}}]}"#;
    const PLAIN: &str = r#"{"errors":[{"code":"missing_field","message":"m"}]}"#;

    #[test]
    fn a_status_means_what_the_table_says() {
        for (operation, status, body, class, reason) in [
            ("CreateKeystore", 400, PLAIN, Class::AwaitingPerson, "UkoRequestRejected"),
            ("CreateKeystore", 400, FIELD, Class::Invalid, "UkoFieldRejected"),
            ("CreateKeystore", 400, r#"{"errors":[{"code":"duplicate_name"}]}"#, Class::Conflict, "KeystoreNameTaken"),
            ("CreateKeystore", 409, PLAIN, Class::Conflict, "KeystoreNameTaken"),
            ("UpdateKeystore", 409, PLAIN, Class::Conflict, "KeystoreChanged"),
            ("UpdateKeystore", 412, "<html>", Class::Conflict, "KeystoreChanged"),
            ("DeleteKeystore", 409, PLAIN, Class::Conflict, "KeystoreChangedOrInUse"),
            ("GetKeystore", 401, "", Class::Denied, "UkoTokenRejected"),
            ("ListVaults", 403, "", Class::AwaitingPerson, "UkoPermissionDenied"),
            ("ListVaults", 404, "", Class::AwaitingPerson, "ApiVersionUnsupported"),
            ("CreateKeystore", 404, PLAIN, Class::NotFound, "UkoVaultNotFound"),
            ("GetKeystore", 503, "<html>", Class::Transient, "UkoUnavailable"),
            ("GetKeystore", 429, "", Class::Throttled, "UkoThrottled"),
            ("GetKeystore", 302, "", Class::AwaitingPerson, "RedirectRefused"),
            ("GetKeystore", 401, PLAIN, Class::Denied, "UkoTokenRejected"),
            ("GetKeystore", 401, "<html>Sign in</html>", Class::Transient, "UkoUnavailable"),
            ("GetKeystore", 401, r#"{"code":"blocked"}"#, Class::Transient, "UkoUnavailable"),
            ("GetKeystore", 403, "Blocked", Class::Transient, "UkoUnavailable"),
            ("CreateKeystore", 400, "<html>", Class::Transient, "UkoUnavailable"),
            ("TestKeystore", 400, "<html>", Class::Transient, "UkoUnavailable"),
            ("TestKeystore", 403, "<html>", Class::Transient, "UkoUnavailable"),
        ] {
            let error = uko(&answer(Service::Uko, operation, status, body));
            assert_eq!((error.class, error.reason), (class, reason), "{operation} {status}");
        }
    }

    #[test]
    fn a_failed_test_is_told_from_an_outage_by_the_field_it_names() {
        for status in [400, 409, 422, 500, 502] {
            let error = uko(&answer(Service::Uko, "TestKeystore", status, FIELD));
            assert_eq!((error.class, error.reason), (Class::Invalid, "ConnectionTestFailed"), "{status}");
            assert_eq!(error.field.as_deref(), Some("tls_proxy"));
        }
        let vague = uko(&answer(Service::Uko, "TestKeystore", 400, PLAIN));
        assert_eq!((vague.class, vague.reason), (Class::AwaitingPerson, "ConnectionTestFailed"));
        let outage = uko(&answer(Service::Uko, "TestKeystore", 502, "<html>"));
        assert_eq!((outage.class, outage.reason), (Class::Transient, "UkoUnavailable"));
    }

    #[test]
    fn a_login_is_refused_for_good_and_a_missing_provider_is_a_setting() {
        for (operation, status, class, reason) in [
            ("LoginOidc", 400, Class::Denied, "UkoLoginRefused"),
            ("LoginPasscode", 401, Class::Denied, "UkoLoginRefused"),
            ("LoginOidc", 404, Class::Invalid, "UkoLoginProviderUnknown"),
            ("LoginPasscode", 404, Class::Invalid, "UkoLoginUnsupported"),
            ("LoginOidc", 500, Class::Transient, "UkoUnavailable"),
        ] {
            let page = login(&answer(Service::Uko, operation, status, "<html>"));
            assert!(status > 403 || page.class == Class::Transient, "{operation} {status}");
            let error = login(&answer(Service::Uko, operation, status, ""));
            assert_eq!((error.class, error.reason), (class, reason), "{operation} {status}");
        }
    }
}
