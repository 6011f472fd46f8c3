//! Every code of a refusal, once: its statuses, what it means, and what helps. `docs/errors.md` is written from here.

/// A code that programs may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    pub(crate) code: &'static str,
    /// The statuses that it comes with.
    pub(crate) statuses: &'static [u16],
    /// What has happened.
    pub(crate) means: &'static str,
    /// What whoever reads it does about it.
    pub(crate) cure: &'static str,
}

/// Finds one.
pub(crate) fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|known| known.code == code)
}

/// The table as Markdown.
pub(crate) fn errors() -> String {
    let mut page = String::from(ABOUT);
    for Code { code, statuses, means, cure } in CODES {
        let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
        page.push_str(&format!("| `{code}` | {} | {means} | {cure} |\n", statuses.join(", ")));
    }
    page
}

/// What stands above it.
const ABOUT: &str = "# Refusals

Every refusal of the API is a problem document (RFC 9457, `application/problem+json`):

| member | meaning |
|---|---|
| `code` | for programs: one of the table below |
| `error`, `detail` | the same sentence for people, twice: front ends of the providers' cookbooks read `error` |
| `field` | the field that is wrong, as the caller spelled it, where it is about one |
| `reason` | why a gate is closed, where it is about one |
| `status`, `title`, `type` | the status, its words, and `about:blank` |
| `requestId` | names the request in the log; also in the header `x-request-id` |

A 429 or 503 says in `retry-after` when to come back, in seconds.
`tollkeeper openapi --errors` prints this page.

| code | status | what has happened | what helps |
|---|---|---|---|
";

const fn code(code: &'static str, statuses: &'static [u16], means: &'static str, cure: &'static str) -> Code {
    Code { code, statuses, means, cure }
}

