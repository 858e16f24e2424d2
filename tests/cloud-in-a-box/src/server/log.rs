//! The request log: the last 100,000 exchanges, without secrets.
//!
//! In: exchanges as they end. Out: what `GET /requests` shows. Never: holds a secret.

use std::collections::{BTreeSet, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

use super::redact;
use crate::wire::{Answer, Call};

const BOUND: usize = 100_000;

/// One exchange.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Number, in the order the exchanges ended.
    pub seq: u64,
    /// Service word.
    pub service: &'static str,
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Request headers, names in lower case.
    pub request_headers: Value,
    /// Request body: JSON, text or null.
    pub request_body: Value,
    /// Status; null if the answer was cut off.
    pub status: Option<u16>,
    /// Response headers.
    pub response_headers: Value,
    /// Response body: JSON, text or null.
    pub response_body: Value,
    /// Who asked: object id or IAM id.
    pub principal: Option<String>,
    /// Id of the fault it met.
    pub fault: Option<u64>,
    /// Start, Unix seconds with fraction.
    pub t_start: f64,
    /// End, Unix seconds with fraction.
    pub t_end: f64,
    /// Names of the members hidden from the fields above.
    pub secrets: BTreeSet<String>,
    /// Why the box refused, in its own words.
    pub refusal: Option<String>,
}

impl Entry {
    /// An exchange that ended; `answer` is `None` if it was cut off.
    #[must_use]
    pub fn new(call: &Call, answer: Option<&Answer>, fault: Option<u64>, t_start: f64) -> Self {
        let mut secrets = BTreeSet::new();
        let content_type = call.header("content-type").unwrap_or_default();
        let request_body = redact::body(&call.body, content_type, &mut secrets);
        let request_headers = redact::headers(redact::pairs(&call.headers), &mut secrets);
        let empty = Answer::default();
        let shown = answer.unwrap_or(&empty);
        let response_type = shown.header_value("content-type").unwrap_or_default();
        Self {
            seq: 0,
            service: call.service.as_str(),
            method: call.method.to_string(),
            url: call.url(),
            request_headers,
            request_body,
            status: answer.map(|answer| answer.status),
            response_headers: redact::headers(
                shown.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
                &mut secrets,
            ),
            response_body: redact::body(&shown.body, response_type, &mut secrets),
            principal: shown.principal.clone(),
            fault,
            t_start,
            t_end: clock(),
            secrets,
            refusal: shown.refusal.clone(),
        }
    }
}

/// Real time, Unix seconds with fraction.
#[must_use]
pub fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Log {
    /// Adds an exchange and says on standard error why it was refused, if it was.
    pub fn push(&mut self, mut entry: Entry) {
        self.last = self.last.saturating_add(1);
        entry.seq = self.last;
        if let Some(why) = &entry.refusal {
            let status = entry.status.map_or("cut".to_owned(), |status| status.to_string());
            eprintln!("refused {} {} {}: {why}", status, entry.method, entry.url.split('?').next().unwrap_or_default());
        }
        if self.entries.len() >= BOUND {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The exchanges after this number, oldest first.
    #[must_use]
    pub fn after(&self, seq: u64) -> Vec<Entry> {
        let from = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(from..).cloned().collect()
    }

    /// Forgets all; numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
