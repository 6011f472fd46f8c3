//! Sample values of every page.

use http::StatusCode;
use tollkeeper::{
    Invoices, Overview, Preview, Settings,
    ports::{ChangeWhen, Invoice, InvoiceStatus, NextInvoice, QuoteLine},
};
use tollkeeper_core::{
    account::Account,
    catalog::{Addon, Catalog, Grant, Interval, Plan, Policy, Price},
    ids::{PlanName, PriceId},
    money::Currency,
    organization::{Customer, Organization},
    snapshot::{Dues, Item, ItemType},
    status::Status,
    subscription::{Checkout, CheckoutParams, ScheduledChange, Subscription},
    time::Timestamp,
};

use crate::{
    body::Fields,
    pages::{
        billing::{
            self, BillingPage,
            change::{ChangePage, Choice, Outcome},
            end::{CancelPage, PausePage},
            invoices::InvoicesPage,
        },
        frame::{Bare, Frame, Here, Person},
        home::HomePage,
        leave::LeavePage,
        pricing::{Look, PricingPage},
        problem::ProblemPage,
    },
    problem::Problem,
};

/// What nobody should be able to put into a page.
pub(super) const HOSTILE: &str = "\"'><img src=x onerror=alert(1)>";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    at("2026-03-12T14:05:00Z")
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn price(id: &str, interval: Interval, currency: &str, amount: i64, per_seat: bool) -> Price {
    let currency = currency.parse().unwrap();
    Price { id: id.into(), provider: "chargebee".into(), interval, currency, amount, per_seat }
}

fn plan(name: &str, title: &str, seats: Option<u64>, features: &[(&str, Grant)], month: i64, per_seat: bool) -> Plan {
    let mut prices = Vec::new();
    if month > 0 {
        for currency in ["USD", "EUR"] {
            let id = |every: &str| format!("{name}-{every}-{currency}");
            prices.push(price(&id("monthly"), Interval::Month, currency, month, per_seat));
            prices.push(price(&id("yearly"), Interval::Year, currency, month * 10, per_seat));
        }
    }
    Plan {
        name: name.into(),
        title: title.into(),
        group: "default".into(),
        version: 1,
        features: features.iter().map(|(name, grant)| ((*name).into(), *grant)).collect(),
        seats,
        trial_days: if name == "growth" { 14 } else { 0 },
        credits: None,
        prices,
        past_due_grace: None,
    }
}

pub(super) fn catalog() -> Catalog {
    let projects = |most| ("projects", Grant::Limit(most));
    let calls = |most| ("api_calls", Grant::Metered(most));
    let sso = ("sso", Grant::Switch);
    let plans = vec![
        plan("free", "Free", None, &[projects(Some(3))], 0, false),
        plan("starter", "Starter", Some(5), &[projects(Some(10))], 1900, false),
        plan("growth", "Growth", Some(25), &[projects(None), sso, calls(Some(100_000))], 4900, false),
        plan("scale", "Scale", None, &[projects(None), sso, ("audit_log", Grant::Switch), calls(None)], 1500, true),
        Plan { group: "support".into(), ..plan("support", HOSTILE, None, &[("phone", Grant::Switch)], 9900, false) },
    ];
    let extra = Addon {
        name: "extra-projects".into(),
        title: "Extra projects".into(),
        item_type: ItemType::Addon,
        features: [("projects".into(), Grant::Limit(Some(10)))].into(),
        prices: vec![price("extra-projects", Interval::Month, "USD", 500, false)],
    };
    Catalog::new(plans, vec![extra], Some("free".into()), Policy::default()).unwrap()
}

fn organization() -> Organization {
    Organization {
        id: "org_1".into(),
        display_name: "Acme Inc".into(),
        external_id: None,
        email: Some("billing@acme.test".into()),
        locale: Some("en".into()),
        currency: Some(usd()),
        billing_provider: "chargebee".into(),
        had_trial: true,
        version: 7,
        identity_updated_at: None,
        deletion_began_at: None,
        deleted_at: None,
        created_at: now(),
        updated_at: now(),
    }
}

/// An organization with these rows.
pub(super) fn overview(rows: Vec<Subscription>) -> Overview {
    let customers = vec![Customer { provider: "chargebee".into(), id: "cus_1".into() }];
    Overview { account: Account { organization: organization(), customers, subscriptions: rows }, holders: 7 }
}

fn nobody_yet() -> Overview {
    let organization = Organization { email: None, locale: None, currency: None, had_trial: false, ..organization() };
    Overview { account: Account { organization, customers: Vec::new(), subscriptions: Vec::new() }, holders: 0 }
}

