//! Keys of the product's backend.

use tollkeeper_store::{
    Constraint, Error, api_key,
    api_key::{ApiKey, NewKey},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

fn new(id: &str, hash: u8, created: i64) -> NewKey {
    NewKey {
        id: id.into(),
        hash: [hash; 32],
        name: "Back end".into(),
        scopes: vec!["read".into(), "usage".into()],
        organization_id: Some("org_1".into()),
        created_at: sample::machine(created),
    }
}

fn kept(key: NewKey) -> ApiKey {
    let NewKey { id, name, scopes, organization_id, created_at, .. } = key;
    ApiKey { id, name, scopes, organization_id, created_at, last_used_at: None, revoked_at: None }
}

both_engines! {
    async fn a_key_is_found_by_its_hash_until_and_after_it_is_revoked(db: TestDb) {
        let (first, second) = (new("key_b", 1, 10), NewKey { organization_id: None, scopes: vec![], ..new("key_a", 2, 20) });
        for key in [&first, &second] {
            db.db().write(|tx| Box::pin(async move { api_key::create(tx, key).await })).await.unwrap();
        }
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(api_key::find(conn.c(), &[1; 32]).await.unwrap(), Some(kept(first.clone())));
        assert_eq!(api_key::find(conn.c(), &[3; 32]).await.unwrap(), None);
        assert_eq!(api_key::list(conn.c()).await.unwrap(), [kept(first.clone()), kept(second)], "the oldest first");

        assert_eq!(api_key::get(conn.c(), "key_b").await.unwrap(), Some((kept(first.clone()), [1; 32])));
        assert_eq!(api_key::get(conn.c(), "key_c").await.unwrap(), None);

        let touch = |at| db.db().write(move |tx| Box::pin(async move { api_key::touch(tx, "key_b", sample::machine(at)).await }));
        for at in [30, 40, 35] {
            touch(at).await.unwrap();
        }
        let revoke = |at| db.db().write(move |tx| Box::pin(async move { api_key::revoke(tx, "key_b", sample::machine(at)).await }));
        assert!(revoke(50).await.unwrap());
        assert!(!revoke(60).await.unwrap(), "the first time stays");
        let found = api_key::find(conn.c(), &[1; 32]).await.unwrap().unwrap();
        assert_eq!((found.last_used_at, found.revoked_at), (Some(sample::machine(40)), Some(sample::machine(50))));
    }

    async fn an_id_and_a_hash_are_unique(db: TestDb) {
        let create = |key: NewKey| db.db().write(move |tx| {
            let key = key.clone();
            Box::pin(async move { api_key::create(tx, &key).await })
        });
        create(new("key_1", 1, 0)).await.unwrap();
        for taken in [new("key_1", 2, 0), new("key_2", 1, 0)] {
            let refused = create(taken).await;
            assert!(matches!(refused, Err(Error::Constraint(Constraint::Other(_)))), "{refused:?}");
        }
    }
}
