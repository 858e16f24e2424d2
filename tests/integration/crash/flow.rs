//! The flows in which an operator can die: what stands before, what a user does, what stands at the end.
//!
//! In: a [`Stage`]. Out: the same stage, one flow further. Never: knows where the crash is.

use serde_json::json;

use super::stage::{NAME, OBJECTS, Stage};
use crate::harness::{add, at, set};

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Two manifests where nothing is.
    Create,
    /// Everything that can be changed in place, changed.
    Update,
    /// A new password of UKO's service principal.
    Rotate,
    /// Both objects, with everything that they made.
    Delete,
}

impl Flow {
    /// Brings the stage to where the flow begins. Afterwards an operator runs, except before [`Flow::Create`].
    pub(super) async fn begin(self, stage: &mut Stage) {
        if self == Self::Create {
            return;
        }
        if self == Self::Delete {
            for object in [&mut stage.world.fixture.endpoint, &mut stage.world.fixture.connection] {
                add(object, "/spec", "deletionPolicy", json!("Delete"));
            }
        }
        stage.world.apply_fixture().await;
        stage.start_operator();
        stage.are_ready().await;
        stage.settles("begun").await;
        stage.notes_the_password().await;
    }

    /// What the user does.
    pub(super) async fn act(self, stage: &mut Stage) {
        match self {
            Self::Create => {
                stage.world.apply_fixture().await;
                stage.start_operator();
            }
            Self::Update => {
                change(stage).await;
                stage.world.apply_fixture().await;
            }
            Self::Rotate => rotate(stage).await,
            Self::Delete => {
                for kind in OBJECTS {
                    stage.world.delete(kind, NAME).await;
                }
            }
        }
    }

    /// Waits for the outcome.
    pub(super) async fn is_done(self, stage: &Stage) {
        match self {
            Self::Create | Self::Update => stage.are_ready().await,
            Self::Rotate => {
                stage.has_the_new_password().await;
                stage.are_ready().await;
            }
            Self::Delete => stage.are_gone().await,
        }
    }

    /// Waits until nothing more happens.
    pub(super) async fn settles(self, stage: &Stage) {
        self.is_done(stage).await;
        match self {
            Self::Create | Self::Update | Self::Rotate => stage.settles("ended").await,
            Self::Delete => {}
        }
    }

    /// Whether the objects can be restored or replaced in the middle of it.
    pub(super) fn keeps_its_objects(self) -> bool {
        match self {
            Self::Create | Self::Update | Self::Rotate => true,
            Self::Delete => false,
        }
    }
}

/// Each field that has a call of its own outside.
async fn change(stage: &mut Stage) {
    let connection = stage.world.get(OBJECTS[1], NAME).await.unwrap();
    let address = at(&connection, "/status/azure/privateIPAddress").clone();
    let fixture = &mut stage.world.fixture;
    let endpoint = &mut fixture.endpoint;
    let allowed = at(endpoint, "/spec/allowedSources/0").clone();
    set(endpoint, "/spec/allowedSources", json!([allowed, "10.99.0.0/16"]));
    set(endpoint, "/spec/destination/host", address);
    add(endpoint, "/spec", "inactivityTimeoutSeconds", json!(120));
    add(endpoint, "/metadata", "annotations", json!({ "uko-operator.io/allow-destination-change": "true" }));
    let connection = &mut fixture.connection;
    add(connection, "/spec/keystore", "name", json!("renamed"));
    add(connection, "/spec/keystore", "description", json!("changed while it worked"));
    add(connection, "/spec/keystore", "location", json!("europe_north"));
    add(connection, "/spec/privateEndpoint", "tags", json!({ "team": "payments" }));
}

/// As the guide says: a second secret in Entra, then the Kubernetes Secret.
async fn rotate(stage: &Stage) {
    let (cloud, seed) = (&stage.world.cloud, &stage.world.fixture.seed);
    let tenant = at(seed, "/azure/tenantId").as_str().unwrap();
    let client = at(seed, "/azure/servicePrincipal/clientId").as_str().unwrap();
    let secrets = json!({ "second": { "value": NEW_PASSWORD } });
    cloud
        .patch(&json!({ "azure": { "tenants": { tenant: { "applications": { client: { "secrets": secrets } } } } } }))
        .await;
    stage.world.put_secret("payments-sp", "clientSecret", Some(NEW_PASSWORD)).await;
}

/// What the service principal's password becomes.
const NEW_PASSWORD: &str = "a-new~client-secret";