fn hostile() -> Overview {
    let mut overview = overview(vec![running(Status::Active)]);
    let organization = &mut overview.account.organization;
    organization.display_name = HOSTILE.into();
    organization.email = Some(HOSTILE.into());
    organization.locale = Some(HOSTILE.into());
    overview.account.subscriptions[0].items[0].item_price_id = HOSTILE.into();
    overview.account.subscriptions[0].plan = Some(HOSTILE.into());
    overview
}

/// A subscription of `growth` that began at the first of the month.
pub(super) fn running(status: Status) -> Subscription {
    let price = PriceId::from("growth-monthly-USD");
    let mut row = Subscription::future("tks_1".into(), "org_1".into(), "chargebee".into(), "default");
    row.status = status;
    row.provider_subscription_id = Some("sub_1".into());
    row.provider_customer_id = Some("cus_1".into());
    row.plan = Some("growth".into());
    row.price_id = Some(price.clone());
    row.seats = Some(25);
    row.period_start = Some(at("2026-03-01T00:00:00Z"));
    row.period_end = Some(at("2026-04-01T00:00:00Z"));
    row.items = vec![Item {
        item_price_id: price,
        item_type: ItemType::Plan,
        quantity: 25,
        unit_price: None,
        amount: Some(4900),
        currency: Some(usd()),
    }];
    row
}

fn with(status: Status, adjust: impl FnOnce(&mut Subscription)) -> Subscription {
    let mut row = running(status);
    adjust(&mut row);
    row
}

fn dues() -> Dues {
    Dues {
        since: at("2026-03-01T00:00:00Z"),
        attempts: 2,
        next_attempt_at: Some(at("2026-03-13T12:00:00Z")),
        invoice: Some("INV-1".into()),
        exhausted: false,
    }
}

fn open_checkout() -> Subscription {
    with(Status::Future, |row| {
        row.provider_subscription_id = None;
        row.items.clear();
        row.checkout = Some(Checkout {
            key: "key".into(),
            tries: 1,
            params: CheckoutParams {
                items: Vec::new(),
                currency: usd(),
                trial_end: None,
                success_url: "https://app.example.com/".into(),
                cancel_url: "https://app.example.com/".into(),
                user_id: None,
                metadata: serde_json::Value::Null,
            },
            reference: None,
            url: Some("https://pay.example.com/page?a=1&b=2".into()),
            expires_at: at("2026-03-12T15:05:00Z"),
        });
    })
}

/// Everything that an organization may have, by name.
pub(super) fn states() -> Vec<(&'static str, Overview)> {
    let one = |row| overview(vec![row]);
    let trial = |row: &mut Subscription| {
        row.trial_start = Some(at("2026-03-10T00:00:00Z"));
        row.trial_end = Some(at("2026-03-24T00:00:00Z"));
        row.period_end = row.trial_end;
    };
    let end = Some(at("2026-04-01T00:00:00Z"));
    vec![
        ("nothing", nobody_yet()),
        ("checkout open", one(open_checkout())),
        ("starts later", one(with(Status::Future, |row| row.period_start = Some(at("2026-03-22T00:00:00Z"))))),
        ("incomplete", one(running(Status::Incomplete))),
        ("trial", one(with(Status::InTrial, trial))),
        (
            "trial that ends",
            one(with(Status::InTrial, |row| {
                trial(row);
                row.cancel_at = row.trial_end;
            })),
        ),
        ("active", one(running(Status::Active))),
        ("active, pausing", one(with(Status::Active, |row| row.pause_at = end))),
        ("active, collection paused", one(with(Status::Active, |row| row.collection_paused = true))),
        ("non_renewing", one(with(Status::NonRenewing, |row| row.cancel_at = end))),
        (
            "past_due in grace",
            one(with(Status::PastDue, |row| {
                row.dues = Some(dues());
                row.grace_until = end;
            })),
        ),
        (
            "past_due, closed",
            one(with(Status::PastDue, |row| row.dues = Some(Dues { next_attempt_at: None, ..dues() }))),
        ),
        ("unpaid", one(with(Status::Unpaid, |row| row.dues = Some(Dues { exhausted: true, ..dues() })))),
        ("paused", one(running(Status::Paused))),
        ("cancelled", one(with(Status::Cancelled, |row| row.ended_at = row.period_start))),
        ("expired", one(running(Status::Expired))),
        ("plan unknown", one(unknown())),
        (
            "scheduled",
            one(with(Status::Active, |row| {
                row.scheduled = Some(ScheduledChange {
                    plan: Some(PlanName::from("starter")),
                    seats: Some(3),
                    items: Vec::new(),
                    at: at("2026-04-01T00:00:00Z"),
                });
                row.items.push(Item {
                    item_price_id: "extra-projects".into(),
                    item_type: ItemType::Addon,
                    quantity: 2,
                    unit_price: Some(500),
                    amount: None,
                    currency: Some(usd()),
                });
            })),
        ),
        (
            "seats are not sold",
            one(with(Status::Active, |row| {
                row.plan_group = "support".into();
                row.plan = Some("support".into());
                row.price_id = Some("support-monthly-USD".into());
                row.seats = Some(1);
            })),
        ),
        ("too many people", one(with(Status::Active, |row| row.seats = Some(5)))),
        (
            "twice",
            overview(vec![
                running(Status::Active),
                with(Status::Active, |row| {
                    row.id = "tks_2".into();
                    row.duplicate_of = Some("tks_1".into());
                }),
            ]),
        ),
        (
            "several groups",
            overview(vec![
                running(Status::Active),
                with(Status::PastDue, |row| {
                    row.id = "tks_2".into();
                    row.plan_group = "support".into();
                    row.plan = Some("support".into());
                }),
            ]),
        ),
        ("hostile", hostile()),
    ]
}

