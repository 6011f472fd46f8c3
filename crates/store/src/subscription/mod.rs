//! Rows of subscriptions, with their items.

mod row;

use sqlx::types::Json;
use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    snapshot::Item,
    subscription::Subscription,
    time::Timestamp,
};

use crate::{
    C, Constraint, Error, Tx,
    link::{self, LinkKind},
    value::{At, at, document},
};

use row::{ItemRow, Row};

/// Reads an organization's subscriptions: all that are not over, of those that are at most the `over` that ended last,
/// and in any case the one that `wanted` names, by our id or by the provider's. Oldest first, by the first instant that
/// is known of each, then by id.
pub(crate) async fn load(
    mut c: C<'_>,
    organization: &OrganizationId,
    wanted: Option<&str>,
    over: i64,
) -> Result<Vec<Subscription>, Error> {
    // Rows before items: whoever changes items raises the row's version, so a reader in between loses its race.
    let rows: Vec<Row> = sql!(
        c.again(),
        all Row,
        "
        SELECT organization_id, id, provider, provider_customer_id, provider_subscription_id, status, provider_status, plan,
        plan_version, plan_group, price_id, seats, period_start, period_end, trial_start, trial_end, cancel_at,
        cancelled_at, ended_at, activated_at, scheduled_plan, scheduled_seats, scheduled_at, past_due_since,
        grace_until, dues_attempts, dues_next_attempt_at, dues_invoice, dues_exhausted, metadata, checkout_key,
        checkout_tries, checkout_params, checkout_ref, checkout_url, checkout_expires_at, provider_version,
        observed_at, due_at, version
        FROM subscription
        WHERE organization_id = $1
          AND (
            status NOT IN ('cancelled', 'expired')
            OR id = $3
            OR provider_subscription_id = $3
            OR id IN (
                SELECT id
                FROM subscription
                WHERE organization_id = $1
                  AND status IN ('cancelled', 'expired')
                ORDER BY COALESCE(ended_at, checkout_expires_at) DESC NULLS LAST, id DESC
                LIMIT $2
            )
          )
        ORDER BY COALESCE(trial_start, activated_at, period_start, checkout_expires_at, observed_at) NULLS LAST, id",
        organization.as_str(),
        over,
        wanted
    )?;
    let mut subscriptions = rows.into_iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
    if subscriptions.is_empty() {
        return Ok(subscriptions);
    }
    let items: Vec<ItemRow> = sql!(
        c,
        all ItemRow,
        "
        SELECT subscription_id, item_price_id, item_type, quantity, unit_price, amount, currency
        FROM subscription_item
        WHERE organization_id = $1
        ORDER BY subscription_id, position",
        organization.as_str()
    )?;
    for item in items {
        if let Some(owner) = subscriptions.iter_mut().find(|row| row.id.as_str() == item.subscription_id) {
            owner.items.push(item.read()?);
        }
    }
    Ok(subscriptions)
}

/// Writes a new row with its items, with its version as given, and claims its id at the provider where it has one.
///
/// # Errors
/// [`Constraint::OpenCheckout`]: the group has an open checkout. [`Constraint::ExternalId`]: the provider's subscription is
/// another row's. [`Constraint::Other`] `subscription_pkey`: the row exists, or the organization has no row.
pub async fn insert(tx: &mut Tx, subscription: &Subscription) -> Result<(), Error> {
    if insert_new(tx, subscription).await? {
        Ok(())
    } else {
        Err(Error::Constraint(Constraint::Other("subscription_pkey".to_owned())))
    }
}

