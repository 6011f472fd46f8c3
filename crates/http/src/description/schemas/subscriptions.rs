//! Plans, subscriptions, checkouts and changes.

use tollkeeper_core::status::Status;

use crate::{
    body::{ADDRESS, NAME, TEXT, TOKEN},
    description::schema::{
        Schema, any, between, from, instant, list, map, named, object, one_of, open_object, text, whole, words,
        yes_or_no,
    },
};

/// The most entries of a list in a body.
const ENTRIES: usize = 20;
/// The most of anything that can be bought.
const MOST: i64 = 100_000;

pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("Session", session()),
        ("KeySession", key_session()),
        ("Plans", plans()),
        ("Plan", plan()),
        ("Addon", addon()),
        ("Price", price()),
        ("Limits", limits()),
        ("Subscriptions", object().has("subscriptions", list(named("Subscription")))),
        ("Subscription", subscription()),
        ("Item", item()),
        ("ScheduledChange", scheduled_change()),
        ("CreateSubscription", create()),
        ("Hosted", hosted()),
        ("Checkout", checkout()),
        ("ChangeSubscription", change()),
        ("Preview", preview()),
        ("PreviewLine", preview_line()),
        ("Applied", applied()),
        ("Changed", one_of([named("Applied"), named("Hosted")]).says("What was done, or where to go to do it.")),
        ("Cancelled", cancelled()),
        ("CancelSubscription", cancel()),
        ("RestoreSubscription", restore()),
        ("PauseSubscription", pause()),
        ("ResumeSubscription", reference(open_object()).may_have("subscriptionId", which())),
        ("OpenPortal", reference(open_object()).may_have("returnUrl", address("Where the portal leads back to."))),
        ("Portal", object().has("url", link()).example(r#"{"url":"https://pay.example.com/portal/1"}"#)),
        ("Pay", pay()),
        ("ChangeBillingContact", change_contact()),
        ("BillingContact", contact()),
        ("PayPage", object().has("mode", words(["hosted"])).has("url", link())),
    ]
}

/// The statuses, as they are spelled.
fn statuses() -> Schema {
    words(Status::ALL.map(Status::as_str))
}

fn link() -> Schema {
    text().says("Where to send the person. Good for a while, and for this person alone.")
}

fn address(says: &'static str) -> Schema {
    text().up_to(ADDRESS).says(says)
}

fn which() -> Schema {
    text().up_to(NAME).says("Which subscription, where there are several.")
}

fn when() -> Schema {
    words(["now", "period_end"])
}

/// What every body about an organization may have.
pub(super) fn reference(body: Schema) -> Schema {
    body.may_have("referenceId", text().up_to(NAME).says("The organization, as in the query."))
}

fn session() -> Schema {
    object()
        .says("Who a person is here.")
        .has("userId", text())
        .has("email", text().or_null().says("Verified by the identity provider; null where it told none."))
        .has("organizationId", text().says("The one organization that this session is about."))
        .has("roles", list(text()))
        .has("permissions", list(text()))
        .has("plans", list(named("Plan")))
}

fn key_session() -> Schema {
    object()
        .says("What an API key is.")
        .has("keyId", text())
        .has("name", text())
        .has("scopes", list(words(["read", "usage", "billing", "admin"])))
        .has("organizationId", text().or_null().says("The one that it is tied to or that was named; null for all."))
        .has("plans", list(named("Plan")))
}

fn plans() -> Schema {
    object().has("plans", list(named("Plan"))).has("addons", list(named("Addon")))
}

fn plan() -> Schema {
    object()
        .says("What is sold.")
        .has("name", text().says("As people read it."))
        .has("plan", text().says("Its name for programs."))
        .has("planId", text().says("The same as `plan`."))
        .has("group", text().says("An organization has at most one live subscription of a group."))
        .has("itemPriceId", text().or_null().says("The first of its prices."))
        .has("prices", list(named("Price")))
        .has("limits", named("Limits"))
        .has("freeTrial", object().has("days", from(1)).or_null())
        .has("default", yes_or_no().says("Whether everybody without a live subscription has it."))
        .example(
            r#"{"name":"Growth","plan":"growth","planId":"growth","group":"default","itemPriceId":"growth-plan-monthly","prices":[{"itemPriceId":"growth-plan-monthly","interval":"month","currency":"USD","amount":4900}],"limits":{"sso":true,"projects":"unlimited","api_calls":100000,"seats":25},"freeTrial":{"days":14},"default":false}"#,
        )
}

