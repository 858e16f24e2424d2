//! The two ways to look: one resource, or all pages of a list.
//!
//! In: a call and a reader of its JSON. Out: a value, nothing, or an error. Never: takes a torn or foreign 404 for absence.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::{
    super::{refusal, wire},
    Call, ResourceManager,
};
use crate::clouds::{
    hosts::is_at,
    http::{Class, Error, Request, Service},
};

/// More pages than any real list has; a server that never ends must end here.
const PAGES: usize = 100;

impl ResourceManager {
    /// Reads one resource; None when Azure itself says that just this one is not there.
    pub(super) async fn one<T>(&self, call: Call<'_>, read: fn(&Value) -> Option<T>) -> Result<Option<T>, Error> {
        let request = self.request(Method::GET, call)?;
        let answer = self.http.send_as(&request, &self.identity).await?;
        if refusal::is_absence(&answer) || answer.status == 204 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refusal::of(&answer));
        }
        let body: Value = answer.json()?;
        read(&body).map(Some).ok_or_else(|| answer.unreadable())
    }

    /// Reads all pages of a list. An entry that does not say who it is is left out.
    pub(super) async fn all<T>(&self, request: Request, read: fn(&Value) -> Option<T>) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut request = request;
        for _ in 0..PAGES {
            let answer = self.send(&request).await?;
            if answer.status == 204 {
                return Ok(found);
            }
            let body: Value = answer.json()?;
            if body.get("value").is_some_and(|list| !list.is_array() && !list.is_null()) || !body.is_object() {
                return Err(answer.unreadable());
            }
            found.extend(wire::list(&body, "/value").iter().filter_map(read));
            let Some(next) = wire::text(&body, "/nextLink") else {
                return Ok(found);
            };
            let operation = request.operation;
            let url = self.next_page(next, operation)?;
            request = Self::dressed(Request::new(Service::Arm, operation, Method::GET, url));
        }
        Err(Error::new(
            Service::Arm,
            request.operation,
            Class::AwaitingPerson,
            "ListWithoutEnd",
            "Azure's list does not end; nothing was concluded from it.",
        ))
    }

    /// A page's successor, only at Azure's own host: it is asked with our token.
    fn next_page(&self, text: &str, operation: &'static str) -> Result<Url, Error> {
        let url = Url::parse(text).ok().filter(|url| is_at(url, self.cloud().arm_host()));
        url.ok_or_else(|| {
            let advice = "Azure's answer points to another host, which is not followed; check the proxy.";
            Error::new(Service::Arm, operation, Class::AwaitingPerson, "ForeignLink", advice)
        })
    }
}

/// Says what is missing when a list's parent is not there.
pub(super) fn parent_missing(error: Error, reason: &'static str, advice: &'static str) -> Error {
    let own = error.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case("ResourceGroupNotFound"));
    if error.status != Some(404) || own || error.class == Class::Invalid || error.class == Class::Transient {
        return error;
    }
    error.reread(Class::NotFound, reason, advice)
}
