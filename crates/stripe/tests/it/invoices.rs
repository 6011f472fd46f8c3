//! Invoices, as people look at them.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ErrorKind, InvoiceStatus},
    time::Timestamp,
};

use crate::fake::{Fake, answer, list, missing, page, refusal};

fn invoice(members: Value) -> Value {
    let mut whole = json!({
        "id": "in_1", "object": "invoice", "customer": "cus_1", "number": "ACME-0001", "status": "paid",
        "currency": "eur", "total": 4900, "amount_due": 4900, "amount_remaining": 0, "created": 100, "due_date": null,
        "period_start": 1, "period_end": 2, "invoice_pdf": "https://pdf", "hosted_invoice_url": "https://page",
        "lines": { "data": [{ "period": { "start": 100, "end": 300 } }, { "period": { "start": 50, "end": 250 } }] },
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

#[tokio::test]
async fn invoices_come_newest_first_page_by_page() {
    let gone = json!({ "id": "in_0", "object": "invoice", "deleted": true });
    let fake = Fake::playing([page(&[invoice(json!({})), gone]), list(&[])]).await;
    let first = fake.stripe.invoices(&"cus_1".into(), None).await.unwrap();
    assert_eq!((first.rows.len(), first.next.as_deref()), (1, Some("in_0")));
    let row = &first.rows[0];
    assert_eq!(
        (row.id.as_str(), row.number.as_deref(), row.customer_id.as_str()),
        ("in_1", Some("ACME-0001"), "cus_1")
    );
    assert_eq!((row.status.clone(), row.total), (InvoiceStatus::Paid, 4900));
    assert_eq!(row.amount_due, 0, "what is paid is not due any more, whatever Stripe calls it");
    assert_eq!(row.currency.unwrap().as_str(), "EUR");
    let at = |seconds| Some(Timestamp::from_unix_seconds(seconds));
    assert_eq!((row.date, row.due_date, row.period_start, row.period_end), (at(100), None, at(50), at(300)));
    let second = fake.stripe.invoices(&"cus_1".into(), first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (0, None));
    let requests = fake.requests();
    assert_eq!(
        (requests[0].line().as_str(), requests[0].value("customer").as_deref()),
        ("GET /v1/invoices", Some("cus_1"))
    );
    assert_eq!(requests[1].value("starting_after").as_deref(), Some("in_0"));
}

#[tokio::test]
async fn an_invoice_is_in_our_words_or_nowhere() {
    for (word, status) in [
        ("draft", InvoiceStatus::Draft),
        ("open", InvoiceStatus::Open),
        ("paid", InvoiceStatus::Paid),
        ("uncollectible", InvoiceStatus::Uncollectible),
        ("void", InvoiceStatus::Void),
        ("brand_new", InvoiceStatus::Other("brand_new".into())),
    ] {
        let fake = Fake::playing([answer(200, &invoice(json!({ "status": word })))]).await;
        assert_eq!(fake.stripe.invoice(&"in_1".into()).await.unwrap().unwrap().status, status);
    }
    let expanded = invoice(json!({ "customer": { "id": "cus_2" }, "amount_remaining": null, "lines": null }));
    let fake = Fake::playing([missing(), missing(), answer(200, &expanded)]).await;
    let id = "in_2".into();
    assert_eq!(fake.stripe.invoice(&id).await.unwrap(), None);
    assert_eq!(fake.stripe.invoice_pdf(&id).await.unwrap(), None);
    let read = fake.stripe.invoice(&id).await.unwrap().unwrap();
    assert_eq!((read.customer_id.as_str(), read.amount_due, read.period_start), ("cus_2", 4900, None));
    for other in ["", "..", "search", "upcoming", "INV-1"] {
        assert_eq!(fake.stripe.invoice(&other.into()).await.unwrap(), None);
        assert_eq!(fake.stripe.invoice_pdf(&other.into()).await.unwrap(), None);
    }
    assert_eq!(fake.requests().len(), 3, "what cannot be an invoice is not asked for");
}

#[tokio::test]
async fn a_link_is_read_anew_and_a_draft_has_none() {
    let draft = invoice(json!({ "invoice_pdf": null, "hosted_invoice_url": null }));
    let page_only = invoice(json!({ "invoice_pdf": null }));
    let fake = Fake::playing([invoice(json!({})), draft, page_only].map(|it| answer(200, &it))).await;
    for expected in [Some("https://pdf"), None, Some("https://page")] {
        assert_eq!(fake.stripe.invoice_pdf(&"in_1".into()).await.unwrap().as_deref(), expected);
    }
    assert_eq!(fake.lines(), ["GET /v1/invoices/in_1"; 3]);
}

#[tokio::test]
async fn a_customer_that_is_gone_has_none_and_a_page_that_is_none_is_refused() {
    let nobody = || refusal(400, "invalid_request_error", "resource_missing");
    let fake = Fake::playing([nobody(), nobody()]).await;
    assert!(fake.stripe.invoices(&"cus_1".into(), None).await.unwrap().rows.is_empty());
    let refused = fake.stripe.invoices(&"cus_1".into(), Some("in_none")).await.unwrap_err();
    assert!(matches!(refused.kind, ErrorKind::Rejected | ErrorKind::NotFound), "{refused:?}");
}