fn addon() -> Schema {
    object()
        .says("What is sold on top of a plan.")
        .has("name", text().says("As people read it."))
        .has("addon", text().says("Its name for programs."))
        .has("prices", list(named("Price")))
        .has("limits", named("Limits"))
}

fn price() -> Schema {
    object()
        .says("What a plan or add-on costs.")
        .has("itemPriceId", text().says("Its id at the billing provider."))
        .has("interval", words(["month", "year", "once"]))
        .has("currency", currency())
        .has("amount", whole().says("Minor units, such as cents."))
}

pub(super) fn currency() -> Schema {
    text().says("ISO 4217, upper case.")
}

/// What is granted, as [`tollkeeper::grant_view`] shows it.
pub(super) fn grant() -> Schema {
    one_of([words(["unlimited"]), from(0), yes_or_no()])
}

fn limits() -> Schema {
    map(grant()).says("Features by name: true for a switch, a number for a limit, or `unlimited`; `seats` among them.")
}

fn subscription() -> Schema {
    object()
        .says("A subscription, as this server knows it; the billing provider is not asked.")
        .has("id", text().says("Ours, from before the checkout on."))
        .has("status", statuses().says("In our words."))
        .has("provider", text().says("Who bills it."))
        .has("providerStatus", text().or_null().says("In the provider's word."))
        .has("plan", text().or_null().says("Null where the price is not in the catalog."))
        .has("planId", text().or_null().says("The same as `plan`."))
        .has("itemPriceId", text().or_null().says("The plan's price."))
        .has("items", list(named("Item")))
        .has("seats", whole().or_null().says("As bought."))
        .has("trialStart", instant().or_null())
        .has("trialEnd", instant().or_null())
        .has("periodStart", instant().or_null())
        .has("periodEnd", instant().or_null().says("What is paid ends here."))
        .has("cancelAt", instant().or_null().says("When it will end; null once it has ended."))
        .has("cancelAtPeriodEnd", yes_or_no().says("Whether that is where the period or the trial ends."))
        .has("cancelledAt", instant().or_null().says("When the end was asked for."))
        .has("endedAt", instant().or_null())
        .has("activatedAt", instant().or_null().says("When the gate first opened."))
        .has("scheduledChange", named("ScheduledChange").or_null().says("What waits for the period's end."))
        .has("pauseAt", instant().or_null().says("When it will pause."))
        .has("collectionPaused", yes_or_no().says("Whether somebody at the provider paused the collection of its invoices."))
        .has("duplicateOf", text().or_null().says("The subscription that was there first, where this one was paid a second time."))
        .has("limits", one_of([named("Limits")]).or_null().says("What its plan grants; null where that is unknown."))
        .has("access", named("Access"))
        .has("metadata", any().says("As the checkout was given it; null where it was given none."))
        .example(
            r#"{"id":"tks_0190d4a2c1","status":"active","provider":"chargebee","providerStatus":"active","plan":"growth","planId":"growth","itemPriceId":"growth-plan-monthly","items":[{"itemPriceId":"growth-plan-monthly","itemType":"plan","quantity":5,"unitPrice":4900,"amount":4900,"currency":"USD"}],"seats":5,"trialStart":null,"trialEnd":null,"periodStart":"2030-01-01T00:00:00Z","periodEnd":"2030-02-01T00:00:00Z","cancelAt":null,"cancelAtPeriodEnd":false,"cancelledAt":null,"endedAt":null,"activatedAt":"2030-01-01T00:00:00Z","scheduledChange":null,"pauseAt":null,"collectionPaused":false,"duplicateOf":null,"limits":{"sso":true,"seats":25},"access":{"granted":true,"reason":"active","until":null},"metadata":null}"#,
        )
}