pub(super) fn person() -> Option<Person> {
    Some(Person { name: "jane@acme.test".into(), organization: "acme".into() })
}

pub(super) fn frame(title: &str) -> Frame {
    Frame { sandbox: Some("http://127.0.0.1:4010".into()), ..Frame::plain(title, Here::Billing, person()) }
}

fn pricing(own: Option<(&Overview, bool)>, look: &str) -> PricingPage {
    let frame = Frame::plain("Plans", Here::Pricing, own.and_then(|_| person()));
    let settings = Settings::new("chargebee".into(), "https://app.example.com");
    PricingPage::of(frame, &settings, &catalog(), own, &Look::read(&format!("/pricing{look}").parse().unwrap()))
}

/// The page of a change, with what it costs and with what stands in the way.
fn changes() -> Vec<(&'static str, ChangePage)> {
    let settings = Settings::new("chargebee".into(), "https://app.example.com");
    let line = |description: &str, amount| QuoteLine {
        description: description.into(),
        amount,
        proration: true,
        period_start: None,
        period_end: None,
    };
    let preview = |when, amount_due| Preview {
        amount_due,
        currency: usd(),
        credit: if amount_due == 0 { 1200 } else { 0 },
        lines: vec![line("Growth, 20 days of 31", -3161), line(HOSTILE, 9677)],
        when,
        proration_date: now(),
        next_invoice: Some(NextInvoice { at: None, amount: 15_000 }),
        preview_token: "sealed".into(),
    };
    let page = |row: Subscription, fields: &str, outcome: Outcome| {
        let overview = overview(vec![row]);
        let row = &overview.account.subscriptions[0];
        let choice = Choice::of(row, &overview, &catalog(), &settings, &Fields::of_form(fields.as_bytes())).unwrap();
        choice.page(frame("Change the plan"), &overview, &catalog(), &outcome, now())
    };
    let costs = |when, amount_due| Outcome::Costs(preview(when, amount_due));
    let active = || running(Status::Active);
    vec![
        ("nothing chosen", page(active(), "", Outcome::Open)),
        ("up", page(active(), "plan=scale", costs(ChangeWhen::Now, 6516))),
        ("with a credit", page(active(), "plan=scale&seats=1", costs(ChangeWhen::Now, 0))),
        ("down", page(active(), "plan=starter&interval=year", costs(ChangeWhen::PeriodEnd, 0))),
        ("the same", page(active(), "plan=growth", Outcome::Nothing)),
        ("outdated", page(active(), "plan=scale", Outcome::Outdated(Box::new(preview(ChangeWhen::Now, 7000))))),
        ("refused", page(active(), "seats=26", Outcome::Refused(Problem::field("seats", "bad_seats", HOSTILE)))),
        ("unknown", page(unknown(), "", Outcome::Open)),
        ("unknown, seats", page(unknown(), "seats=26", costs(ChangeWhen::Now, 1500))),
        ("not sold any more", page(with(Status::Active, |row| row.plan = Some("free".into())), "", Outcome::Open)),
        ("hostile", page(active(), "plan=%22%3E%3Cimg%20src%3Dx%3E&interval=%3C&seats=-1", Outcome::Open)),
    ]
}

/// A price that the catalog does not know.
fn unknown() -> Subscription {
    with(Status::Active, |row| {
        row.plan = None;
        row.price_id = Some("price_of_the_dashboard".into());
        row.items[0].item_price_id = "price_of_the_dashboard".into();
    })
}

