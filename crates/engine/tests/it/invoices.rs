//! What an organization was charged, as the provider holds it, and nobody else's.

use tollkeeper::Error;
use tollkeeper_core::{
    ports::{ErrorKind, Invoice, InvoiceStatus},
    time::Timestamp,
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::Outcome,
    world::{ORG, World},
};

fn invoice(id: &str, customer: &str, status: InvoiceStatus) -> Invoice {
    let at = Some(Timestamp::from_unix_seconds(1_750_000_000));
    Invoice {
        id: id.into(),
        customer_id: customer.into(),
        number: Some(id.to_uppercase()),
        status,
        currency: Some("USD".parse().unwrap()),
        total: 4_900,
        amount_due: 0,
        date: at,
        due_date: None,
        period_start: at,
        period_end: at,
    }
}

async fn ids(world: &World, page: Option<&str>) -> (Vec<String>, Option<String>) {
    let invoices = world.engine().invoices(&world.actor(ORG).await, page).await.unwrap();
    (invoices.invoices.iter().map(|it| it.id.to_string()).collect(), invoices.next)
}

async fn refused(world: &World, id: &str) -> &'static str {
    match world.engine().invoice_pdf(&world.actor(ORG).await, id).await.unwrap_err() {
        Error::Unknown { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

both_engines! {
    async fn invoices_are_told_page_by_page(db: TestDb) {
        let world = World::new(&db).await;
        assert_eq!(ids(&world, None).await, (vec![], None), "nobody was charged yet");
        assert!(world.billing.calls().is_empty(), "and nobody is asked");
        world.subscribe(ORG, "starter").await;
        for (id, customer) in [("in_1", ORG), ("in_2", "org_2"), ("in_3", ORG), ("in_4", ORG)] {
            world.billing.bill(invoice(id, customer, InvoiceStatus::Paid));
        }
        world.billing.rows_per_page(2);
        let (first, next) = ids(&world, None).await;
        assert_eq!(first, ["in_4", "in_3"]);
        assert_eq!(ids(&world, next.as_deref()).await, (vec!["in_1".to_owned()], None));
        let actor = world.actor(ORG).await;
        let wrong = world.engine().invoices(&actor, Some("in_9")).await.unwrap_err();
        assert!(matches!(wrong, Error::Unknown { code: "unknown_page", .. }), "{wrong:?}");
        world.billing.next("invoices", Outcome::Fail(ErrorKind::Rejected));
        assert!(matches!(world.engine().invoices(&actor, None).await, Err(Error::Provider(_))), "not the caller's fault");

        let json = serde_json::to_value(world.engine().invoices(&actor, None).await.unwrap()).unwrap();
        let expected = serde_json::json!({
            "id": "in_4", "number": "IN_4", "status": "paid", "currency": "USD", "total": 4900, "amountDue": 0,
            "date": "2025-06-15T15:06:40Z", "dueDate": null,
            "periodStart": "2025-06-15T15:06:40Z", "periodEnd": "2025-06-15T15:06:40Z",
        });
        assert_eq!((&json["invoices"][0], &json["next"]), (&expected, &"in_3".into()));
    }

    async fn what_is_somebody_elses_is_never_shown(db: TestDb) {
        let world = World::new(&db).await;
        assert_eq!(refused(&world, "in_1").await, "unknown_invoice", "without a customer");
        world.subscribe(ORG, "starter").await;
        world.billing.bill(invoice("in_1", "org_2", InvoiceStatus::Paid));
        world.billing.bill(invoice("in_2", ORG, InvoiceStatus::Paid));
        world.billing.mix_invoices();
        assert_eq!(ids(&world, None).await.0, ["in_2"], "whatever the provider lists");
        assert_eq!(refused(&world, "in_1").await, "unknown_invoice", "though it is there");
        assert_eq!(refused(&world, "in_9").await, "unknown_invoice");
        assert_eq!(world.billing.count("invoice_pdf"), 0, "no link was made");
    }

    async fn a_link_is_made_for_each_who_asks(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.bill(invoice("in_1", ORG, InvoiceStatus::Paid));
        world.billing.bill(invoice("in_2", ORG, InvoiceStatus::Draft));
        let actor = world.actor(ORG).await;
        for number in 1..3 {
            let link = world.engine().invoice_pdf(&actor, "in_1").await.unwrap();
            assert_eq!(link, format!("https://pay.example.com/in_1/{number}.pdf"));
        }
        assert_eq!(refused(&world, "in_2").await, "no_document");
        world.billing.next("invoice_pdf", Outcome::Fail(ErrorKind::Transient));
        assert!(matches!(world.engine().invoice_pdf(&actor, "in_1").await, Err(Error::Provider(_))));
    }
}
