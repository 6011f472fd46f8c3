//! Sample values of the console's pages.

use serde_json::json;
use tollkeeper::{
    Backlog, DecisionMade, DeliveryFilter, DeliveryState, Drift, OwedEffect, OwedState, StoredDelivery, Story, Trouble,
    TroubledEffects,
};
use tollkeeper_core::{
    effect::{Effect, EffectKind},
    member::{Member, MemberIdentity},
    status::Status,
    subscription::OwedChange,
    time::{MachineTime, Timestamp},
};
use tollkeeper_store::{Cause, CauseKind, drift::DriftClass};

use super::{
    look,
    samples::{HOSTILE, catalog, now, overview, running, states},
};
use crate::pages::console::{
    Frame, News, Place, Who,
    delivery::{DeliveriesPage, DeliveryPage},
    effects::EffectsPage,
    login::LoginPage,
    organization::OrganizationPage,
    organizations::OrganizationsPage,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_773_324_300 + seconds)
}

fn machine(seconds: i64) -> MachineTime {
    MachineTime::from_unix_seconds(1_773_324_300 + seconds)
}

fn frame(title: &str, here: Place) -> Frame {
    let who = Who { name: "operator".into(), way_out: "/console/logout" };
    Frame { sandbox: Some("http://127.0.0.1:4010".into()), ..Frame::plain(title, here, Some(who)) }
}

fn delivery(number: i64, state: DeliveryState) -> StoredDelivery {
    let failed = matches!(state, DeliveryState::Dead) || number % 2 == 0;
    StoredDelivery {
        source: "chargebee".into(),
        event_id: format!("ev_{number}").as_str().into(),
        event_type: "subscription_activated".into(),
        subject: format!("subscription:sub_{number}"),
        occurred_at: (number % 2 == 0).then(|| at(number - 2)),
        received_at: machine(number),
        seen: number,
        body: json!({ "id": format!("ev_{number}"), "content": { "subscription": { "status": "active", "items": [1, 2] } } })
            .to_string()
            .into(),
        state,
        why: matches!(state, DeliveryState::Done | DeliveryState::Ignored)
            .then(|| "the subscription tks_1 is active now".into()),
        attempts: i64::from(failed),
        next_attempt_at: (state == DeliveryState::Pending && failed).then(|| machine(60)),
        last_error: failed.then(|| "the provider did not answer: 503".into()),
    }
}

fn hostile_delivery() -> StoredDelivery {
    StoredDelivery {
        event_type: HOSTILE.into(),
        event_id: HOSTILE.into(),
        source: HOSTILE.into(),
        subject: HOSTILE.into(),
        why: Some(HOSTILE.into()),
        last_error: Some(HOSTILE.into()),
        body: HOSTILE.into(),
        ..delivery(2, DeliveryState::Dead)
    }
}

fn decision(seq: i64, before: Option<Status>, after: Option<Status>) -> DecisionMade {
    let row = |status: Status| {
        let mut row = running(status);
        if status == Status::Active {
            row.seats = Some(7);
        }
        serde_json::to_value(row).unwrap()
    };
    DecisionMade {
        organization_id: "o-17".into(),
        seq,
        at: at(seq),
        cause: match seq % 3 {
            0 => Cause { kind: CauseKind::Inbox, id: format!("ev_{seq}") },
            1 => Cause { kind: CauseKind::Operator, id: "key operator".into() },
            _ => Cause { kind: CauseKind::Time, id: String::new() },
        },
        subscription_id: after.map(|_| "tks_1".into()),
        before: before.map(row),
        after: after.map(row),
        why: "the payment succeeded, so the subscription is active".into(),
    }
}

fn owed(seq: i64, kind: EffectKind, state: OwedState, attempts: i64) -> OwedEffect {
    OwedEffect {
        organization_id: "o-17".into(),
        seq,
        kind,
        sink: "hooks".into(),
        position: 0,
        at: at(seq),
        payload: Effect { kind, subscription_id: None, data: json!({}) },
        state,
        attempts,
        next_attempt_at: (attempts > 0).then(|| machine(90)),
        last_error: (attempts > 0).then(|| "the hook failed: connection refused".into()),
    }
}

