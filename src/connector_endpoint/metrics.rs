//! What only a connector endpoint can measure.
//!
//! In: its status. Out: how full its connector is, as two series. Never: the connector's id as a label.

use prometheus_client::{encoding::EncodeLabelSet, registry::Registry};

use crate::{
    api::v1alpha1::{ConnectorEndpointStatus, ConnectorStatus},
    reconcile::{
        series::Series,
        wake::{Key, Kind},
    },
};

const KIND: Kind = Kind::ConnectorEndpoint;

#[derive(Clone, Debug, EncodeLabelSet)]
struct ConnectorLabels {
    namespace: String,
    name: String,
    connector: String,
    region: String,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct EndpointMetrics {
    used: Series<ConnectorLabels>,
    limit: Series<ConnectorLabels>,
}

impl EndpointMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let used = "Location endpoints that the connector of an object has, whoever made them.";
        let limit = "Location endpoints that the connector of an object can have.";
        Self {
            used: Series::register(registry, "connector_endpoints_used", None, used),
            limit: Series::register(registry, "connector_endpoints_limit", None, limit),
        }
    }

    /// A pass ended with this status. Without both numbers there is nothing to compare.
    pub(super) fn told(&self, key: &Key, status: &ConnectorEndpointStatus) {
        let counted = status.connector.as_ref().and_then(|connector| {
            let labels = labels(key, connector);
            Some((labels, connector.endpoints_used?, connector.endpoints_limit?))
        });
        let (used, limit) = match counted {
            Some((labels, used, limit)) => (vec![(labels.clone(), i64::from(used))], vec![(labels, i64::from(limit))]),
            None => (Vec::new(), Vec::new()),
        };
        self.used.set(KIND, key, used);
        self.limit.set(KIND, key, limit);
    }

    /// The object is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.used.forget(KIND, key);
        self.limit.forget(KIND, key);
    }
}

fn labels(key: &Key, connector: &ConnectorStatus) -> ConnectorLabels {
    ConnectorLabels {
        namespace: key.0.clone(),
        name: key.1.clone(),
        connector: connector.name.clone().unwrap_or_default(),
        region: connector.region.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(used: Option<u32>) -> ConnectorEndpointStatus {
        let connector = ConnectorStatus {
            id: Some("U2F0-secretive".to_owned()),
            name: Some("keys-eu".to_owned()),
            region: Some("eu-de".to_owned()),
            endpoints_used: used,
            endpoints_limit: Some(25),
            ..ConnectorStatus::default()
        };
        ConnectorEndpointStatus { connector: Some(connector), ..ConnectorEndpointStatus::default() }
    }

    #[test]
    fn a_connector_s_use_and_limit_come_together_and_go_with_the_object() {
        let mut registry = Registry::with_prefix("uko_operator");
        let metrics = EndpointMetrics::register(&mut registry);
        let key = ("keys".to_owned(), "payments".to_owned());
        let scrape = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        metrics.told(&key, &status(Some(24)));
        let labels = r#"{namespace="keys",name="payments",connector="keys-eu",region="eu-de"}"#;
        for line in [format!("_used{labels} 24\n"), format!("_limit{labels} 25\n")] {
            assert!(scrape().contains(&format!("uko_operator_connector_endpoints{line}")), "{}", scrape());
        }
        assert!(!scrape().contains("secretive"), "{}", scrape());
        metrics.told(&key, &status(None));
        assert_eq!(scrape(), "# EOF\n", "the endpoints were not counted");
        metrics.told(&key, &status(Some(3)));
        metrics.forget(&key);
        assert_eq!(scrape(), "# EOF\n");
    }
}
