//! Every row of ours against what the providers hold.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tollkeeper_core::{ids::OrganizationId, status::Status, subscription::Subscription, time::Timestamp};
use tollkeeper_store::{Db, account, history, outbox};

use crate::provider::Provider;
use crate::support::{Answer, World};

/// What differs between rows and truth, one sentence each.
pub(crate) async fn differences(world: &World, db: &Db) -> Vec<String> {
    let truth = world.get("/sandbox/truth").await;
    let dues = dues(world).await;
    let now = world.get("/sandbox/clock").await["now"].as_str().unwrap().parse().unwrap();
    let mut found = Vec::new();
    for organization in truth["organizations"].as_array().unwrap() {
        let id = OrganizationId::from(organization["id"].as_str().unwrap());
        let wanted: Vec<&Value> = truth["subscriptions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["organizationId"] == id.as_str())
            .collect();
        let account = account::load(db.read().await.unwrap().c(), &id).await.unwrap();
        let Some(account) = account else {
            found.push(format!("{id} has no row"));
            continue;
        };
        for theirs in &wanted {
            let ours = |row: &&Subscription| {
                row.provider_subscription_id.as_ref().is_some_and(|it| theirs["id"] == it.as_str())
            };
            match account.subscriptions.iter().find(ours) {
                None => found.push(format!("{} of {id} has no row", theirs["id"])),
                Some(row) => {
                    let status = match Provider::of(theirs) {
                        Provider::Stripe => of_stripe(theirs, now),
                        Provider::Chargebee => of_chargebee(theirs, dues.get(theirs["id"].as_str().unwrap())),
                    };
                    found.extend(compare(row, theirs, status));
                }
            }
        }
        let live = account.subscriptions.iter().filter(|row| row.status.is_live()).count();
        if live > wanted.len() {
            found.push(format!("{id} has {live} live rows and the provider {}", wanted.len()));
        }
    }
    found
}

fn compare(row: &Subscription, theirs: &Value, status: Status) -> Vec<String> {
    let seconds = |at: Option<Timestamp>| at.map_or(Value::Null, |at| json!(at.as_unix_seconds()));
    let over = row.status.is_over();
    let pairs = [
        ("provider status", json!(row.provider_status), theirs["status"].clone()),
        ("status", json!(row.status), json!(status)),
        ("seats", json!(row.seats), theirs["seats"].clone()),
        ("price", json!(row.price_id), theirs["items"][0]["priceId"].clone()),
        ("trial end", seconds(row.trial_end), theirs["trialEnd"].clone()),
        // What is over has no period any more at some providers.
        (
            "period end",
            if over { theirs["periodEnd"].clone() } else { seconds(row.period_end) },
            theirs["periodEnd"].clone(),
        ),
        ("end", seconds(row.cancel_at), theirs["cancelAt"].clone()),
        ("collection", json!(row.collection_paused), json!(paused_by_others(theirs, over))),
    ];
    pairs
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what} of {}: {ours} here, {theirs} there", row.id))
        .collect()
}

/// Whether somebody paused the collection of what goes on, without us.
fn paused_by_others(theirs: &Value, over: bool) -> bool {
    // Nobody here asks for a pause that ends by itself.
    let ours = theirs["metadata"]["pausedBy"] == "tollkeeper";
    theirs["collectionPaused"] == true && !ours && !over
}

/// What we must call Stripe's state. A collection that was paused through us is a pause, from when it was asked for.
fn of_stripe(theirs: &Value, now: Timestamp) -> Status {
    let mark = |name: &str| theirs["metadata"][name].as_str();
    let instant = |name| mark(name).map_or(0, |text| text.parse().unwrap());
    let ours = theirs["collectionPaused"] == true && mark("pausedBy") == Some("tollkeeper");
    let begun = ours && instant("pausedFrom") <= now.as_unix_seconds();
    let ends = !theirs["cancelAt"].is_null();
    match theirs["status"].as_str().unwrap() {
        "canceled" => Status::Cancelled,
        "incomplete" => Status::Incomplete,
        "incomplete_expired" => Status::Expired,
        "paused" => Status::Paused,
        _ if begun => Status::Paused,
        "unpaid" => Status::Unpaid,
        "past_due" => Status::PastDue,
        "active" if ends => Status::NonRenewing,
        "active" => Status::Active,
        "trialing" => Status::InTrial,
        other => panic!("{other} is a status that nobody told of"),
    }
}