fn story() -> Story {
    let mut account = overview(vec![running(Status::Cancelled), running(Status::Active)]).account;
    for (place, row) in account.subscriptions.iter_mut().enumerate() {
        row.id = format!("tks_{place}").as_str().into();
    }
    account.organization.id = "o-17".into();
    let member = |number: i64| Member {
        organization_id: "o-17".into(),
        holder: format!("person{number}@example.com"),
        ids: vec![MemberIdentity { id: "usr_1".into(), active: number != 3, occurred_at: at(0) }],
        since: at(0),
    };
    Story {
        account,
        members: (0..70).map(member).collect(),
        more_members: true,
        seats: Some(25),
        history: vec![
            decision(9, Some(Status::PastDue), Some(Status::Active)),
            decision(8, None, Some(Status::PastDue)),
            decision(7, None, None),
        ],
        senders: vec![("ev_9".into(), "chargebee".into())],
        older: Some(7),
        owed: vec![
            owed(9, EffectKind::SubscriptionUpdated, OwedState::Pending, 2),
            owed(9, EffectKind::EntitlementsChanged, OwedState::Pending, 0),
            owed(8, EffectKind::SubscriptionCreated, OwedState::Delivered, 0),
            owed(8, EffectKind::PaymentFailed, OwedState::Dead, 9),
        ],
        deliveries: vec![delivery(4, DeliveryState::Pending), delivery(3, DeliveryState::Done)],
        drift: vec![Drift {
            organization_id: Some("o-17".into()),
            id: "d1".into(),
            at: at(3),
            provider: "chargebee".into(),
            subscription_id: None,
            class: DriftClass::Edited,
            field: "seats".into(),
            expected: json!(5),
            found: json!(null),
            repaired: false,
            why: "somebody edited it at the provider".into(),
        }],
    }
}

/// With what others wrote everywhere.
fn hostile() -> Story {
    let mut story = story();
    let organization = &mut story.account.organization;
    organization.id = HOSTILE.into();
    organization.display_name = HOSTILE.into();
    (organization.external_id, organization.email) = (Some(HOSTILE.into()), Some(HOSTILE.into()));
    story.account.subscriptions[0].provider_status = Some(HOSTILE.into());
    story.account.subscriptions[0].price_id = Some(HOSTILE.into());
    story.account.subscriptions[0].plan_group = HOSTILE.into();
    story.members[0].holder = HOSTILE.into();
    story.history[0].cause.id = HOSTILE.into();
    story.senders = vec![(HOSTILE.into(), HOSTILE.into())];
    story.history[0].why = HOSTILE.into();
    story.history[0].after = Some(json!({ HOSTILE: HOSTILE }));
    story.history[1].cause.id = HOSTILE.into();
    story.owed[0].sink = HOSTILE.into();
    story.owed[0].last_error = Some(HOSTILE.into());
    story.deliveries = vec![hostile_delivery()];
    (story.drift[0].field, story.drift[0].why) = (HOSTILE.into(), HOSTILE.into());
    (story.drift[0].expected, story.drift[0].found) = (json!(HOSTILE), json!({ HOSTILE: [HOSTILE] }));
    story
}

fn empty() -> Story {
    let mut story =
        Story { members: vec![], history: vec![], owed: vec![], deliveries: vec![], drift: vec![], ..story() };
    story.account.subscriptions.clear();
    story.account.customers.clear();
    story.account.organization.display_name = " ".into();
    story.account.organization.deleted_at = Some(at(5));
    (story.older, story.more_members) = (None, false);
    story
}