fn invoices() -> Invoices {
    let invoice = |id: &str, status, amount_due| Invoice {
        id: id.into(),
        customer_id: "cus_1".into(),
        number: Some(id.into()).filter(|_| status != InvoiceStatus::Draft),
        status,
        currency: Some(usd()),
        total: 4900,
        amount_due,
        date: Some(now()),
        due_date: None,
        period_start: None,
        period_end: None,
    };
    let mut rows = vec![
        invoice("INV-7", InvoiceStatus::Draft, 4900),
        invoice("INV-6", InvoiceStatus::Open, 4900),
        invoice("INV-5", InvoiceStatus::Open, 900),
        invoice("INV-4", InvoiceStatus::Paid, 0),
        invoice("INV-3", InvoiceStatus::Uncollectible, 4900),
        invoice("INV-2", InvoiceStatus::Void, 0),
        invoice(HOSTILE, InvoiceStatus::Other(HOSTILE.into()), 0),
    ];
    rows[6].currency = None;
    Invoices { provider: "stripe".into(), invoices: rows, next: Some(HOSTILE.into()) }
}

/// Every page in every state: a name and its text.
pub(super) fn all() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add = |name: String, page: &dyn askama::DynTemplate| pages.push((name, page.dyn_render().unwrap()));

    add("home".into(), &HomePage { frame: Frame::plain("What this is", Here::Elsewhere, None) });
    let hostile_person = Some(Person { name: HOSTILE.into(), organization: HOSTILE.into() });
    add("home: hostile".into(), &HomePage { frame: Frame::plain("What this is", Here::Elsewhere, hostile_person) });

    add("pricing".into(), &pricing(None, ""));
    add("pricing: by the year".into(), &pricing(None, "?interval=year&currency=EUR"));
    add("pricing: a reason".into(), &pricing(None, "?reason=subscription_required&feature=sso"));
    let query = "?reason=subscription_required&feature=%22%3E%3Cimg%20src%3Dx%3E&interval=week&currency=%3C";
    add("pricing: hostile".into(), &pricing(None, query));
    for (name, overview) in states() {
        add(format!("pricing: {name}"), &pricing(Some((&overview, true)), ""));
    }
    add("pricing: member".into(), &pricing(Some((&overview(vec![running(Status::Active)]), false)), ""));

    let billing = |overview: &Overview, needs: Option<&str>, query: &str| {
        let news = billing::news(&format!("/billing{query}").parse().unwrap());
        BillingPage::of(frame("Billing"), overview, &catalog(), now(), needs.map(Into::into), news)
    };
    for (name, overview) in states() {
        add(format!("billing: {name}"), &billing(&overview, None, ""));
    }
    let active = overview(vec![running(Status::Active)]);
    add("billing: member".into(), &billing(&active, Some("admin, owner"), ""));
    for (name, page) in changes() {
        add(format!("change: {name}"), &page);
    }
    for (name, row) in [
        ("active", running(Status::Active)),
        ("no period", with(Status::PastDue, |row| row.period_end = None)),
        ("trial", with(Status::InTrial, |row| row.trial_end = row.period_end)),
        ("past due", with(Status::PastDue, |row| row.grace_until = Some(at("2026-03-15T00:00:00Z")))),
        ("unpaid", running(Status::Unpaid)),
        ("hostile", with(Status::Active, |row| row.plan = Some(HOSTILE.into()))),
    ] {
        add(format!("cancel: {name}"), &CancelPage::of(frame("Cancel"), &row, &catalog(), now()));
        add(format!("pause: {name}"), &PausePage::of(frame("Pause"), &row, &catalog(), now()));
    }
    add("invoices".into(), &InvoicesPage::of(frame("Invoices"), &invoices(), true));
    let none = Invoices { provider: "stripe".into(), invoices: Vec::new(), next: None };
    add("invoices: none".into(), &InvoicesPage::of(frame("Invoices"), &none, true));
    add("invoices: no more".into(), &InvoicesPage::of(frame("Invoices"), &none, false));
    for query in [
        "success=1",
        "success=1&checkout=pending",
        "checkout=failed",
        "checkout=cancelled",
        "done=paid",
        "done=changed",
        "done=scheduled",
        "done=cancelled",
        "done=restored",
        "done=paused",
        "done=resumed",
        "done=contact",
        "done=already",
    ] {
        add(format!("billing: {query}"), &billing(&active, None, &format!("?{query}")));
    }
    let address = "https://pay.example.com/page?a=1&b=\"'><img src=x>".into();
    add(
        "leave".into(),
        &LeavePage { frame: Bare::new("One moment"), address, place: "the secure page of the billing provider" },
    );
    for (status, code) in
        [(404, "not_found"), (401, "unauthenticated"), (403, "role_required"), (402, "payment_declined")]
    {
        let status = StatusCode::from_u16(status).unwrap();
        add(
            format!("problem: {status}"),
            &ProblemPage::of(status, code, HOSTILE, "/billing", Some("/billing"), "request-1"),
        );
    }
    for status in [400, 409, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let path = "/billing/\"><img src=x>";
        add(format!("problem: {status}"), &ProblemPage::of(status, "any", "A sentence", path, Some(path), "request-1"));
    }
    pages
}