fn item() -> Schema {
    object()
        .says("A line of a subscription.")
        .has("itemPriceId", text())
        .has("itemType", words(["plan", "addon", "charge"]))
        .has("quantity", whole())
        .has("unitPrice", whole().or_null().says("Minor units for one."))
        .has("amount", whole().or_null().says("Minor units in all."))
        .has("currency", currency().or_null())
}

fn scheduled_change() -> Schema {
    let line =
        object().has("priceId", text()).has("quantity", whole()).has("itemType", words(["plan", "addon", "charge"]));
    object()
        .says("A change that waits.")
        .has("plan", text().or_null().says("From then on; null when only the seats change or the price is unknown."))
        .has("seats", whole().or_null().says("From then on."))
        .may_have("items", list(line).says("Every line from then on; not there where the provider does not tell."))
        .has("at", instant())
}

/// What is chosen: the same words for a checkout, a preview and a change.
fn selection(body: Schema) -> Schema {
    let prices = || one_of([text().up_to(NAME), list(text().up_to(NAME)).up_to(ENTRIES)]);
    let addon = open_object()
        .may_have("name", text().up_to(NAME))
        .may_have("addon", text().up_to(NAME).says("The same as `name`."))
        .may_have("quantity", between(1, MOST).says("1 where it is not given."));
    let addons = list(one_of([text().up_to(NAME), addon])).up_to(ENTRIES);
    reference(body)
        .may_have("plan", text().up_to(NAME).says("By name; give this or a price id."))
        .may_have(
            "itemPriceId",
            prices().says("A price id, or a list of them: the plan's first, then what comes on top."),
        )
        .may_have("priceId", prices().says("The same as `itemPriceId`."))
        .may_have("interval", words(["month", "year"]).says("The current one, else `month`."))
        .may_have(
            "currency",
            text().says("ISO 4217. The one the organization pays in already, else the configured one."),
        )
        .may_have(
            "seats",
            between(1, MOST).says("1 for a checkout, and unchanged for a change, where it is not given."),
        )
        .may_have("addons", addons.says("Names, or names with quantities."))
}

