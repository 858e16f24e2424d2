//! What a `PromQL` expression asks for: metrics, labels, values.
//!
//! In: an expression as Grafana or Prometheus would take it. Out: a [`Reading`]. Never: text search; the grammar decides.

use std::collections::BTreeSet;

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr},
    util::{ExprVisitor, walk_expr},
};

/// Labels that Prometheus puts on a series when it scrapes it.
pub(crate) const TARGET: [&str; 3] = ["instance", "job", "namespace"];

/// What an expression reads.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Metric by metric, with what it must match.
    pub(crate) selectors: Vec<Selector>,
    /// Labels after `by`, `on` or `without`, each with the metrics below it.
    pub(crate) groupings: Vec<(BTreeSet<String>, BTreeSet<String>)>,
    /// Labels that the result has, if the expression says so; all of its metrics' labels if not.
    pub(crate) carries: Option<BTreeSet<String>>,
}

/// One metric in an expression.
#[derive(Debug)]
pub(crate) struct Selector {
    /// Its name.
    pub(crate) metric: String,
    /// What its labels must match.
    pub(crate) matchers: Vec<Match>,
}

/// One label and what it must, or must not, be.
#[derive(Debug)]
pub(crate) struct Match {
    /// The label.
    pub(crate) label: String,
    /// What is said about it, alternative by alternative, each as a matcher that says yes.
    pub(crate) alternatives: Vec<Matcher>,
}

/// Reads an expression. Grafana's variables stand for any value, its intervals for five minutes.
///
/// # Errors
/// What the parser says.
pub(crate) fn read(expression: &str) -> Result<Reading, String> {
    let mut text = expression.to_owned();
    for interval in ["$__rate_interval", "$__range", "$__interval"] {
        text = text.replace(interval, "5m");
    }
    let expr = parser::parse(&text).map_err(|error| format!("{error} in {expression}"))?;
    let mut reading = Reading { carries: carries(&expr), ..Reading::default() };
    walk_expr(&mut reading, &expr)?;
    Ok(reading)
}

impl ExprVisitor for Reading {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        if let Some(selector) = selector(expr) {
            self.take(selector)?;
        } else if let Expr::Aggregate(aggregate) = expr
            && let Some(modifier) = &aggregate.modifier
        {
            self.groups(&modifier.labels().labels, expr)?;
        } else if let Expr::Binary(binary) = expr
            && let Some(labels) = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref())
        {
            self.groups(&labels.labels().labels, expr)?;
        }
        Ok(true)
    }
}

impl Reading {
    fn take(&mut self, selector: &parser::VectorSelector) -> Result<(), String> {
        let metric = selector.name.clone().ok_or("a selector without the name of a metric")?;
        let matchers = selector.matchers.matchers.iter().map(Match::of).collect::<Result<_, _>>()?;
        self.selectors.push(Selector { metric, matchers });
        Ok(())
    }

    fn groups(&mut self, labels: &[String], below: &Expr) -> Result<(), String> {
        let mut names = Names(BTreeSet::new());
        walk_expr(&mut names, below)?;
        self.groupings.push((labels.iter().cloned().collect(), names.0));
        Ok(())
    }
}

/// The selector that an expression is, with or without a range.
fn selector(expr: &Expr) -> Option<&parser::VectorSelector> {
    if let Expr::VectorSelector(selector) = expr {
        return Some(selector);
    }
    if let Expr::MatrixSelector(range) = expr { Some(&range.vs) } else { None }
}

struct Names(BTreeSet<String>);

impl ExprVisitor for Names {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        let name = selector(expr).and_then(|selector| selector.name.clone());
        self.0.extend(name);
        Ok(true)
    }
}

