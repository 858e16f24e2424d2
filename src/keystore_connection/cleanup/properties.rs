//! Whatever stands outside: a deletion ends, or says what it waits for, and takes nothing that is not ours.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    plan::{Known, Remains, Step},
    tests::{all, decide, endpoint, group, keystore, other, want},
};
use crate::{
    clouds::{
        http::Class,
        ibm::{UkoVaultId, uko::InstalledKeys},
    },
    reconcile::{farewell::Next, fault::Fault, stage::Seen},
};

/// More steps than there are things.
const BOUND: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Whose {
    Ours,
    /// Without a mark, and status names it.
    Known,
    Nobodys,
    Released,
    Others,
}

impl Whose {
    fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Known)
    }

    fn description(self) -> String {
        match self {
            Self::Ours => want().owner.marked("text"),
            Self::Known | Self::Nobodys => "by hand".to_owned(),
            Self::Released => want().owner.released(),
            Self::Others => other().mark(),
        }
    }

    fn tags(self) -> Value {
        let [released, by] = want().owner.released_tags();
        match self {
            Self::Ours => json!({ "uko-operator-owner": want().owner.hash }),
            Self::Known | Self::Nobodys => json!({}),
            Self::Released => json!({ "uko-operator-owner": released, "uko-operator-object": by }),
            Self::Others => json!({ "uko-operator-owner": other().hash, "uko-operator-object": "keys/other" }),
        }
    }
}

fn whose() -> impl Strategy<Value = Whose> {
    proptest::sample::select(vec![Whose::Ours, Whose::Known, Whose::Nobodys, Whose::Released, Whose::Others])
}

#[derive(Clone, Debug)]
struct Outside {
    keystores: Vec<Whose>,
    keys: u64,
    endpoint: Option<Whose>,
    group: Option<&'static str>,
    claimed: bool,
    dark: Option<u8>,
}

prop_compose! {
    fn outside()(
        keystores in proptest::collection::vec(whose(), 0..3),
        keys in prop_oneof![3 => Just(0), 1 => 1..9_u64],
        endpoint in proptest::option::of(whose()),
        group in proptest::option::of(proptest::sample::select(vec!["uko-operator", "set-by-policy"])),
        claimed in any::<bool>(),
        dark in proptest::option::weighted(0.3, 0..5_u8),
    ) -> Outside {
        Outside { keystores, keys, endpoint, group, claimed, dark }
    }
}

impl Outside {
    fn known(&self) -> Known {
        let place = self.keystores.iter().position(|whose| *whose == Whose::Known);
        Known {
            keystore: place.map(|place| format!("k{place}").as_str().into()),
            uko_vault: None,
            private_endpoint: (self.endpoint == Some(Whose::Known)).then(|| want().private_endpoint.unwrap().id),
            last_write_at: None,
        }
    }

    /// Two keystores cannot both be the one that status names.
    fn ours(&self, place: usize) -> bool {
        let first = self.keystores.iter().position(|whose| *whose == Whose::Known);
        self.keystores[place] == Whose::Ours || self.keystores[place] == Whose::Known && first == Some(place)
    }

    fn seen(&self, gone: &[usize]) -> Remains {
        let there = self.keystores.iter().enumerate().filter(|(place, _)| !gone.contains(place));
        let keystores = there.map(|(place, whose)| {
            let id = format!("k{place}");
            (
                UkoVaultId::new("v"),
                crate::clouds::ibm::Keystore { id: id.as_str().into(), ..keystore(&whose.description()) },
            )
        });
        let mut seen = Remains {
            keystores: Seen::Present(keystores.collect()),
            installed: Seen::Present(InstalledKeys { count: self.keys, labels: Vec::new() }),
            endpoint: self.endpoint.map_or(Seen::Absent, |whose| Seen::Present(endpoint(&whose.tags(), "Succeeded"))),
            groups: Seen::Present(self.group.filter(|_| self.endpoint.is_some()).map(group).into_iter().collect()),
            claimed: if self.claimed { Seen::Present(vec!["payments".to_owned()]) } else { Seen::Present(Vec::new()) },
            ..all()
        };
        let fault = Fault::new(Class::Transient, "UkoVaultNotFound", "");
        match self.dark {
            Some(0) => seen.keystores = Seen::Unknown(fault),
            Some(1) => seen.installed = Seen::Unknown(fault),
            Some(2) => seen.endpoint = Seen::Unknown(fault),
            Some(3) => seen.groups = Seen::Unknown(fault),
            Some(_) => seen.claimed = Seen::Unknown(fault),
            None => {}
        }
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deletion_takes_what_is_ours_in_a_safe_order_and_nothing_else(start in outside()) {
        let (mut now, mut gone, known) = (start.clone(), Vec::new(), start.known());
        let ours: Vec<usize> = (0..start.keystores.len()).filter(|place| start.ours(*place)).collect();
        let others = ours.len() < start.keystores.len();
        let mut steps = 0;
        let end = loop {
            steps += 1;
            prop_assert!(steps <= BOUND, "it does not end");
            match decide(&now.seen(&gone), &known, None).next {
                Next::Do(Step::DisconnectKeystore { handle, .. }) => {
                    let place: usize = handle.id.as_str()[1..].parse().unwrap();
                    prop_assert!(ours.contains(&place) && now.keys == 0 && !matches!(now.dark, Some(0 | 1)));
                    gone.push(place);
                }
                Next::Do(Step::DeleteDnsZoneGroup(id)) => {
                    prop_assert!(now.endpoint.is_some_and(Whose::is_ours) && id.last_segment() == "uko-operator" && !others);
                    prop_assert!(ours.iter().all(|place| gone.contains(place)), "the path goes before the keystore");
                    now.group = None;
                }
                Next::Do(Step::DeletePrivateEndpoint { .. }) => {
                    prop_assert!(now.endpoint.is_some_and(Whose::is_ours) && !others, "others may go through it");
                    prop_assert!(ours.iter().all(|place| gone.contains(place)), "the path goes before the keystore");
                    now.endpoint = None;
                }
                Next::Do(Step::ReleaseConnectorEndpoint(_)) => {
                    prop_assert!(ours.iter().all(|place| gone.contains(place)) && !now.endpoint.is_some_and(Whose::is_ours) && !others);
                    now.claimed = false;
                }
                end @ (Next::Wait(_) | Next::Blocked(_) | Next::Over) => break end,
            }
        };
        match end {
            Next::Over => {
                prop_assert!(ours.iter().all(|place| gone.contains(place)));
                prop_assert!(others || !now.claimed && !now.endpoint.is_some_and(Whose::is_ours));
            }
            // Only what cannot be read, or keys that are in use, may stop it.
            end @ (Next::Do(_) | Next::Wait(_) | Next::Blocked(_)) => prop_assert!(now.dark.is_some() || now.keys > 0 && !ours.is_empty(), "{end:?}"),
        }
    }
}
