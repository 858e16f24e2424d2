//! Where a crash can meet the flow that creates everything: one row a request, with what it makes.
//!
//! In: the box's request log. Out: [`Point`]s, and which one a request is. Never: runs anything.

use serde_json::{Value, json};

/// What happens to the request at which the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Cut before anything is done.
    Before,
    /// Done; the answer is lost.
    After,
    /// The answer is lost; it is done two seconds later, while the next operator is already there.
    Late,
}

impl Moment {
    /// All three.
    pub(super) const ALL: [Self; 3] = [Self::Before, Self::After, Self::Late];

    fn effect(self) -> (&'static str, Value) {
        match self {
            Self::Before => ("drop", json!(true)),
            Self::After => ("drop", json!("after")),
            Self::Late => ("commit_after_ms", json!(2000)),
        }
    }
}

/// What a request does outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Makes a second thing when it is sent twice.
    Makes,
    /// Changes something; twice is the same as once.
    Sets,
    /// Nothing: a read, a token, a dry run.
    Nothing,
}

/// One kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// For people.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) does: Does,
    service: &'static str,
    method: &'static str,
    /// The end of the path; `*` is one segment.
    path: &'static str,
    /// `*` any query, nothing for none, else what it must hold.
    query: &'static str,
    /// How many of them pass before the one that is hit.
    skip: u64,
}

type Row = (&'static str, Does, &'static str, &'static str, &'static str, &'static str, u64);

/// Every request of the flow that changes something, and a few of those that do not.
const ROWS: [Row; 17] = [
    ("source", Does::Makes, "link", "POST", "/sources", "*", 0),
    ("endpoint", Does::Makes, "link", "POST", "/endpoints", "*", 0),
    ("binding", Does::Sets, "link", "PATCH", "/endpoints/*/sources", "*", 0),
    ("permissions", Does::Sets, "arm", "PUT", "/accessPolicies/add", "*", 0),
    ("private endpoint", Does::Sets, "arm", "PUT", "/privateEndpoints/*", "*", 0),
    ("zone group", Does::Sets, "arm", "PUT", "/privateDnsZoneGroups/*", "*", 0),
    ("uko vault", Does::Makes, "uko", "POST", "/vaults", "*", 0),
    ("keystore", Does::Makes, "uko", "POST", "/keystores", "", 0),
    ("public access", Does::Sets, "arm", "PATCH", "/vaults/*", "*", 0),
    ("dry run", Does::Nothing, "uko", "POST", "/keystores", "dry_run=true", 0),
    ("IAM token", Does::Nothing, "iam", "POST", "/identity/token", "*", 0),
    ("Entra token", Does::Nothing, "entra", "POST", "/token", "*", 0),
    ("vault read", Does::Nothing, "arm", "GET", "/vaults/*", "*", 3),
    ("private endpoint read", Does::Nothing, "arm", "GET", "/privateEndpoints/*", "*", 2),
    ("endpoints read", Does::Nothing, "link", "GET", "/endpoints", "*", 2),
    ("keystores read", Does::Nothing, "uko", "GET", "/keystores", "*", 1),
    ("health read", Does::Nothing, "uko", "GET", "/keystores/*/status", "*", 0),
];

/// All of them.
pub(super) fn points() -> Vec<Point> {
    let point =
        |(name, does, service, method, path, query, skip)| Point { name, does, service, method, path, query, skip };
    ROWS.into_iter().map(point).collect()
}

impl Point {
    /// The moments at which a crash here tells something.
    pub(super) fn moments(self) -> &'static [Moment] {
        match self.does {
            Does::Makes | Does::Sets => &Moment::ALL,
            Does::Nothing => &[Moment::Before],
        }
    }

    /// The fault that hits it.
    pub(super) fn fault(self, moment: Moment) -> Value {
        let (name, value) = moment.effect();
        let query = match self.query {
            "*" => r"(\?|$)".to_owned(),
            "" => "$".to_owned(),
            held => format!(r"\?.*{held}"),
        };
        let path = self.path.replace('*', "[^/?]+") + &query;
        json!({ "service": self.service, "method": self.method, "path": path, "skip": self.skip, name: value })
    }

    /// Whether a request of the log is one of these.
    pub(super) fn is(self, request: &Value) -> bool {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let (path, query) = text("url").split_once('?').unwrap_or((text("url"), ""));
        let mut have = path.rsplit('/');
        let ends = self
            .path
            .rsplit('/')
            .all(|part| part.is_empty() || have.next().is_some_and(|it| part == "*" || it == part));
        let asks = self.query == "*"
            || (self.query.is_empty() && query.is_empty())
            || (!self.query.is_empty() && query.contains(self.query));
        text("service") == self.service && text("method") == self.method && ends && asks
    }
}