/// All of them, by what they are about.
#[rustfmt::skip]
pub(crate) const CODES: &[Code] = &[
    // Who asks.
    code("unauthenticated", &[401], "Nobody is proven: the token or key is missing, wrong, revoked, or not meant for this server.", "Sign in, or send `Authorization: Bearer` with a valid access token or API key."),
    code("token_expired", &[401], "The access token was good and has expired.", "Refresh the session and ask again with the new token."),
    code("session_expired", &[401], "The session of the cookie is over: signed out, unused for a week, or a month old.", "Sign in again: `/auth/login`."),
    code("keys_unavailable", &[503], "Access tokens cannot be checked: the identity provider's keys are out of reach.", "Ask again after `retry-after`; if it stays, look whether the identity provider can be reached from the server."),
    code("csrf", &[403], "A change came with the session cookie, but not from a page of this site.", "Call from the product's own pages or from `server.allowed_origins`, or send the token as a bearer."),
    code("rate_limited", &[429], "Too much was asked: by this organization, about this checkout, or with tokens of this address that prove nothing.", "Ask again after `retry-after` seconds."),
    code("sign_in_lost", &[400], "The way back from the sign-in fits no sign-in that began in this browser, or it took too long.", "Sign in again, in one window."),
    code("sign_in_declined", &[403], "The person did not sign in.", "Sign in again."),
    code("sign_in_refused", &[400], "The code or the flow of a sign-in was used before, or is too old.", "Sign in again."),
    code("sign_in_unavailable", &[503], "The identity provider does not answer, so that nobody can sign in and tokens of sessions cannot be renewed.", "Ask again after `retry-after`: the session goes on, and a way back from signing in can be opened again."),
    code("sign_in_failed", &[502, 503], "The identity provider could not sign the person in, or gave tokens that are not believed.", "Try again; operators: the log has its word for why."),
    code("no_sign_in", &[404], "Nobody signs in here: the identity provider only proves access tokens.", "Send an access token; operators: with Scalekit (`SCALEKIT_ENV_URL`, `SCALEKIT_CLIENT_ID`, `SCALEKIT_CLIENT_SECRET`) people sign in here."),
    // For whom.
    code("organization_required", &[403], "The token is valid and names no organization.", "Sign in within an organization; `identity.organization_claim` says where the token names it."),
    code("reference_mismatch", &[403], "`referenceId` is not the organization of this session, or not the one of this API key.", "Leave `referenceId` out, or name your own organization."),
    code("reference_required", &[400], "An API key acts for many organizations and named none.", "Name the organization as `referenceId`."),
    code("ambiguous_reference", &[400], "Query and body name two organizations.", "Name one."),
    code("unknown_organization", &[404], "No organization has this id here.", "Compare the id with the identity provider's, or wait for its webhook."),
    code("organization_deleted", &[403], "The organization was deleted; nothing is sold to it any more.", "Use another organization."),
    code("role_required", &[403], "The person may look at billing, but not change it.", "Ask somebody with one of the roles in `identity.billing_roles`."),
    code("scope_required", &[403], "The API key lacks the scope that this needs.", "Use a key with the scope that the sentence names."),
    code("key_is_pinned", &[403], "The API key is one organization's, and this is about all of them.", "Use the operator key, or a key of no organization."),
    code("denied", &[403], "The product's own rules do not allow this.", "Ask the product's administrators."),
    code("person_required", &[403], "Pages for people were asked for with an API key.", "Ask the API, or open the page in a browser with a session."),
    // How it was asked.
    code("not_found", &[404], "There is nothing at this address.", "Compare the path with this description."),
    code("method_not_allowed", &[405], "The address exists, and not for this method.", "Use one of the methods in the header `allow`."),
    code("invalid_json", &[400], "The body is not JSON.", "Send a JSON object."),
    code("invalid_type", &[400], "The body is no object, or a field has another type than wanted.", "Send what `field` is described as."),
    code("invalid_value", &[400], "A field has the right type and none of the possible values.", "Send one of the values that the sentence names."),
    code("invalid_text", &[400], "A text has characters that no name has, or is empty.", "Send visible characters only."),
    code("too_long", &[400], "A text is longer than its limit.", "Shorten what `field` names."),
    code("too_many", &[400], "A list has more entries than its limit.", "Send fewer."),
    code("empty_list", &[400], "A list has no entries where it needs one.", "Name at least one, or leave the field out."),
    code("incomplete_body", &[400], "The body ended before it was complete.", "Send it again."),
    code("body_timeout", &[408], "The body took too long to arrive.", "Send it again; `http.body_time` is the limit."),
    code("body_too_large", &[413], "The body has more bytes than are taken.", "Send less; `http.body_bytes` is the limit of deliveries."),
    code("unsupported_media_type", &[415], "A form was sent.", "Send JSON with `content-type: application/json`."),
    code("invalid_redirect", &[400], "An address to come back to is not on this site, nor on an allowed origin.", "Give a path such as `/billing`, or add the origin to `server.allowed_origins`."),
    // What to buy.
    code("plan_required", &[400], "The request names no plan, and nothing says which one is meant.", "Name a `plan` or an `itemPriceId`."),
    code("unknown_plan", &[400], "The catalog has no such plan or price.", "Take a name or an id from `GET /api/plans`."),
    code("ambiguous_plan", &[400], "A plan is named in two ways at once.", "Name a `plan`, or price ids in one field, not both."),
    code("not_a_plan", &[400], "The first price id is an add-on's.", "Name the plan's price first, then what comes on top."),
    code("not_an_addon", &[400], "A price id behind the first one is a second plan's.", "Name one plan."),
    code("plan_not_sold", &[400], "The plan is free: there is nothing to buy.", "Choose a plan with a price, or cancel to return to the free one."),
    code("no_such_price", &[400], "The plan or add-on has no price of this interval and currency at this provider.", "Choose an interval and a currency from `GET /api/plans`."),
    code("other_group", &[400], "The plan is of another product line than the subscription.", "Start a checkout for it."),
    code("unknown_addon", &[400], "The catalog has no such add-on.", "Take a name from `GET /api/plans`."),
    code("sold_once", &[400], "What is paid once cannot be part of a running subscription.", "Buy it with `POST /api/checkout`."),
    code("named_twice", &[400], "A price is named twice.", "Name it once, with its quantity."),
    code("bad_quantity", &[400], "A quantity is below one, or higher than anything that is sold.", "Send a possible quantity."),
    code("bad_seats", &[400], "So many seats cannot be had, in general or of this plan.", "Choose a number in the range that the sentence names."),
    code("bad_interval", &[400], "The interval is none.", "Send `month` or `year`."),
    code("bad_currency", &[400], "The currency is none.", "Send three letters such as `USD`."),
    code("currency_mismatch", &[400, 409], "The organization pays in another currency, or the price is not sold in this one.", "Leave `currency` out; with 409, compare the catalog with the provider."),
    code("bad_email", &[400], "That is no e-mail address.", "Send one such as `billing@example.com`."),
    code("bad_locale", &[400], "That is no language.", "Send a language tag such as `en` or `fr-CA`."),
    code("bad_metadata", &[400], "The metadata is no object, or has too many bytes.", "Send a small object."),
    code("reserved_metadata", &[400], "The metadata has a key that Tollkeeper sets.", "Choose another name for it."),
    code("items_required", &[400], "A one-time payment names nothing to pay for.", "Send `items`, each with its `priceId`."),
    code("unknown_price", &[400], "The catalog has no such price.", "Take an id from `GET /api/plans`."),
    code("not_one_time", &[400], "The price recurs, and this is for what is paid once.", "Start a subscription for it, or name another price."),
    code("active_subscription_exists", &[400], "The organization has a live subscription of this product line.", "Change it with `POST /api/subscription/update`."),
    code("checkout_in_progress", &[503], "A checkout for this organization is being prepared this very moment, or is paid and not known yet.", "Ask again after `retry-after`: the same page is answered, or what was bought is known."),
    code("checkout_replaced", &[409], "Another checkout took this one's place meanwhile.", "Start again."),
    code("no_applicable_gateway", &[409], "The billing provider has no payment gateway for this checkout.", "Operators: add one at the provider, or name it in `CHARGEBEE_GATEWAY_ACCOUNT_ID`."),
    code("customer_taken", &[409], "The billing provider has a customer with this organization's id that nobody linked.", "Operators: link it or rename it there."),
    // What to change.
    code("no_subscription", &[400], "There is no live subscription, or not the named one.", "Start a checkout."),
    code("subscription_required", &[400], "There are several subscriptions, and none was named.", "Name one as `subscriptionId`."),
    code("no_customer", &[400, 409], "The organization has no customer at the billing provider.", "Start a checkout: it makes one."),
    code("nothing_changes", &[400], "The subscription is like this already, or the request names no change.", "Name another plan, other seats or other add-ons."),
    code("preview_outdated", &[409], "The change would now cost another amount than what was shown, or it was shown more than 15 minutes ago.", "Show the new `preview` of this answer and confirm with its token."),
    code("preview_mismatch", &[400], "The token is of a preview of another change.", "Preview exactly what is to be changed."),
    code("bad_preview_token", &[400], "The token is none of ours, or another subscription's.", "Preview again."),
    code("token_with_hosted", &[400], "A token pins an amount, and the provider's page shows its own.", "Send `previewToken` or `hosted`, not both."),
    code("hosted_is_now", &[400], "A change on the provider's page happens at once.", "Leave `when` out, or leave `hosted` out."),
    code("scheduled_change_pending", &[409], "A change waits for the period's end, and this would erase it.", "Undo it with `POST /api/subscription/restore` first."),
    code("cancellation_scheduled", &[409], "The subscription ends by itself before this would happen.", "Undo the cancellation with `POST /api/subscription/restore` first."),
    code("subscription_paused", &[409], "The subscription is paused.", "Resume it first."),
    code("payment_due", &[409], "Invoices are unpaid.", "Pay them first, in the portal."),
    code("preview_required", &[400], "The form of a change was sent without the preview that it confirms.", "Look at what the change costs on `/billing/change`, and confirm that."),
    code("change_in_progress", &[409], "Another change of this subscription is being made.", "Ask again in a moment."),
    code("what_required", &[400], "A cancellation and a change are scheduled, and none was named.", "Send `what` as `cancellation` or `change`."),
    code("nothing_scheduled", &[400], "Nothing is scheduled that could be undone.", "Nothing to do."),
    code("not_paused", &[400], "The subscription is not paused, nor about to be.", "Nothing to do."),
    code("bad_until", &[400], "A pause would end before it begins.", "Name a later instant."),
    code("no_page", &[503], "The billing provider gave no page to go to.", "Ask again after `retry-after`."),
    code("foreign_subscription", &[409], "What the billing provider holds belongs to another organization.", "Operators: look at the customer and its metadata at the provider."),
    // What the billing provider says.
    code("payment_declined", &[402], "The payment was declined.", "Use another card, in the portal."),
    code("state_forbids", &[409], "The state at the billing provider forbids this.", "Look at the subscription again; it may just have changed."),
    code("provider_rejected", &[502], "The billing provider refused the request.", "Operators: the log has its words; compare catalog and settings with the provider."),
    code("provider_throttled", &[503], "The billing provider asks to wait.", "Ask again after `retry-after`."),
    code("provider_unavailable", &[503], "The billing provider does not answer right now.", "Ask again after `retry-after`; nothing is done twice."),
    // What is asked for.
    code("payment_required", &[402, 403], "The gate is closed: nobody paid for what is behind it. `reason` says why.", "Lead the person to the pricing page. 403 where `?deny=403` asks for it."),
    code("unknown_feature", &[403], "No plan has ever heard of this feature.", "Compare the name with the catalog."),
    code("gate_unavailable", &[503], "The database is away for longer than memory may be trusted: the gate is closed.", "Ask again after `retry-after`."),
    code("unknown_invoice", &[404], "The organization has no such invoice.", "Take an id from `GET /api/invoices`."),
    code("unknown_page", &[404], "The list has no such page.", "Begin without `page`."),
    code("no_document", &[404], "The invoice is a draft and has no document yet.", "Come back when it is no draft any more."),
    // Deliveries.
    code("unverified", &[401], "The sender of the delivery is not proven.", "Compare the signing secret or the password here with the provider's endpoint."),
    code("invalid_delivery", &[400], "The body is no delivery of this source.", "Send what the provider documents."),
    code("unknown_source", &[404], "Deliveries of this source are not configured here.", "Configure the provider, or correct the address of its endpoint."),
    // Operators.
    code("unknown_delivery", &[404], "No such delivery has arrived.", "Take source and id from `GET /admin/api/inbox`."),
    code("source_required", &[400], "A delivery's id is only unique with its source.", "Name the `source` too."),
    code("unknown_job", &[404], "No such reconciliation is known to this process.", "Begin another one; a job is known to the process that runs it."),
    code("reconcile_running", &[409], "A reconciliation is running already.", "Wait for its end."),
    code("still_billed", &[409], "Something of the organization is still billed, so that it cannot be deleted.", "Look at the subscription at the provider, end it there, and ask again."),
    code("unknown_key", &[404], "No API key with this id works.", "Take an id from `GET /admin/api/keys`."),
    code("bad_name", &[400], "A key needs a name that people recognise.", "Send 1 to 100 characters."),
    code("bad_scopes", &[400], "A key needs scopes that exist.", "Name at least one of `read`, `usage`, `billing`, `admin`."),
    // This server.
    code("not_ready", &[503], "The database is away, or its schema is another than this program's.", "Operators: look at the database; `tollkeeper migrate` brings its schema up."),
    code("overloaded", &[503], "The server has too much to do right now.", "Ask again after `retry-after`."),
    code("timeout", &[503], "The answer took too long.", "Ask again after `retry-after`; what was begun goes on."),
    code("stopping", &[503], "The server is stopping.", "Ask again: another process answers."),
    code("database_unavailable", &[503], "The database is not available right now.", "Ask again after `retry-after`."),
    code("contended", &[503], "Too much is happening to this organization at once.", "Ask again after `retry-after`."),
    code("internal", &[500], "Something went wrong on the server's side.", "Report `requestId`: the log has the cause under it."),
];
