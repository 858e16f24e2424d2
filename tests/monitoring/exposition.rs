//! What a process exposes: metrics, their types and labels.
//!
//! In: the text of one scrape (`OpenMetrics`), or the table of docs/guides/metrics.md. Out: [`Exposed`]. Never: a value.

use std::collections::{BTreeMap, BTreeSet};

/// Metrics by the name that a query uses; of a histogram, the name without `_bucket`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Exposed(pub(crate) BTreeMap<String, Metric>);

/// One metric.
#[derive(Debug, PartialEq)]
pub(crate) struct Metric {
    /// Its type.
    pub(crate) kind: String,
    /// Its labels; of a histogram, without `le`.
    pub(crate) labels: BTreeSet<String>,
}

impl Exposed {
    /// Reads a scrape.
    pub(crate) fn of_scrape(text: &str) -> Self {
        let mut found = Self::default();
        let mut family = ("", "");
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                family = head.split_once(' ').unwrap();
            } else if !line.starts_with('#') {
                found.add(family, line);
            }
        }
        found
    }

    fn add(&mut self, (family, kind): (&str, &str), line: &str) {
        let (sample, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, label_names(rest)),
            None => (line.split(' ').next().unwrap(), BTreeSet::new()),
        };
        assert!(sample.starts_with(family), "{sample} stands below {family}");
        let name = if kind == "histogram" { family } else { sample };
        let metric = self.0.entry(name.to_owned());
        let metric = metric.or_insert_with(|| Metric { kind: kind.to_owned(), labels: BTreeSet::new() });
        metric.labels.extend(labels.into_iter().filter(|label| label != "le"));
    }

    /// Reads the rows of the page about metrics.
    pub(crate) fn of_page(text: &str) -> Self {
        let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let rows = text.lines().filter(|line| line.starts_with("| `uko_operator_")).map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let name = words(cells[1]).remove(0);
            (name, Metric { kind: cells[2].to_owned(), labels: words(cells[3]).into_iter().collect() })
        });
        Self(rows.collect())
    }

    /// The labels of a metric as a query names it: `_bucket` has `le` too.
    pub(crate) fn labels(&self, name: &str) -> Option<BTreeSet<String>> {
        if let Some(metric) = self.0.get(name).filter(|metric| metric.kind != "histogram") {
            return Some(metric.labels.clone());
        }
        let (family, suffix) = name.rsplit_once('_')?;
        let metric = self.0.get(family).filter(|metric| metric.kind == "histogram")?;
        let mut labels = metric.labels.clone();
        match suffix {
            "bucket" => drop(labels.insert("le".to_owned())),
            "sum" | "count" => {}
            _ => return None,
        }
        Some(labels)
    }
}

/// The names in `a="x",b="y"} 1`, whatever the values hold.
fn label_names(rest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut name, mut quoted, mut escaped) = (String::new(), false, false);
    for letter in rest.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '}' => break,
            '=' => drop(names.insert(std::mem::take(&mut name))),
            ',' => {}
            _ => name.push(letter),
        }
    }
    names
}

#[test]
fn a_scrape_is_read_with_its_types_and_labels() {
    let text = "# HELP a x.\n# TYPE a counter\na_total{k=\"}=\\\"\",l=\"1\"} 3\n# TYPE d histogram\nd_sum 1.0\nd_bucket{le=\"+Inf\",z=\"\"} 1\n\
                # TYPE g gauge\ng 1\n# EOF\n";
    let exposed = Exposed::of_scrape(text);
    let page = "| Metric | Type | Labels | Says |\n|---|---|---|---|\n";
    assert_eq!(Exposed::of_page(page), Exposed::default());
    let labels = |name: &str| exposed.labels(name).map(|labels| labels.into_iter().collect::<Vec<_>>().join(","));
    assert_eq!(labels("a_total").as_deref(), Some("k,l"));
    assert_eq!(labels("d_bucket").as_deref(), Some("le,z"));
    assert_eq!(labels("g").as_deref(), Some(""));
    assert_eq!((labels("a"), labels("d"), labels("d_total")), (None, None, None));
}
