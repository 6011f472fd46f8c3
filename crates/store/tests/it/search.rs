//! Finding organizations by what a person remembers of them.

use tollkeeper_core::{member::MemberChange, organization::Organization};
use tollkeeper_store::{
    Db, member, organization,
    search::{self, NameMatch},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

async fn add(db: &Db, id: &str, name: &str, external: Option<&str>, created: i64) {
    let row = &Organization {
        display_name: name.into(),
        external_id: external.map(Into::into),
        email: Some(format!("Billing@{id}.test")),
        created_at: sample::at(created),
        ..sample::organization(id)
    };
    assert!(db.write(|tx| Box::pin(async move { organization::insert(tx, row).await })).await.unwrap());
}

async fn join(db: &Db, organization: &str, email: &str) {
    let change = &MemberChange {
        organization_id: organization.into(),
        user_id: format!("usr_{email}").as_str().into(),
        email: Some(email.into()),
        active: true,
        occurred_at: sample::at(1),
    };
    db.write(|tx| Box::pin(async move { member::apply(tx, change).await })).await.unwrap();
}

async fn fill(db: &Db) {
    add(db, "org_1", "Acme", Some("acme"), 10).await;
    add(db, "org_11", "ACME Labs", None, 30).await;
    add(db, "org_2", "Bolt 100%_!", Some("org_1-of-us"), 20).await;
    add(db, "org_3", "Café", None, 20).await;
    add(db, "\u{fffd}_4", "", None, 5).await;
    add(db, "org_5", "ΟΔΥΣΣΕΥΣ İstanbul", None, 4).await;
    for (id, email) in [("org_3", "Ann@Example.com"), ("org_1", "ann@example.com"), ("org_1", "annie@example.com")] {
        join(db, id, email).await;
    }
}

async fn found(db: &Db, text: &str, names: NameMatch, limit: i64) -> Vec<String> {
    let rows = search::organizations(db.read().await.unwrap().c(), text, names, limit).await.unwrap();
    rows.into_iter().map(|row| row.id.into_string()).collect()
}

both_engines! {
    async fn an_organization_is_found_by_what_one_remembers(db: TestDb) {
        fill(db.db()).await;
        for (text, wanted) in [
            ("org_1", &["org_1", "org_11", "org_2"][..]),
            (" org_11 ", &["org_11"]),
            ("org_", &["org_1", "org_11", "org_2", "org_3", "org_5"]),
            ("ORG_1", &[]),
            ("\u{fffd}", &["\u{fffd}_4"]),
            ("acme", &["org_1", "org_11"]),
            ("aCmE l", &["org_11"]),
            ("cme l", &[]),
            ("CAFÉ", &["org_3"]),
            ("caf", &["org_3"]),
            ("Οδυσσευς", &["org_5"]),
            ("ΟΔΥΣΣΕΥΣ i", &["org_5"]),
            ("ANN@example.com", &["org_1", "org_3"]),
            ("ann@", &[]),
            ("billing@ORG_2.test", &["org_2"]),
            ("bolt 100%", &["org_2"]),
            ("%", &[]),
            ("'; DROP TABLE organization", &[]),
            ("", &[]),
            ("  ", &[]),
        ] {
            assert_eq!(found(db.db(), text, NameMatch::Beginning, 10).await, wanted, "{text}");
        }
        assert_eq!(found(db.db(), "org_", NameMatch::Beginning, 2).await, ["org_1", "org_11"]);
        assert_eq!(found(db.db(), "acme", NameMatch::Beginning, 1).await, ["org_1"]);
    }

    async fn names_are_looked_at_whole_when_that_is_asked_for(db: TestDb) {
        fill(db.db()).await;
        for (text, wanted) in [
            ("ACME", &["org_1", "org_11"][..]),
            ("cme l", &["org_11"]),
            ("aFÉ", &["org_3"]),
            ("ευς ist", &["org_5"]),

            ("org_1", &["org_1", "org_11", "org_2"]),
            ("0%_!", &["org_2"]),
            ("%", &["org_2"]),
            ("_", &["org_2"]),
            ("!", &["org_2"]),
            ("'; DROP TABLE organization", &[]),
            (" ", &[]),
        ] {
            assert_eq!(found(db.db(), text, NameMatch::Anywhere, 10).await, wanted, "{text}");
        }
        assert_eq!(found(db.db(), "acme", NameMatch::Anywhere, 1).await, ["org_1"]);
    }

    async fn the_name_that_counts_is_the_last_one(db: TestDb) {
        add(db.db(), "org_1", "Acme", None, 10).await;
        let renamed = &Organization { display_name: "  Bolt".into(), ..sample::organization("org_1") };
        let version = renamed.version;
        assert!(db.db().write(|tx| Box::pin(async move { organization::save(tx, renamed, version).await })).await.unwrap());
        assert_eq!(found(db.db(), "acme", NameMatch::Beginning, 10).await, [""; 0]);
        assert_eq!(found(db.db(), "BOLT", NameMatch::Beginning, 10).await, ["org_1"]);
    }

    /// No index of Postgres takes more than 2,700 bytes, and what cannot be compressed is the worst.
    async fn what_is_very_long_is_kept_and_stops_nobody(db: TestDb) {
        let long: String = (0..20_000_u32).filter_map(|number| char::from_u32(0x1_0000 + number * 7919 % 0xe_0000)).collect();
        let row = &Organization {
            display_name: long.clone(),
            external_id: Some(long.clone()),
            email: Some(format!("{long}@acme.test")),
            ..sample::organization("org_1")
        };
        assert!(db.db().write(|tx| Box::pin(async move { organization::insert(tx, row).await })).await.unwrap());
        let beginning: String = long.chars().take(20).collect();
        assert_eq!(found(db.db(), &beginning, NameMatch::Beginning, 10).await, ["org_1"]);
        assert_eq!(found(db.db(), &long, NameMatch::Beginning, 10).await, ["org_1"]);
    }

    async fn what_is_found_is_whole(db: TestDb) {
        let row = sample::add_organization(db.db(), "org_1").await;
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(search::organizations(conn.c(), "org_1", NameMatch::Beginning, 1).await.unwrap(), std::slice::from_ref(&row));
        assert_eq!(search::newest(conn.c(), 1).await.unwrap(), [row]);
    }

    async fn the_newest_come_first(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let rows = search::newest(conn.c(), 3).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["org_11", "org_2", "org_3"]);
    }

    async fn of_many_members_the_first_are_read(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let all = member::list(conn.c(), &"org_1".into()).await.unwrap();
        assert_eq!(member::first(conn.c(), &"org_1".into(), 10).await.unwrap(), all);
        assert_eq!(member::first(conn.c(), &"org_1".into(), 1).await.unwrap(), all[..1]);
    }
}
