//! Gauges that belong to an object: they come with what is known of it, change as a whole, and go with it.
//!
//! In: the rows of one object, all at once. Out: its series at the next scrape. Never: keeps a row of an object that is gone.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::wake::{Key, Kind};

/// One gauge of all objects. A clone is the same gauge.
#[derive(Clone, Debug)]
pub(crate) struct Series<L> {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    rows: Arc<Mutex<Rows<L>>>,
}

/// Labels and value, object by object.
type Rows<L> = BTreeMap<(Kind, Key), Vec<(L, i64)>>;

impl<L: EncodeLabelSet + Clone + Debug + Send + Sync + 'static> Series<L> {
    /// Makes the gauge and hangs it into the registry under the operator's prefix. A unit ends its name.
    pub(crate) fn register(
        registry: &mut Registry,
        name: &'static str,
        unit: Option<Unit>,
        help: &'static str,
    ) -> Self {
        let series = Self { name, help, unit, rows: Arc::default() };
        registry.register_collector(Box::new(series.clone()));
        series
    }

    /// Everything that this gauge says of an object from now on.
    pub(crate) fn set(&self, kind: Kind, key: &Key, rows: Vec<(L, i64)>) {
        self.rows().insert((kind, key.clone()), rows);
    }

    /// The object is gone.
    pub(crate) fn forget(&self, kind: Kind, key: &Key) {
        self.rows().remove(&(kind, key.clone()));
    }

    fn rows(&self) -> MutexGuard<'_, Rows<L>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: EncodeLabelSet + Debug + Send + Sync + 'static> Collector for Series<L> {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = rows.values().flatten().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), MetricType::Gauge)?;
        rows.try_for_each(|(labels, value)| ConstGauge::new(*value).encode(metric.encode_family(labels)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn an_object_s_series_change_as_a_whole_and_go_with_it() {
        let mut registry = Registry::with_prefix("uko_operator");
        let series = Series::register(&mut registry, "age", Some(Unit::Seconds), "How old it is.");
        assert_eq!(scrape(&registry), "# EOF\n", "a gauge without series is not told of");
        let key = |name: &str| ("keys".to_owned(), name.to_owned());
        let row = |name: &str, color: &str, value| ([("name", name.to_owned()), ("color", color.to_owned())], value);
        series.set(Kind::ConnectorEndpoint, &key("a"), vec![row("a", "red", 1), row("a", "blue", 2)]);
        series.set(Kind::AzureKeystoreConnection, &key("a"), vec![row("a", "green", 3)]);
        series.set(Kind::ConnectorEndpoint, &key("a"), vec![row("a", "red", 4)]);
        let head = "# HELP uko_operator_age_seconds How old it is.\n# TYPE uko_operator_age_seconds gauge\n# UNIT uko_operator_age_seconds seconds\n";
        let (red, green) = (
            "uko_operator_age_seconds{name=\"a\",color=\"red\"} 4\n",
            "uko_operator_age_seconds{name=\"a\",color=\"green\"} 3\n",
        );
        assert_eq!(scrape(&registry), format!("{head}{red}{green}# EOF\n"));
        series.forget(Kind::ConnectorEndpoint, &key("a"));
        assert_eq!(scrape(&registry), format!("{head}{green}# EOF\n"));
    }
}