/// The labels of the result, where an aggregation decides them.
fn carries(expr: &Expr) -> Option<BTreeSet<String>> {
    match expr {
        Expr::Aggregate(aggregate) => match &aggregate.modifier {
            Some(modifier) if modifier.is_include() => Some(modifier.labels().labels.iter().cloned().collect()),
            Some(_) => None,
            None => Some(BTreeSet::new()),
        },
        Expr::Paren(paren) => carries(&paren.expr),
        Expr::Unary(unary) => carries(&unary.expr),
        Expr::Binary(binary) => match (carries(&binary.lhs), carries(&binary.rhs)) {
            (Some(left), Some(right)) => Some(left.union(&right).cloned().collect()),
            (one, other) => one.or(other),
        },
        Expr::Call(call) => match call.func.name {
            "absent" => Some(BTreeSet::new()),
            "histogram_quantile" => {
                let mut labels = carries(call.args.last()?.as_ref())?;
                labels.remove("le").then_some(labels)
            }
            _ => carries(call.args.first()?.as_ref()),
        },
        Expr::Subquery(subquery) => carries(&subquery.expr),
        Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => None,
    }
}

impl Match {
    fn of(matcher: &Matcher) -> Result<Self, String> {
        let regular = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
        // Where a variable stands, every value is meant.
        let texts = match matcher.value.as_str() {
            value if value.contains('$') => Vec::new(),
            value if regular => alternatives(value),
            value => vec![value.to_owned()],
        };
        let alternatives = texts.iter().map(|text| one(&matcher.name, text, regular)).collect::<Result<_, _>>()?;
        Ok(Self { label: matcher.name.clone(), alternatives })
    }
}

/// A matcher that says yes to what `text` means.
fn one(label: &str, text: &str, regular: bool) -> Result<Matcher, String> {
    let operator = if regular { "=~" } else { "=" };
    let parsed = parser::parse(&format!("any{{{label}{operator}\"{text}\"}}"))?;
    let matchers = selector(&parsed).map(|selector| selector.matchers.matchers.clone()).unwrap_or_default();
    matchers.into_iter().find(|matcher| matcher.name == label).ok_or(text.to_owned())
}

/// The alternatives of a regular expression that are not within brackets.
fn alternatives(regex: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for letter in regex.chars() {
        match letter {
            '|' if depth == 0 => found.push(String::new()),
            _ => {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                found.last_mut().unwrap().push(letter);
            }
        }
    }
    found
}

#[test]
fn an_expression_is_read_by_its_grammar() {
    let reading = read(
        r#"count by (reason) (max by (name, reason) (a{reason=~"X.+|(Y|Z)", n=~"$n"}) unless on (name) rate(b_total[$__range])) > 0"#,
    )
    .unwrap();
    let names: Vec<&str> = reading.selectors.iter().map(|one| one.metric.as_str()).collect();
    assert_eq!(names, ["a", "b_total"]);
    let matchers = &reading.selectors[0].matchers;
    let texts =
        |index: usize| -> Vec<&str> { matchers[index].alternatives.iter().map(|one| one.value.as_str()).collect() };
    assert_eq!((texts(0), texts(1)), (vec!["X.+", "(Y|Z)"], vec![]));
    assert!(matchers[0].alternatives[0].is_match("X1") && !matchers[0].alternatives[0].is_match("AX1"));
    assert_eq!(reading.carries, Some(BTreeSet::from(["reason".to_owned()])));
    assert_eq!(reading.groupings.len(), 3);
    assert!(read("sum by (x) (").is_err());
}

#[test]
fn labels_of_a_result_are_those_of_its_aggregation() {
    let carried =
        |text: &str| read(text).unwrap().carries.map(|labels| labels.into_iter().collect::<Vec<_>>().join(","));
    assert_eq!(carried("a").as_deref(), None);
    assert_eq!(carried("time() - max by (x, y) (a)").as_deref(), Some("x,y"));
    assert_eq!(carried("histogram_quantile(0.5, sum by (kind, le) (rate(a_bucket[5m])))").as_deref(), Some("kind"));
    assert_eq!(carried("absent(a == 1)").as_deref(), Some(""));
}
