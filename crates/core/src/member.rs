//! Members: the people of an organization, as a set keyed by lower-cased e-mail.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, UserId},
    time::Timestamp,
};

/// One person of an organization. Leavers stay as tombstones, so that late news about them is recognised as late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Lower-cased e-mail: one person may be `usr_…` and `diruser_…` at once.
    pub holder: String,
    /// Every provider id of this person, each with what was last said about it.
    pub ids: Vec<MemberIdentity>,
    /// The first instant at which we know of this person.
    pub since: Timestamp,
}

/// What the identity provider last said about one id of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberIdentity {
    /// The id at the identity provider.
    pub id: UserId,
    /// Whether it belongs to the organization now.
    pub active: bool,
    /// When the identity provider said so; newer news wins.
    pub occurred_at: Timestamp,
}

/// News about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The id at the identity provider.
    pub user_id: UserId,
    /// As the provider wrote it; absent in some deletions.
    pub email: Option<String>,
    /// Whether the person belongs to the organization from now on.
    pub active: bool,
    /// When it happened, by the identity provider's clock.
    pub occurred_at: Timestamp,
}

impl Member {
    /// Whether any id of this person is active.
    pub fn active(&self) -> bool {
        self.ids.iter().any(|identity| identity.active)
    }

    /// The key of a person: the e-mail, trimmed and lower-cased.
    pub fn holder_of(email: &str) -> String {
        email.trim().to_lowercase()
    }

    /// Takes in news, in any order, any number of times; says whether anything changed.
    ///
    /// Per provider id the newest `occurred_at` wins; of two at the same instant, leaving wins.
    pub fn apply(&mut self, change: &MemberChange) -> bool {
        let known = self.ids.iter_mut().find(|identity| identity.id == change.user_id);
        let news = match known {
            Some(identity) => {
                let newer = change.occurred_at > identity.occurred_at
                    || (change.occurred_at == identity.occurred_at && identity.active && !change.active);
                if newer {
                    identity.active = change.active;
                    identity.occurred_at = change.occurred_at;
                }
                newer
            }
            None => {
                self.ids.push(MemberIdentity {
                    id: change.user_id.clone(),
                    active: change.active,
                    occurred_at: change.occurred_at,
                });
                self.ids.sort_by(|a, b| a.id.cmp(&b.id));
                true
            }
        };
        let earlier = change.occurred_at < self.since;
        if earlier {
            self.since = change.occurred_at;
        }
        news || earlier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(user: &str, active: bool, at: i64) -> MemberChange {
        MemberChange {
            organization_id: "org_1".into(),
            user_id: user.into(),
            email: Some("a@b.c".into()),
            active,
            occurred_at: Timestamp::from_unix_seconds(at),
        }
    }

    fn empty() -> Member {
        Member {
            organization_id: "org_1".into(),
            holder: "a@b.c".into(),
            ids: vec![],
            since: Timestamp::from_micros(i64::MAX),
        }
    }

    #[test]
    fn a_person_with_two_ids_leaves_only_when_both_have_left() {
        let mut member = empty();
        member.apply(&change("usr_1", true, 1));
        member.apply(&change("diruser_1", true, 2));
        member.apply(&change("usr_1", false, 3));
        assert!(member.active());
        member.apply(&change("diruser_1", false, 4));
        assert!(!member.active());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn members_end_the_same_in_any_order_and_with_duplicates(
            news in proptest::collection::vec((0_u8..3, any::<bool>(), 0_i64..5), 1..12),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let changes: Vec<_> = news.iter().map(|(user, active, at)| change(&format!("usr_{user}"), *active, *at)).collect();
            let mut straight = empty();
            for change in &changes {
                straight.apply(change);
            }
            let mut shuffled = empty();
            for index in &order {
                shuffled.apply(index.get(&changes));
            }
            for change in changes.iter().rev() {
                shuffled.apply(change);
            }
            prop_assert_eq!(straight, shuffled);
        }
    }
}
