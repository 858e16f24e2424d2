//! Reads members of an answer that may be missing, null or of another type.
//!
//! In: a parsed answer. Out: the member, or nothing.
//! Never: takes an unreadable list for an empty one: something would be made twice.

use serde_json::Value;

/// An answer that lacks what the rest of the work depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no usable `{0}`")]
pub(super) struct Unreadable(pub(super) &'static str);

/// A text member. An empty text is a text.
pub(super) fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

/// A text member that is there and not empty.
pub(super) fn filled(object: &Value, name: &str) -> Option<String> {
    text(object, name).filter(|text| !text.is_empty())
}

/// A text member that the answer is useless without.
pub(super) fn needed(object: &Value, name: &'static str) -> Result<String, Unreadable> {
    filled(object, name).ok_or(Unreadable(name))
}

/// A whole number that fits, or its decimal text.
pub(super) fn number<N: TryFrom<u64>>(object: &Value, name: &str) -> Option<N> {
    let member = object.get(name)?;
    let number = member.as_u64().or_else(|| member.as_str()?.trim().parse().ok())?;
    N::try_from(number).ok()
}

/// A switch.
pub(super) fn truth(object: &Value, name: &str) -> Option<bool> {
    object.get(name)?.as_bool()
}

/// The texts of a list; what is no text is left out.
pub(super) fn texts(object: &Value, name: &str) -> Vec<String> {
    let list = object.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The items of a list that the answer is for.
///
/// `null` and an object without any member are an empty list, which is how a Go server may write one \[I\]. Everything
/// else without the list is unreadable.
pub(super) fn list<'a>(answer: &'a Value, name: &'static str) -> Result<&'a [Value], Unreadable> {
    match answer.as_object() {
        Some(members) if members.is_empty() => Ok(&[]),
        Some(_) | None => strict_list(answer, name),
    }
}

/// The same where the member is always written: UKO's list is one of several members \[S\], so an empty object is a
/// gateway's answer and not a list without items.
pub(super) fn strict_list<'a>(answer: &'a Value, name: &'static str) -> Result<&'a [Value], Unreadable> {
    match answer.get(name) {
        Some(Value::Array(items)) => Ok(items),
        Some(Value::Null) => Ok(&[]),
        Some(_) | None => Err(Unreadable(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_of_the_wrong_type_counts_as_missing() {
        let object = json!({"port": "443", "odd": "44x", "less": -1, "name": 7, "on": "yes", "big": 70_000});
        assert_eq!(number::<u16>(&object, "port"), Some(443));
        assert_eq!((number::<u16>(&object, "odd"), number::<u16>(&object, "less")), (None, None));
        assert_eq!(number::<u16>(&object, "big"), None);
        assert_eq!(number::<u32>(&object, "big"), Some(70_000));
        assert_eq!(text(&object, "name"), None);
        assert_eq!(truth(&object, "on"), None);
        assert_eq!(needed(&object, "name"), Err(Unreadable("name")));
    }

    #[test]
    fn only_a_clear_answer_is_an_empty_list() {
        assert_eq!(list(&json!({"endpoints": []}), "endpoints"), Ok(&[][..]));
        assert_eq!(list(&json!({"endpoints": null}), "endpoints"), Ok(&[][..]));
        assert_eq!(list(&json!({}), "endpoints"), Ok(&[][..]));
        for unclear in [json!({"message": "try later"}), json!([]), json!(null), json!({"endpoints": {}})] {
            assert_eq!(list(&unclear, "endpoints"), Err(Unreadable("endpoints")), "{unclear}");
        }
        assert_eq!(strict_list(&json!({"endpoints": null}), "endpoints"), Ok(&[][..]));
        assert_eq!(strict_list(&json!({}), "endpoints"), Err(Unreadable("endpoints")));
    }
}
