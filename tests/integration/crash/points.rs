//! Where a crash can meet a flow: every request that the flow sends to a cloud, and every write it sends to its own objects.
//!
//! In: what a flow without a crash sent. Out: [`Point`]s, each with the moments at which a crash there tells something.
//! Never: a list by hand, which would not know of a new request.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use crate::harness::{Stop, story::text};

/// What happens to the request at which the operator dies. It waits for the answer when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Nothing is done.
    Before,
    /// Done; the answer never came.
    After,
    /// Done two seconds later, while the next operator is already there.
    Late,
}

/// A place in a flow.
#[derive(Clone, Debug)]
pub(super) enum Point {
    /// The request to a cloud of this shape, after so many of the same shape.
    Request(Shape, u64),
    /// The write to one of the operator's own objects that is this, after so many of the same.
    Write(String, usize),
}

/// What requests of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    service: String,
    method: String,
    /// Segments; `*` for what differs from run to run.
    path: Vec<String>,
    query: Query,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Query {
    None,
    Some,
    DryRun,
}

impl Point {
    /// Every place of a flow that sent these requests and made these writes, in order.
    pub(super) fn of(requests: &[Value], writes: &[String]) -> Vec<Self> {
        let mut counts: BTreeMap<Shape, u64> = BTreeMap::new();
        let mut points = Vec::new();
        for request in requests {
            let shape = Shape::of(request);
            let count = counts.entry(shape.clone()).or_default();
            points.push(Self::Request(shape, *count));
            *count += 1;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for what in writes {
            let count = counts.entry(what).or_default();
            points.push(Self::Write(what.clone(), *count));
            *count += 1;
        }
        points
    }

    /// The moments at which a crash here tells something: whether a read was answered, nobody will ever know.
    pub(super) fn moments(&self) -> &'static [Moment] {
        match self {
            Self::Request(shape, _) if shape.writes() => &[Moment::Before, Moment::After, Moment::Late],
            Self::Request(..) => &[Moment::Before],
            Self::Write(..) => &[Moment::Before, Moment::After],
        }
    }

    /// Whether a second one would make a second thing.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Request(shape, _) if shape.makes())
    }

    /// Whether it changes something in a cloud.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Request(shape, _) if shape.writes())
    }
}

impl Moment {
    /// The same for a write to Kubernetes.
    pub(super) fn stop(self) -> Stop {
        match self {
            Self::Before => Stop::Before,
            Self::After | Self::Late => Stop::After,
        }
    }
}

impl Shape {
    /// Of a request of the box's log.
    pub(super) fn of(request: &Value) -> Self {
        let url = text(request, "/url");
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let path = place.splitn(4, '/').nth(3).unwrap_or_default();
        let varies = |segment: &str| segment.len() >= 16 && segment.chars().any(|letter| letter.is_ascii_digit());
        Self {
            service: text(request, "/service").to_owned(),
            method: text(request, "/method").to_owned(),
            path: path.split('/').map(|segment| if varies(segment) { "*" } else { segment }.to_owned()).collect(),
            query: match query {
                "" => Query::None,
                query if query.contains("dry_run=true") => Query::DryRun,
                _ => Query::Some,
            },
        }
    }

    /// The fault that leaves the operator waiting at the one after `skip` of them.
    pub(super) fn fault(&self, skip: u64, moment: Moment) -> Value {
        let (name, value) = match moment {
            Moment::Before => ("drop", json!(true)),
            Moment::After => ("drop", json!("after")),
            Moment::Late => ("commit_after_ms", json!(2000)),
        };
        let part = |segment: &String| if segment == "*" { "[^/?]+".to_owned() } else { escaped(segment) };
        let query = match self.query {
            Query::None => "$",
            Query::Some => r"\?",
            Query::DryRun => r"\?.*dry_run=true",
        };
        let path = format!("^/{}{query}", self.path.iter().map(part).collect::<Vec<_>>().join("/"));
        json!({ "service": self.service, "method": self.method, "path": path, "skip": skip, name: value, "hold": true })
    }

    /// Whether a second one would make a second thing.
    pub(super) fn makes(&self) -> bool {
        self.method == "POST" && self.writes() && matches!(self.service.as_str(), "link" | "uko")
    }

    fn writes(&self) -> bool {
        let asks = ["entra", "iam", "containers"].contains(&self.service.as_str());
        self.method != "GET" && !asks && self.query != Query::DryRun
    }
}

fn escaped(segment: &str) -> String {
    let escape = |letter: char| if letter.is_alphanumeric() { vec![letter] } else { vec!['\\', letter] };
    segment.chars().flat_map(escape).collect()
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(shape, skip) => write!(out, "{shape} #{skip}"),
            Self::Write(what, skip) => write!(out, "own object {what} #{skip}"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = &self.path[self.path.len().saturating_sub(3)..];
        let query = if self.query == Query::DryRun { "?dry_run" } else { "" };
        write!(out, "{} {} …/{}{query}", self.service, self.method, tail.join("/"))
    }
}

#[test]
fn a_shape_is_the_same_in_every_run_and_tells_a_dry_run_from_a_creation() {
    let request = |url: &str| json!({ "service": "uko", "method": "POST", "url": url });
    let base = "https://api.eu-de.hs-crypto.cloud.ibm.com:9730/api/v4/keystores";
    let (real, dry) = (Shape::of(&request(base)), Shape::of(&request(&format!("{base}?dry_run=true"))));
    assert!(real != dry && real.makes() && !dry.makes());
    assert_eq!(real.fault(0, Moment::Before)["path"], r"^/api/v4/keystores$");
    let one = |id: &str| Shape::of(&json!({ "service": "uko", "method": "PATCH", "url": format!("{base}/{id}") }));
    assert_eq!(one("5b0e7c1a-0000-4000-8000-0000000000aa"), one("6b0e7c1a-0000-4000-8000-0000000000bb"));
    let writes = ["PATCH it", "PATCH that", "PATCH it"].map(str::to_owned);
    let points = Point::of(&[request(base), request(base)], &writes);
    let [Point::Request(_, 0), Point::Request(_, 1), Point::Write(_, 0), Point::Write(_, 0), Point::Write(again, 1)] =
        &points[..]
    else {
        panic!("{points:?}")
    };
    assert_eq!(again, "PATCH it");
}
