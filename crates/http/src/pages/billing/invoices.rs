//! Invoices, read from the provider when somebody looks.

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tollkeeper::{
    Action, Invoices,
    ids::Provider,
    ports::{Invoice, InvoiceStatus},
};

use crate::{
    asked::look,
    pages::{
        frame::{Frame, Here, Person, Visitor, with_query},
        page, words,
    },
    problem::Problem,
    query,
    router::Shared,
};

/// `/billing/invoices`
#[derive(Template)]
#[template(path = "billing/invoices.html")]
pub(crate) struct InvoicesPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<Row>,
    /// The next page.
    pub(crate) next: Option<String>,
    /// Whether this is the first one.
    pub(crate) first: bool,
}

pub(crate) struct Row {
    pub(crate) number: String,
    pub(crate) date: String,
    pub(crate) amount: String,
    pub(crate) tone: &'static str,
    pub(crate) status: String,
    /// The document, where there is one.
    pub(crate) pdf: Option<String>,
}

/// `GET /billing/invoices`
pub(crate) async fn show(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Result<Response, Problem> {
    let asked = look(&app, &visitor.caller, &uri, Action::List).await?;
    let frame = Frame::new(&app, "Invoices", Here::Billing, Some(Person::of(&asked.actor)));
    let place = query::page(&uri)?;
    let first = place.is_none();
    let invoices = asked.act(|engine, actor| async move { engine.invoices(&actor, place.as_deref()).await }).await?;
    page(&InvoicesPage::of(frame, &invoices, first))
}

impl InvoicesPage {
    pub(crate) fn of(frame: Frame, invoices: &Invoices, first: bool) -> Self {
        let next = invoices.next.as_deref().map(|next| with_query("/billing/invoices", &[("page", next)]));
        Self { frame, rows: invoices.invoices.iter().map(|it| row(it, &invoices.provider)).collect(), next, first }
    }
}

fn row(invoice: &Invoice, provider: &Provider) -> Row {
    let money = |amount| match invoice.currency {
        Some(currency) => words::money(amount, currency, provider),
        None => amount.to_string(),
    };
    let (tone, status) = match &invoice.status {
        InvoiceStatus::Draft => ("calm", "Not final yet".to_owned()),
        InvoiceStatus::Open if invoice.amount_due < invoice.total => {
            ("warn", format!("{} to pay", money(invoice.amount_due)))
        }
        InvoiceStatus::Open => ("warn", "To pay".to_owned()),
        InvoiceStatus::Paid => ("good", "Paid".to_owned()),
        InvoiceStatus::Uncollectible => ("bad", "Unpaid".to_owned()),
        InvoiceStatus::Void => ("calm", "Does not count".to_owned()),
        InvoiceStatus::Other(word) => ("calm", words::feature(word)),
    };
    let id = utf8_percent_encode(invoice.id.as_str(), NON_ALPHANUMERIC);
    Row {
        number: invoice.number.clone().unwrap_or_else(|| "Draft".to_owned()),
        date: invoice.date.map(words::date).unwrap_or_default(),
        amount: money(invoice.total),
        tone,
        status,
        pdf: (invoice.status != InvoiceStatus::Draft).then(|| format!("/api/invoices/{id}/pdf")),
    }
}