/// What we must call Chargebee's state.
fn of_chargebee(theirs: &Value, dues: Option<&String>) -> Status {
    match (theirs["status"].as_str().unwrap(), dues.map(String::as_str)) {
        ("cancelled", _) => Status::Cancelled,
        ("paused", _) => Status::Paused,
        ("future", _) => Status::Future,
        (_, Some("not_paid")) => Status::Unpaid,
        (_, Some(_)) => Status::PastDue,
        ("in_trial", None) => Status::InTrial,
        ("non_renewing", None) => Status::NonRenewing,
        ("active", None) => Status::Active,
        (other, _) => panic!("{other} is a status that nobody told of"),
    }
}

/// The worst state among the unpaid invoices of each subscription.
async fn dues(world: &World) -> HashMap<String, String> {
    let mut worst: HashMap<String, String> = HashMap::new();
    // Stripe's status says it.
    for state in ["payment_due", "not_paid"] {
        let mut offset = String::new();
        loop {
            let path = format!("{}/api/v2/invoices?limit=100&status[is]={state}{offset}", world.url);
            let request = world.client.get(path).basic_auth(&world.env["CHARGEBEE_API_KEY"], Some(""));
            let page = Answer::of(request).await.ok();
            for row in page["list"].as_array().unwrap() {
                let subscription = row["invoice"]["subscription_id"].as_str().unwrap();
                worst.insert(subscription.to_owned(), state.to_owned());
            }
            let Some(next) = page["next_offset"].as_str() else { break };
            offset =
                format!("&offset={}", percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC));
        }
    }
    worst
}

/// Whether what is owed to the product is what history says, one to one. Answers how many effects there are.
pub(crate) async fn effects_match_history(db: &Db, organizations: &[String]) -> usize {
    let mut count = 0;
    for id in organizations {
        let id = OrganizationId::from(id.as_str());
        let mut connection = db.read().await.unwrap();
        let log = history::list(connection.c(), &id, 0, 10_000).await.unwrap();
        let owed = outbox::list(connection.c(), &id).await.unwrap();
        let mut by_seq: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for row in &owed {
            by_seq.entry(row.seq).or_default().push(row.kind.as_str());
        }
        for row in &log {
            let mut kinds = by_seq.remove(&row.seq).unwrap_or_default();
            kinds.retain(|kind| MODELLED.contains(kind));
            kinds.sort_unstable();
            let mut wanted = expected(row.before.as_ref(), row.after.as_ref());
            wanted.sort_unstable();
            assert_eq!(kinds, wanted, "history {} of {id}: {row:?}", row.seq);
        }
        assert!(by_seq.is_empty(), "effects without history of {id}: {by_seq:?}");
        let mut once: Vec<_> = owed.iter().map(|row| (row.seq, row.kind)).collect();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), owed.len(), "an effect of {id} is owed twice");
        count += owed.len();
    }
    count
}

/// The effects that follow from a row alone, derived here once more and in other words.
const MODELLED: [&str; 6] = [
    "subscription.created",
    "subscription.completed",
    "subscription.deleted",
    "trial.started",
    "trial.ended",
    "payment.recovered",
];

fn expected(before: Option<&Value>, after: Option<&Value>) -> Vec<&'static str> {
    let Some(after) = after else { return Vec::new() };
    let none = json!({});
    let was = before.unwrap_or(&none);
    let status = |row: &Value| row["status"].as_str().unwrap_or("none").to_owned();
    let mut kinds = Vec::new();
    let mut when = |holds: bool, kind| {
        if holds {
            kinds.push(kind);
        }
    };
    when(before.is_none(), "subscription.created");
    when(was["activatedAt"].is_null() && !after["activatedAt"].is_null(), "subscription.completed");
    when(status(was) != "cancelled" && status(after) == "cancelled", "subscription.deleted");
    when(status(after) == "in_trial" && was["trialStart"] != after["trialStart"], "trial.started");
    when(status(was) == "in_trial" && status(after) != "in_trial", "trial.ended");
    // Whoever pauses in debt has not paid.
    let runs = matches!(status(after).as_str(), "active" | "non_renewing" | "in_trial");
    when(!was["dues"].is_null() && after["dues"].is_null() && runs, "payment.recovered");
    kinds
}
