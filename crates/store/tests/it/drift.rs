//! The drift ledger.

use serde_json::json;
use tollkeeper_store::{
    drift,
    drift::{Drift, DriftClass},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

fn found(id: &str, organization: Option<&str>, at: i64) -> Drift {
    Drift {
        organization_id: organization.map(Into::into),
        id: id.into(),
        at: sample::at(at),
        provider: "chargebee".into(),
        subscription_id: Some("tks_1".into()),
        class: DriftClass::Edited,
        field: "seats".into(),
        expected: json!({"seats": 5}),
        found: json!([7, null]),
        repaired: true,
        why: "somebody edited it at the provider".into(),
    }
}

both_engines! {
    async fn a_difference_comes_back_as_it_was_recorded(db: TestDb) {
        let mut stranger = found("d3", None, 30);
        (stranger.subscription_id, stranger.expected, stranger.found) = (None, json!(null), json!(null));
        let all = &[found("d1", Some("org_1"), 10), found("d2", Some("org_2"), 20), stranger];
        let other = &[Drift { why: "told again".into(), ..all[0].clone() }];
        db.db()
            .write(|tx| Box::pin(async move {
                drift::record(tx, all).await?;
                drift::record(tx, other).await?;
                drift::record(tx, &[]).await
            }))
            .await
            .unwrap();
        let mut conn = db.db().read().await.unwrap();
        let newest: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(drift::list(conn.c(), None, 10).await.unwrap(), newest);
        assert_eq!(drift::list(conn.c(), None, 1).await.unwrap(), newest[..1]);
        assert_eq!(drift::list(conn.c(), Some(&"org_1".into()), 10).await.unwrap(), all[..1]);
        assert_eq!(drift::list(conn.c(), Some(&"org_none".into()), 10).await.unwrap(), []);
        assert_eq!(drift::count_since(conn.c(), sample::at(20)).await.unwrap(), 2);
        assert_eq!(drift::count_since(conn.c(), sample::at(31)).await.unwrap(), 0);
    }

    async fn every_class_can_be_recorded(db: TestDb) {
        let all: &Vec<_> = &DriftClass::ALL
            .into_iter()
            .map(|class| Drift { class, ..found(class.as_str(), Some("org_1"), 1) })
            .collect();
        db.db().write(|tx| Box::pin(async move { drift::record(tx, all).await })).await.unwrap();
        let read = drift::list(db.db().read().await.unwrap().c(), None, 10).await.unwrap();
        assert_eq!(sample::tally(read.iter().map(|drift| drift.class)), DriftClass::ALL.map(|class| (class, 1)).into());
    }
}