fn create() -> Schema {
    selection(open_object())
        .says("What to buy, and where to come back to.")
        .may_have("successUrl", address("Where to land after paying: a path here, or an allowed origin."))
        .may_have("cancelUrl", address("Where to land after giving up."))
        .may_have("trial", yes_or_no().says("False declines the plan's trial."))
        .may_have("metadata", open_object().says("Kept with the subscription."))
        .example(r#"{"plan":"growth","seats":5,"successUrl":"/billing?success=1"}"#)
}

fn hosted() -> Schema {
    object()
        .says("A page of the billing provider, where a person confirms and pays.")
        .has("mode", words(["hosted"]))
        .has("url", link())
}

fn checkout() -> Schema {
    object()
        .says("A checkout that a person can go to.")
        .has("mode", words(["hosted"]))
        .has("url", link())
        .has("subscriptionId", text().says("The subscription that it will become; it is in the list from now on."))
        .example(r#"{"mode":"hosted","url":"https://pay.example.com/pages/1","subscriptionId":"tks_0190d4a2c1"}"#)
}

fn change() -> Schema {
    selection(open_object())
        .says("What to change to, and when.")
        .may_have(
            "when",
            words(["now", "period_end", "auto"])
                .says("`auto`, where it is not given: up at once, down at the period's end."),
        )
        .may_have(
            "previewToken",
            text().up_to(TOKEN).says("Of the preview that the person saw: what was shown is what is charged."),
        )
        .may_have("hosted", yes_or_no().says("Whether the person confirms on a page of the provider."))
        .may_have("successUrl", address("Where that page leads after paying."))
        .may_have("returnUrl", address("The same as `successUrl`."))
        .may_have("cancelUrl", address("Where that page leads after giving up."))
        .may_have("subscriptionId", which())
        .example(r#"{"plan":"scale","seats":8}"#)
}

fn preview() -> Schema {
    let next = object().has("at", instant().or_null()).has("amount", whole().says("After credits."));
    object()
        .says("What a change would cost. Amounts are minor units.")
        .has("amountDue", whole().says("Charged at once."))
        .has("currency", currency())
        .has("credit", whole().says("Kept for later invoices."))
        .has("lines", list(named("PreviewLine")))
        .has("when", when())
        .has("prorationDate", instant().says("The instant that proration counts from."))
        .has("nextInvoice", next.or_null().says("What the period's end will bring."))
        .has("previewToken", text().says("Good for 15 minutes: send it with the change."))
        .example(
            r#"{"amountDue":2450,"currency":"USD","credit":0,"lines":[{"description":"Growth, rest of the month","amount":2450,"proration":true,"periodStart":"2030-01-16T00:00:00Z","periodEnd":"2030-02-01T00:00:00Z"}],"when":"now","prorationDate":"2030-01-16T00:00:00Z","nextInvoice":{"at":"2030-02-01T00:00:00Z","amount":4900},"previewToken":"tkp_…"}"#,
        )
}

fn preview_line() -> Schema {
    object()
        .has("description", text().says("As people read it."))
        .has("amount", whole().says("Negative where something is given back."))
        .has("proration", yes_or_no().says("Whether it is for part of a period."))
        .has("periodStart", instant().or_null())
        .has("periodEnd", instant().or_null())
}

fn applied() -> Schema {
    object()
        .says("Done.")
        .has("mode", words(["applied"]))
        .has("subscription", named("Subscription").says("As it is now."))
}

fn cancelled() -> Schema {
    let applied = object()
        .has("mode", words(["applied"]))
        .has("subscription", named("Subscription"))
        .has("released", named("ScheduledChange").or_null().says("The change that waited, and does not any more."));
    one_of([applied, named("Hosted")]).says("What was done, or where to go to do it.")
}

fn cancel() -> Schema {
    reference(open_object())
        .may_have("when", when().says("`period_end`, where it is not given."))
        .may_have("reason", text().up_to(TEXT).says("Told to the billing provider."))
        .may_have("hosted", yes_or_no().says("Whether the person confirms in the provider's portal."))
        .may_have("returnUrl", address("Where the portal leads back to."))
        .may_have("subscriptionId", which())
}

fn restore() -> Schema {
    reference(open_object())
        .may_have("what", words(["cancellation", "change"]).says("Needed where both are scheduled."))
        .may_have("subscriptionId", which())
}

fn pause() -> Schema {
    let until = one_of([instant(), between(0, 253_402_300_799)]);
    reference(open_object())
        .may_have("when", when().says("`period_end`, where it is not given."))
        .may_have("until", until.says("When it resumes by itself: RFC 3339, or seconds since the Unix epoch."))
        .may_have("subscriptionId", which())
}

fn pay() -> Schema {
    let item = open_object()
        .has("priceId", text().up_to(NAME))
        .may_have("quantity", between(1, MOST).says("1 where it is not given."));
    reference(open_object())
        .has("items", list(item).up_to(ENTRIES).says("What is paid, in one currency."))
        .may_have("successUrl", address("Where to land after paying."))
        .may_have("cancelUrl", address("Where to land after giving up."))
        .example(r#"{"items":[{"priceId":"onboarding","quantity":1}],"successUrl":"/billing?done=paid"}"#)
}

fn change_contact() -> Schema {
    reference(open_object())
        .may_have("email", text().up_to(NAME).says("Where invoices and reminders go."))
        .may_have("locale", text().up_to(NAME).says("The language of them, as BCP 47 names it."))
        .example(r#"{"email":"billing@example.com","locale":"fr-CA"}"#)
}

fn contact() -> Schema {
    object()
        .has("organizationId", text())
        .has("displayName", text().or_null())
        .has("email", text().or_null())
        .has("locale", text().or_null())
}