/// As [`insert`], but `false` when the row exists, and then nothing is written.
pub(crate) async fn insert_new(tx: &mut Tx, subscription: &Subscription) -> Result<bool, Error> {
    let rows = bind_all(
        tx.c(),
        "
        INSERT INTO subscription (
        organization_id, id, provider, provider_customer_id, provider_subscription_id, status, provider_status, plan,
        plan_version, plan_group, price_id, seats, period_start, period_end, trial_start, trial_end, cancel_at,
        cancelled_at, ended_at, activated_at, scheduled_plan, scheduled_seats, scheduled_at, past_due_since,
        grace_until, dues_attempts, dues_next_attempt_at, dues_invoice, dues_exhausted, metadata, checkout_key,
        checkout_tries, checkout_params, checkout_ref, checkout_url, checkout_expires_at, provider_version,
        observed_at, due_at, version
        )
        VALUES (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40
        )
        ON CONFLICT (organization_id, id) DO NOTHING",
        subscription,
        subscription.version,
    )
    .await?;
    if rows == 0 {
        return Ok(false);
    }
    insert_items(tx, subscription).await?;
    claim(tx, subscription).await?;
    Ok(true)
}

/// Writes new values if the row still has `expected_version`; its version is one higher then, whatever the value says.
/// Its items are replaced, and its id at the provider is claimed where it has one. `false`: the race is lost and
/// nothing is written.
///
/// # Errors
/// As [`insert`]; roll back then.
pub async fn save(tx: &mut Tx, subscription: &Subscription, expected_version: i64) -> Result<bool, Error> {
    if !update(tx, subscription, expected_version).await? {
        return Ok(false);
    }
    replace_items(tx, subscription).await?;
    claim(tx, subscription).await?;
    Ok(true)
}

/// As [`save`] for a row that was read as `before`: touches items and link only where they change.
pub(crate) async fn save_changed(tx: &mut Tx, before: &Subscription, next: &Subscription) -> Result<bool, Error> {
    if !update(tx, next, before.version).await? {
        return Ok(false);
    }
    if before.items != next.items {
        replace_items(tx, next).await?;
    }
    if before.provider_subscription_id != next.provider_subscription_id || before.provider != next.provider {
        claim(tx, next).await?;
    }
    Ok(true)
}

async fn update(tx: &mut Tx, subscription: &Subscription, expected_version: i64) -> Result<bool, Error> {
    // The new version is bound last; the old one is one less.
    let rows = bind_all(
        tx.c(),
        "
        UPDATE subscription
        SET provider = $3, provider_customer_id = $4, provider_subscription_id = $5, status = $6, provider_status = $7,
        plan = $8, plan_version = $9, plan_group = $10, price_id = $11, seats = $12, period_start = $13, period_end =
        $14, trial_start = $15, trial_end = $16, cancel_at = $17, cancelled_at = $18, ended_at = $19, activated_at =
        $20, scheduled_plan = $21, scheduled_seats = $22, scheduled_at = $23, past_due_since = $24, grace_until = $25,
        dues_attempts = $26, dues_next_attempt_at = $27, dues_invoice = $28, dues_exhausted = $29, metadata = $30,
        checkout_key = $31, checkout_tries = $32, checkout_params = $33, checkout_ref = $34, checkout_url = $35,
        checkout_expires_at = $36, provider_version = $37, observed_at = $38, due_at = $39, version = $40
        WHERE organization_id = $1
          AND id = $2
          AND version = $40 - 1",
        subscription,
        expected_version + 1,
    )
    .await?;
    Ok(rows == 1)
}