/// Every page of the console in every state.
pub(super) fn all() -> Vec<(String, String)> {
    use askama::Template as _;
    use tollkeeper::NameMatch::{Anywhere, Beginning};

    let mut pages = Vec::new();
    let mut add =
        |name: &str, page: Result<String, askama::Error>| pages.push((format!("console: {name}"), page.unwrap()));
    let news = || Some(News { tone: "good", sentence: "It was compared with the provider: nothing differs.".into() });

    for (name, trouble, sign_in) in [
        ("login", None, None),
        ("login, named", None, Some("/auth/login?next=%2Fconsole".to_owned())),
        ("login, refused", Some("This is no key that works here.".to_owned()), None),
    ] {
        let frame = Frame::plain("Console", Place::Login, None);
        add(name, LoginPage { frame, next: "/console".into(), trouble, sign_in }.render());
    }
    let organization = story().account.organization;
    let mut ended = empty().account.organization;
    ended.id = "o-18".into();
    let hostile_organization = hostile().account.organization;
    let troubles = [
        Trouble { source: "chargebee".into(), dead: 3, waiting: 0, failing: 0, oldest: None },
        Trouble { source: HOSTILE.into(), dead: 0, waiting: 5, failing: 2, oldest: Some(machine(-600)) },
    ];
    let home = |query: &str, names, found: &[_], troubles: &[Trouble]| {
        let dead = troubles.len() as i64;
        let effects = TroubledEffects { dead, waiting: 3 * dead, failing: dead };
        let backlog = Backlog { deliveries: troubles.to_vec(), effects, at: machine(0) };
        OrganizationsPage::of(
            frame("Organizations", Place::Organizations),
            query.into(),
            names,
            found,
            query.is_empty().then_some(&backlog),
        )
        .render()
    };
    add("home", home("", Beginning, &[organization.clone(), ended], &troubles));
    add("home, empty", home("", Beginning, &[], &[]));
    add("home, nothing found", home("Acmee", Beginning, &[], &[]));
    add("home, nothing found anywhere", home("Acmee", Anywhere, &[], &[]));
    add("home, hostile", home(HOSTILE, Beginning, &[hostile_organization], &[]));
    add("home, many", home("o", Beginning, &vec![organization; 26], &[]));

    let catalog = catalog();
    let page = |story: &Story, news| {
        OrganizationPage::of(frame("Acme", Place::Organizations), story, &catalog, now(), news).render()
    };
    add("organization", page(&story(), news()));
    add("organization, empty", page(&empty(), None));
    add("organization, hostile", page(&hostile(), None));
    for (name, overview) in states() {
        let mut account = overview.account;
        account.organization.id = "o-17".into();
        add(&format!("organization, {name}"), page(&Story { account, ..empty() }, None));
    }
    let mut owing = empty();
    owing.account.subscriptions = vec![running(Status::Active)];
    owing.account.subscriptions[0].owed_change =
        Some(OwedChange { now: Vec::new(), then: Vec::new(), look_at: at(600) });
    add("organization, owing", page(&owing, None));

    let list = |filter: &DeliveryFilter, rows: &[StoredDelivery]| {
        let sources = ["scalekit".into(), "chargebee".into()];
        DeliveriesPage::of(frame("Deliveries", Place::Deliveries), filter, &sources, rows, news()).render()
    };
    let rows: Vec<_> = DeliveryState::ALL.into_iter().zip(1..).map(|(state, number)| delivery(number, state)).collect();
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let odd =
        DeliveryFilter { subject: Some(HOSTILE.into()), source: Some(HOSTILE.into()), ..DeliveryFilter::default() };
    add("deliveries", list(&DeliveryFilter::default(), &rows));
    add("deliveries, empty", list(&DeliveryFilter::default(), &[]));
    add("deliveries, none such", list(&dead, &[]));
    add("deliveries, hostile", list(&odd, &[hostile_delivery()]));

    let effects = |rows: &[OwedEffect]| EffectsPage::of(frame("Effects", Place::Effects), rows).render();
    add("effects", effects(&[story().owed[3].clone(), story().owed[0].clone()]));
    add("effects, empty", effects(&[]));
    add("effects, hostile", effects(&hostile().owed[..1]));

    let one = |row: &StoredDelivery, organization, news| {
        DeliveryPage::of(frame(&row.event_type, Place::Deliveries), row, organization, news).render()
    };
    for row in &rows {
        add(&format!("delivery, {}", row.state.as_str()), one(row, Some("o-17"), news()));
    }
    add("delivery, hostile", one(&hostile_delivery(), Some(HOSTILE), None));
    pages
}

#[test]
fn every_page_of_the_console_is_well_made() {
    let pages = all();
    assert!(pages.len() > 18, "{}", pages.len());
    for (name, page) in &pages {
        look::at(name, page);
    }
}

#[test]
fn what_others_wrote_is_only_text_in_the_console() {
    let mut seen = 0;
    for (name, page) in all() {
        assert!(!page.contains(HOSTILE) && !page.contains("<img") && !page.contains("\"'>"), "{name}");
        seen += page.matches("&#60;img").count();
    }
    assert!(seen > 40, "hostile words are shown, and harmless: {seen}");
}

