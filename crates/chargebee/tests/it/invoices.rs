use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ErrorKind, InvoiceStatus},
    time::Timestamp,
};

use crate::{
    contracts::Contracts,
    fake::{Fake, answer},
};

fn invoice(status: &str) -> Value {
    json!({ "invoice": {
        "id": "INV-1", "customer_id": "org_acme", "status": status, "currency_code": "EUR", "total": 4900,
        "amount_due": 900, "date": 100, "due_date": 200,
        "line_items": [{ "date_from": 100, "date_to": 300 }, { "date_from": 50, "date_to": 250 }],
    } })
}

fn missing() -> crate::fake::Play {
    answer(404, &json!({ "message": "no", "api_error_code": "resource_not_found" }))
}

#[tokio::test]
async fn invoices_come_newest_first_page_by_page() {
    let fake = Fake::playing([
        answer(200, &json!({ "list": [invoice("payment_due")], "next_offset": "[\"9\"]" })),
        answer(200, &json!({ "list": [], "next_offset": "" })),
    ])
    .await;
    let first = fake.chargebee.invoices(&"org_acme".into(), None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("[\"9\"]"));
    let row = &first.rows[0];
    assert_eq!(
        (row.id.as_str(), row.number.as_deref(), row.customer_id.as_str()),
        ("INV-1", Some("INV-1"), "org_acme")
    );
    assert_eq!((row.status.clone(), row.total, row.amount_due), (InvoiceStatus::Open, 4900, 900));
    assert_eq!(row.currency.unwrap().as_str(), "EUR");
    let at = |seconds| Some(Timestamp::from_unix_seconds(seconds));
    assert_eq!((row.date, row.due_date, row.period_start, row.period_end), (at(100), at(200), at(50), at(300)));
    let second = fake.chargebee.invoices(&"org_acme".into(), first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (0, None));
    let requests = fake.requests();
    assert_eq!(requests[0].value("customer_id[is]").as_deref(), Some("org_acme"));
    assert_eq!(requests[0].value("sort_by[desc]").as_deref(), Some("date"));
    assert_eq!((requests[0].value("offset"), requests[1].value("offset").as_deref()), (None, Some("[\"9\"]")));
}

#[tokio::test]
async fn an_invoice_is_in_our_words_or_nowhere() {
    for (word, status) in [
        ("pending", InvoiceStatus::Draft),
        ("posted", InvoiceStatus::Open),
        ("payment_due", InvoiceStatus::Open),
        ("paid", InvoiceStatus::Paid),
        ("not_paid", InvoiceStatus::Uncollectible),
        ("voided", InvoiceStatus::Void),
        ("brand_new", InvoiceStatus::Other("brand_new".into())),
    ] {
        let fake = Fake::playing([answer(200, &invoice(word))]).await;
        let read = fake.chargebee.invoice(&"INV-1".into()).await.unwrap().unwrap();
        assert_eq!((read.status, read.number.is_some()), (status, word != "pending"), "{word}");
    }
    let bare = json!({ "invoice": { "id": "INV-1", "status": "paid", "currency_code": "?" } });
    let fake = Fake::playing([missing(), missing(), answer(200, &bare)]).await;
    let id = "INV-2".into();
    assert_eq!(fake.chargebee.invoice(&id).await.unwrap(), None);
    assert_eq!(fake.chargebee.invoice_pdf(&id).await.unwrap(), None);
    let read = fake.chargebee.invoice(&id).await.unwrap().unwrap();
    assert_eq!((read.currency, read.total, read.customer_id.as_str()), (None, 0, ""));
    for dots in ["", ".", ".."] {
        assert_eq!(fake.chargebee.invoice(&dots.into()).await.unwrap(), None);
        assert_eq!(fake.chargebee.invoice_pdf(&dots.into()).await.unwrap(), None);
    }
    assert_eq!(fake.requests().len(), 3, "what cannot be an id is not asked for");
}

#[tokio::test]
async fn a_link_is_made_anew_and_remembered_by_nobody() {
    let link = Contracts::open("links").map_or_else(
        || json!({ "download": { "download_url": "https://pdf", "valid_till": 1 } }),
        |contracts| contracts.response("invoice.pdf"),
    );
    let fake = Fake::playing([answer(200, &link), answer(500, &json!({}))]).await;
    let made = fake.chargebee.invoice_pdf(&"INV/2".into()).await.unwrap();
    assert_eq!(made.as_deref(), link["download"]["download_url"].as_str());
    let sent = fake.request();
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/api/v2/invoices/INV%2F2/pdf"));
    assert_eq!((sent.body.as_str(), sent.header("chargebee-idempotency-key")), ("disposition_type=inline", None));
    let failed = fake.chargebee.invoice_pdf(&"INV-2".into()).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Transient, "nothing was changed, so that nothing is unclear");
}
