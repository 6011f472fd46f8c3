//! Reading everything, page by page.

use tollkeeper_core::{
    ids::{OrganizationId, Provider},
    status::Status,
    subscription::Subscription,
};
use tollkeeper_store::{
    Db, account, customer, link,
    link::LinkKind,
    organization,
    subscription::{self, Live},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

/// Five organizations; `org_3` has two customers and nothing else, `org_5` nothing at all. Of the rest each has a live
/// row, one that is over, and an open checkout.
async fn fill(db: &Db) {
    for number in 1..=5 {
        let id = format!("org_{number}");
        sample::add_organization(db, &id).await;
        let id = &OrganizationId::from(id);
        for provider in ["stripe", "chargebee"].into_iter().filter(|_| number == 3) {
            let mut theirs = sample::customer(&format!("cus_{provider}"));
            theirs.provider = provider.into();
            let theirs = &theirs;
            db.write(|tx| Box::pin(async move { customer::link(tx, id, theirs).await })).await.unwrap();
        }
        if [3, 5].contains(&number) {
            continue;
        }
        let theirs = &sample::customer(&format!("cus_{number}"));
        db.write(|tx| Box::pin(async move { customer::link(tx, id, theirs).await })).await.unwrap();
        let live = sample::subscription(id.as_str(), &format!("tks_live_{number}"));
        let over = Subscription {
            status: Status::Cancelled,
            ..sample::subscription(id.as_str(), &format!("tks_over_{number}"))
        };
        for row in [live, over, sample::open(id.as_str(), &format!("tks_open_{number}"), "other")] {
            let row = Subscription { checkout: row.checkout.filter(|_| row.status == Status::Future), ..row };
            sample::add_subscription(db, &row).await.unwrap();
        }
    }
}

fn live(number: i64) -> Live {
    let id = format!("tks_live_{number}");
    Live {
        organization_id: format!("org_{number}").into(),
        provider_subscription_id: format!("sub_of_{id}").into(),
        id: id.as_str().into(),
    }
}

both_engines! {
    async fn many_accounts_are_read_as_each_one_is(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let ids: Vec<OrganizationId> = ["org_4", "org_none", "org_5", "org_1", "org_3", "org_1"].map(Into::into).into();
        let many = account::load_many(conn.c(), &ids).await.unwrap();
        let found: Vec<_> = many.iter().map(|account| account.organization.id.as_str()).collect();
        assert_eq!(found, ["org_1", "org_3", "org_4", "org_5"]);
        for account in &many {
            let one = account::load(conn.c(), &account.organization.id).await.unwrap().unwrap();
            assert_eq!(account, &one);
        }
        let [org_1, org_3, _, org_5] = &many[..] else { panic!("{found:?}") };
        assert_eq!((org_1.customers.len(), org_1.subscriptions.len()), (1, 3));
        assert_eq!(org_3.customers.iter().map(|customer| customer.provider.as_str()).collect::<Vec<_>>(), ["chargebee", "stripe"]);
        assert_eq!((org_5.customers.len(), org_5.subscriptions.len()), (0, 0));
        assert_eq!(account::load_many(conn.c(), &[]).await.unwrap(), []);
    }

    async fn many_links_are_found_at_once(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let (here, elsewhere) = (&Provider::from("chargebee"), &Provider::from("stripe"));
        let asked = [
            (here, LinkKind::Subscription, "sub_of_tks_live_1"),
            (here, LinkKind::Customer, "cus_1"),
            (here, LinkKind::Customer, "sub_of_tks_live_1"),
            (elsewhere, LinkKind::Customer, "cus_1"),
            (here, LinkKind::Subscription, "sub_of_tks_over_4"),
            (here, LinkKind::Subscription, "sub_none"),
            (here, LinkKind::Customer, "cus_1"),
        ];
        let owners = link::owners(conn.c(), &asked).await.unwrap();
        let owners: Vec<_> = owners.iter().map(|owner| owner.as_ref().map(OrganizationId::as_str)).collect();
        assert_eq!(owners, [Some("org_1"), Some("org_1"), None, None, Some("org_4"), None, Some("org_1")]);
        assert_eq!(link::owners(conn.c(), &[]).await.unwrap(), []);
    }

    async fn live_subscriptions_are_paged_in_the_order_of_their_key(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let provider = &"chargebee".into();
        let first = subscription::live_page(conn.c(), provider, None, 2).await.unwrap();
        assert_eq!(first, [live(1), live(2)]);
        let after = (&first[1].organization_id, &first[1].id);
        assert_eq!(subscription::live_page(conn.c(), provider, Some(after), 2).await.unwrap(), [live(4)]);
        assert_eq!(subscription::live_page(conn.c(), &"stripe".into(), None, 2).await.unwrap(), []);
    }

    async fn customers_are_paged_by_organization(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let provider = &"chargebee".into();
        let first = customer::page(conn.c(), provider, None, 3).await.unwrap();
        let expected = [("org_1", "cus_1"), ("org_2", "cus_2"), ("org_3", "cus_chargebee")];
        assert_eq!(first, expected.map(|(organization, customer)| (organization.into(), customer.into())));
        let rest = customer::page(conn.c(), provider, Some(&first[2].0), 3).await.unwrap();
        assert_eq!(rest, [("org_4".into(), "cus_4".into())]);
    }

    async fn organizations_are_paged_by_id(db: TestDb) {
        fill(db.db()).await;
        let mut conn = db.db().read().await.unwrap();
        let first = organization::list(conn.c(), None, 3).await.unwrap();
        let rest = organization::list(conn.c(), Some(&first[2].id), 3).await.unwrap();
        let ids: Vec<_> = first.iter().chain(&rest).map(|organization| organization.id.as_str()).collect();
        assert_eq!(ids, ["org_1", "org_2", "org_3", "org_4", "org_5"]);
    }
}