#[test]
fn what_it_has_now_is_told_with_its_reason() {
    let pages = all();
    let text = |name: &str| {
        let page = &pages.iter().find(|(own, _)| own == &format!("console: organization, {name}")).unwrap().1;
        let inner = page.split("What it has now").nth(1).unwrap().split("id=\"history\"").next().unwrap();
        let mut text = String::new();
        for piece in inner.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
            text.push(' ');
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (state, told) in [
        ("nothing", "Free open Nothing is paid for: everybody without a live subscription has this plan. default_plan"),
        ("nothing", "3 projects"),
        ("active", "Growth open Its subscription renews. active · tks_1"),
        ("active", "100,000 API calls each period"),
        ("active", "Growth × 25 growth-monthly-USD $49.00"),
        ("trial", "Growth open It is in its trial. in_trial"),
        ("trial that ends", "It is in its trial. Until 2026-03-24 00:00:00, in 12 days."),
        ("non_renewing", "It was cancelled, and stays open until its end. Until 2026-04-01 00:00:00, in 20 days."),
        ("past_due in grace", "A payment failed, and the grace lasts. Until 2026-04-01 00:00:00, in 20 days."),
        ("past_due, closed", "Nothing closed A payment failed, and the grace is over. past_due · tks_1"),
        ("unpaid", "Nothing closed An invoice is unpaid, and the provider has stopped asking. unpaid"),
        ("paused", "Nothing closed It is paused. paused"),
        ("paused", "No feature is open."),
        ("cancelled", "Free open"),
        ("plan unknown", "Its price is not in the catalog: it opens no feature."),
        ("scheduled", "From 1 April 2026 on: Starter with 3 seats."),
        ("scheduled", "Extra projects × 2 extra-projects $10.00"),
        ("twice", "A duplicate: it was paid although there was this one already: tks_1"),
        ("several groups", "support"),
        ("active, collection paused", "Somebody paused the collection of its invoices at the provider"),
        ("owing", "The second half of a change is still owed to the provider; it is looked at by 2026-03-12 14:15:00"),
        ("active", "0 of 25 seats held"),
    ] {
        let text = text(state);
        assert!(text.contains(told), "{state}: {told}\n{text}");
    }
    assert!(text("empty").contains("Nothing closed It was deleted. organization_deleted"));
}

#[test]
fn a_story_is_told_in_words() {
    let page = |name: &str| all().into_iter().find(|(own, _)| own == &format!("console: {name}")).unwrap().1;
    let story = page("organization");
    for told in [
        "<del>past_due</del>",
        "<ins>active</ins>",
        "<ins>7</ins>",
        "The new row, ",
        "delivery ev_9 of chargebee",
        "href=\"/console/deliveries/chargebee/ev_9\"",
        "operator: key operator",
        "tried again at 2026-03-12 14:06:30",
        "given up",
        "more than 70",
        "And 10+ more.",
        "(edited)",
        "?before=7#history",
    ] {
        assert!(story.contains(told), "{told}\n{story}");
    }
    let home = page("home");
    for told in [
        "class=\"bad\"><b>3</b> <span>Deliveries given up</span>",
        "class=\"warn\"><b>5</b> <span>Deliveries that wait</span> <span class=\"soft\">the oldest for 10 minutes</span>",
        "class=\"warn\"><b>2</b> <span>Deliveries that fail</span>",
        "class=\"warn\"><b>6</b> <span>Effects that wait</span> <span class=\"soft\">2 tried, and tried again</span>",
        "class=\"bad\"><b>2</b> <span>Effects given up</span>",
        "name=\"source\" value=\"chargebee\"><button",
    ] {
        assert!(home.contains(told), "{told}\n{home}");
    }
    let calm = page("home, empty");
    assert!(calm.matches("class=\"good\"><b>0</b>").count() == 5 && calm.contains("No delivery waits"), "{calm}");
    assert!(page("effects").contains("?before=9#history") && page("effects").contains("given up"));
    assert!(page("home, many").contains("These are the first 25"));
    assert!(page("organization, empty").contains("Without a name"));
    let fate = |name: &str| {
        let page = page(name);
        let told = page.split("What became of it</dt><dd>").nth(1).unwrap();
        (told.split("</dd>").next().unwrap().to_owned(), page.contains("503"), page.contains("Work on it now"))
    };
    assert_eq!(fate("delivery, pending"), ("Nothing yet.".into(), false, true));
    assert_eq!(fate("delivery, dead"), ("It was given up after 1 try.".into(), true, false));
    // What failed before it was settled is no news.
    for settled in ["delivery, done", "delivery, ignored"] {
        assert_eq!(fate(settled), ("the subscription tks_1 is active now".into(), false, false), "{settled}");
    }
}