/// Runs a statement whose parameters are all columns in the order of the table, and `version` last.
async fn bind_all(c: C<'_>, text: &'static str, row: &Subscription, version: i64) -> Result<u64, Error> {
    let scheduled = row.scheduled.as_ref();
    let dues = row.dues.as_ref();
    let checkout = row.checkout.as_ref();
    sql!(
        c,
        exec,
        text,
        row.organization_id.as_str(),
        row.id.as_str(),
        row.provider.as_str(),
        row.provider_customer_id.as_ref().map(|id| id.as_str()),
        row.provider_subscription_id.as_ref().map(|id| id.as_str()),
        row.status.as_str(),
        row.provider_status.as_deref(),
        row.plan.as_ref().map(|plan| plan.as_str()),
        row.plan_version,
        row.plan_group.as_str(),
        row.price_id.as_ref().map(|id| id.as_str()),
        row.seats,
        at(row.period_start),
        at(row.period_end),
        at(row.trial_start),
        at(row.trial_end),
        at(row.cancel_at),
        at(row.cancelled_at),
        at(row.ended_at),
        at(row.activated_at),
        scheduled.and_then(|change| change.plan.as_ref()).map(|plan| plan.as_str()),
        scheduled.and_then(|change| change.seats),
        scheduled.map(|change| At(change.at)),
        dues.map(|dues| At(dues.since)),
        at(row.grace_until),
        dues.map_or(0, |dues| i64::from(dues.attempts)),
        dues.and_then(|dues| at(dues.next_attempt_at)),
        dues.and_then(|dues| dues.invoice.as_deref()),
        dues.is_some_and(|dues| dues.exhausted),
        document(&row.metadata),
        checkout.map(|checkout| checkout.key.as_str()),
        checkout.map_or(0, |checkout| checkout.tries),
        checkout.map(|checkout| Json(&checkout.params)),
        checkout.and_then(|checkout| checkout.reference.as_deref()),
        checkout.and_then(|checkout| checkout.url.as_deref()),
        checkout.map(|checkout| At(checkout.expires_at)),
        row.provider_version,
        at(row.observed_at),
        at(row.due_at),
        version,
    )
}

async fn replace_items(tx: &mut Tx, subscription: &Subscription) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        DELETE FROM subscription_item
        WHERE organization_id = $1
          AND subscription_id = $2",
        subscription.organization_id.as_str(),
        subscription.id.as_str()
    )?;
    insert_items(tx, subscription).await
}

async fn insert_items(tx: &mut Tx, subscription: &Subscription) -> Result<(), Error> {
    for (position, item) in (0_i64..).zip(&subscription.items) {
        let Item { item_price_id, item_type, quantity, unit_price, amount, currency } = item;
        sql!(
            tx.c(),
            exec,
            "
            INSERT INTO subscription_item (organization_id, subscription_id, position, item_price_id, item_type, quantity, unit_price, amount, currency)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            subscription.organization_id.as_str(),
            subscription.id.as_str(),
            position,
            item_price_id.as_str(),
            item_type.as_str(),
            *quantity,
            *unit_price,
            *amount,
            currency.as_ref().map(|currency| currency.as_str())
        )?;
    }
    Ok(())
}

/// Claims the provider's subscription for exactly this row.
async fn claim(tx: &mut Tx, subscription: &Subscription) -> Result<(), Error> {
    let Some(external) = &subscription.provider_subscription_id else { return Ok(()) };
    let Subscription { provider, organization_id, id, .. } = subscription;
    let our_id = Some(id.as_str());
    match link::hold(tx, provider, LinkKind::Subscription, external.as_str(), organization_id, our_id).await? {
        None => Ok(()),
        Some((owner, row)) if &owner == organization_id && row.as_deref() == our_id => Ok(()),
        Some(_) => Err(Error::Constraint(Constraint::ExternalId)),
    }
}

/// What time alone changes by `now`: at most `limit` rows whose `due_at` has come, the longest waiting first.
///
/// # Errors
/// Only the database's own.
pub async fn due(
    c: C<'_>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(OrganizationId, SubscriptionId, Timestamp)>, Error> {
    row! { struct Due { organization_id: String, id: String, due_at: At<Timestamp> } }
    let rows: Vec<Due> = sql!(
        c,
        all Due,
        "
        SELECT organization_id, id, due_at
        FROM subscription
        WHERE due_at <= $1
        ORDER BY due_at, organization_id, id
        LIMIT $2",
        At(now),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.organization_id.into(), row.id.into(), row.due_at.0)).collect())
}

/// Finds the organization of a row by our id alone.
///
/// # Errors
/// Only the database's own.
pub async fn locate(c: C<'_>, id: &SubscriptionId) -> Result<Option<OrganizationId>, Error> {
    row! { struct Place { organization_id: String } }
    let row: Option<Place> = sql!(
        c,
        opt Place,
        "
        SELECT organization_id
        FROM subscription
        WHERE id = $1
        ORDER BY organization_id
        LIMIT 1",
        id.as_str()
    )?;
    Ok(row.map(|row| row.organization_id.into()))
}
