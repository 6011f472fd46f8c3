//! Rows of subscriptions, with their items.

mod row;

use std::{collections::HashSet, sync::LazyLock};

use sqlx::types::Json;
use tollkeeper_core::{
    ids::{OrganizationId, Provider, ProviderSubscriptionId, SubscriptionId},
    snapshot::Item,
    subscription::Subscription,
    time::Timestamp,
};

use crate::{
    C, Constraint, Error, Tx,
    link::{self, LinkKind},
    macros::Both,
    value::{At, at, document},
};

use row::{ItemRow, Row};

/// All columns, in the order of the table.
const COLUMNS: &str = "organization_id, id, provider, provider_customer_id, provider_subscription_id, status, provider_status, plan, plan_version, plan_group, price_id, seats, period_start, period_end, trial_start, trial_end, cancel_at, cancelled_at, ended_at, activated_at, scheduled_plan, scheduled_seats, scheduled_items, scheduled_at, owed_change, pause_at, collection_paused, duplicate_of, trial_end_told, past_due_since, grace_until, dues_attempts, dues_next_attempt_at, dues_invoice, dues_exhausted, metadata, checkout_key, checkout_tries, checkout_params, checkout_ref, checkout_url, checkout_expires_at, provider_version, observed_at, due_at, version";

/// Reads the subscriptions of organizations: all that are not over, of those that are at most the `over` of each that
/// ended last, and in any case the one that `wanted` names, by our id or by the provider's. By organization, then oldest
/// first, by the first instant that is known of each, then by id.
pub(crate) async fn load(
    c: C<'_>,
    organizations: &[&str],
    wanted: Option<&str>,
    over: i64,
) -> Result<Vec<Subscription>, Error> {
    type Joined = Both<Row, ItemRow>;
    // A row with its items in one statement: what is read belongs together.
    let rows: Vec<Joined> = sql!(
        c,
        all Joined among organizations,
        "
        SELECT s.organization_id, s.id, s.provider, s.provider_customer_id, s.provider_subscription_id, s.status,
        s.provider_status, s.plan, s.plan_version, s.plan_group, s.price_id, s.seats, s.period_start, s.period_end,
        s.trial_start, s.trial_end, s.cancel_at, s.cancelled_at, s.ended_at, s.activated_at, s.scheduled_plan,
        s.scheduled_seats, s.scheduled_items, s.scheduled_at, s.owed_change, s.pause_at, s.collection_paused, s.duplicate_of,
        s.trial_end_told, s.past_due_since, s.grace_until, s.dues_attempts, s.dues_next_attempt_at, s.dues_invoice,
        s.dues_exhausted, s.metadata, s.checkout_key, s.checkout_tries, s.checkout_params, s.checkout_ref,
        s.checkout_url, s.checkout_expires_at, s.provider_version, s.observed_at, s.due_at, s.version,
        i.item_price_id, i.item_type, i.quantity, i.unit_price, i.amount, i.currency
        FROM (
            SELECT organization_id, id, ROW_NUMBER() OVER (
                PARTITION BY organization_id, status IN ('cancelled', 'expired')
                ORDER BY COALESCE(ended_at, checkout_expires_at) DESC NULLS LAST, id DESC
            ) AS place
            FROM subscription
            WHERE organization_id",
        ") AS placed
        JOIN subscription AS s
          ON s.organization_id = placed.organization_id
         AND s.id = placed.id
        LEFT JOIN subscription_item AS i
          ON i.organization_id = s.organization_id
         AND i.subscription_id = s.id
        WHERE s.status NOT IN ('cancelled', 'expired')
           OR placed.place <= $2
           OR s.id = $3
           OR s.provider_subscription_id = $3
        ORDER BY s.organization_id,
        COALESCE(s.trial_start, s.activated_at, s.period_start, s.checkout_expires_at, s.observed_at) NULLS LAST, s.id,
        i.position",
        over,
        wanted
    )?;
    let mut subscriptions: Vec<Subscription> = Vec::with_capacity(rows.len());
    for Both(row, item) in rows {
        let next = row.read()?;
        let item = item.read(next.id.as_str())?;
        match subscriptions.last_mut() {
            Some(last) if last.id == next.id && last.organization_id == next.organization_id => last.items.extend(item),
            _ => subscriptions.push(Subscription { items: item.into_iter().collect(), ..next }),
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
    let insert = format!("INSERT INTO subscription ({COLUMNS})");
    let conflict = "ON CONFLICT (organization_id, id) DO NOTHING RETURNING organization_id, id";
    if put(tx, &insert, conflict, &[(subscription, subscription.version)]).await?.is_empty() {
        return Ok(false);
    }
    write_items(tx, &[(subscription, 0)]).await?;
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
    if update(tx, &[(subscription, expected_version + 1)]).await?.is_empty() {
        return Ok(false);
    }
    write_items(tx, &[(subscription, usize::MAX)]).await?;
    claim(tx, subscription).await?;
    Ok(true)
}

/// As [`save`] for rows that were read as the first of each pair, of different organizations: touches items and links only
/// where they change. Answers the organizations whose row was written.
pub(crate) async fn save_changed(
    tx: &mut Tx,
    all: &[(&Subscription, &Subscription)],
) -> Result<HashSet<OrganizationId>, Error> {
    let written = update(tx, &all.iter().map(|(before, next)| (*next, before.version + 1)).collect::<Vec<_>>()).await?;
    let ours = all.iter().filter(|(_, next)| written.contains(&next.organization_id));
    let items = ours.clone().filter(|(before, next)| before.items != next.items);
    write_items(tx, &items.map(|(before, next)| (*next, before.items.len())).collect::<Vec<_>>()).await?;
    for (before, next) in ours {
        if before.provider_subscription_id != next.provider_subscription_id || before.provider != next.provider {
            claim(tx, next).await?;
        }
    }
    Ok(written)
}

/// Writes rows that have the version before the one that is given with each.
async fn update(tx: &mut Tx, rows: &[(&Subscription, i64)]) -> Result<HashSet<OrganizationId>, Error> {
    static SET: LazyLock<String> = LazyLock::new(|| {
        let set: Vec<String> = COLUMNS.split(", ").map(|column| format!("{column} = new.{column}")).collect();
        set.join(", ")
    });
    let update = format!(
        ") UPDATE subscription SET {} FROM new
        WHERE subscription.organization_id = new.organization_id
          AND subscription.id = new.id
          AND subscription.version = new.version - 1
        RETURNING subscription.organization_id, subscription.id",
        *SET
    );
    put(tx, &format!("WITH new ({COLUMNS}) AS ("), &update, rows).await
}

/// Runs a statement between whose halves are all columns of rows, `version` as given with each; answers whose rows it wrote.
async fn put(
    tx: &mut Tx,
    before: &str,
    after: &str,
    rows: &[(&Subscription, i64)],
) -> Result<HashSet<OrganizationId>, Error> {
    row! { struct Written { organization_id: String } }
    let written: Vec<Written> = sql!(
        tx.c(),
        all Written rows rows,
        before,
        after,
        |new| (
            new.0.organization_id.as_str(),
            new.0.id.as_str(),
            new.0.provider.as_str(),
            new.0.provider_customer_id.as_ref().map(|id| id.as_str()),
            new.0.provider_subscription_id.as_ref().map(|id| id.as_str()),
            new.0.status.as_str(),
            new.0.provider_status.as_deref(),
            new.0.plan.as_ref().map(|plan| plan.as_str()),
            new.0.plan_version,
            new.0.plan_group.as_str(),
            new.0.price_id.as_ref().map(|id| id.as_str()),
            new.0.seats,
            at(new.0.period_start),
            at(new.0.period_end),
            at(new.0.trial_start),
            at(new.0.trial_end),
            at(new.0.cancel_at),
            at(new.0.cancelled_at),
            at(new.0.ended_at),
            at(new.0.activated_at),
            new.0.scheduled.as_ref().and_then(|change| change.plan.as_ref()).map(|plan| plan.as_str()),
            new.0.scheduled.as_ref().and_then(|change| change.seats),
            new.0.scheduled.as_ref().map(|change| &change.items).filter(|items| !items.is_empty()).map(Json),
            new.0.scheduled.as_ref().map(|change| At(change.at)),
            new.0.owed_change.as_ref().map(Json),
            at(new.0.pause_at),
            new.0.collection_paused,
            new.0.duplicate_of.as_ref().map(|id| id.as_str()),
            at(new.0.trial_end_told),
            new.0.dues.as_ref().map(|dues| At(dues.since)),
            at(new.0.grace_until),
            new.0.dues.as_ref().map_or(0, |dues| i64::from(dues.attempts)),
            new.0.dues.as_ref().and_then(|dues| at(dues.next_attempt_at)),
            new.0.dues.as_ref().and_then(|dues| dues.invoice.as_deref()),
            new.0.dues.as_ref().is_some_and(|dues| dues.exhausted),
            document(&new.0.metadata),
            new.0.checkout.as_ref().map(|checkout| checkout.key.as_str()),
            new.0.checkout.as_ref().map_or(0, |checkout| checkout.tries),
            new.0.checkout.as_ref().map(|checkout| Json(&checkout.params)),
            new.0.checkout.as_ref().and_then(|checkout| checkout.reference.as_deref()),
            new.0.checkout.as_ref().and_then(|checkout| checkout.url.as_deref()),
            new.0.checkout.as_ref().map(|checkout| At(checkout.expires_at)),
            new.0.provider_version,
            at(new.0.observed_at),
            at(new.0.due_at),
            new.1,
        )
    )?;
    Ok(written.into_iter().map(|row| row.organization_id.into()).collect())
}

/// Writes the items of rows, each of which has so many items as far as is known.
async fn write_items(tx: &mut Tx, rows: &[(&Subscription, usize)]) -> Result<(), Error> {
    for (Subscription { organization_id, id, items, .. }, held) in rows {
        if *held <= items.len() {
            continue;
        }
        sql!(
            tx.c(),
            exec,
            "
            DELETE FROM subscription_item
            WHERE organization_id = $1
              AND subscription_id = $2
              AND position >= $3",
            organization_id.as_str(),
            id.as_str(),
            i64::try_from(items.len()).unwrap_or(i64::MAX)
        )?;
    }
    let items: Vec<(&Subscription, i64, &Item)> = rows
        .iter()
        .flat_map(|(row, _)| (0_i64..).zip(&row.items).map(move |(position, item)| (*row, position, item)))
        .collect();
    sql!(
        tx.c(),
        exec rows items,
        "INSERT INTO subscription_item (organization_id, subscription_id, position, item_price_id, item_type, quantity, unit_price, amount, currency)",
        "
        ON CONFLICT (organization_id, subscription_id, position) DO UPDATE
        SET item_price_id = excluded.item_price_id, item_type = excluded.item_type, quantity = excluded.quantity, unit_price = excluded.unit_price, amount = excluded.amount, currency = excluded.currency",
        |item| (
            item.0.organization_id.as_str(),
            item.0.id.as_str(),
            item.1,
            item.2.item_price_id.as_str(),
            item.2.item_type.as_str(),
            item.2.quantity,
            item.2.unit_price,
            item.2.amount,
            item.2.currency.as_ref().map(|currency| currency.as_str())
        )
    )?;
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
        LIMIT $2 + 0",
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

/// Finds the row of a hosted page by what the provider calls the page.
///
/// # Errors
/// Only the database's own.
pub async fn locate_page(c: C<'_>, reference: &str) -> Result<Option<SubscriptionId>, Error> {
    row! { struct Place { id: String } }
    let row: Option<Place> = sql!(
        c,
        opt Place,
        "
        SELECT id
        FROM subscription
        WHERE checkout_ref = $1
        ORDER BY organization_id
        LIMIT 1",
        reference
    )?;
    Ok(row.map(|row| row.id.into()))
}

/// A subscription that is not over and that its provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Ours.
    pub id: SubscriptionId,
    /// The provider's.
    pub provider_subscription_id: ProviderSubscriptionId,
}

/// Reads at most `limit` live subscriptions at a provider, in the order of organization and id, those after `after`.
///
/// # Errors
/// Only the database's own.
pub async fn live_page(
    c: C<'_>,
    provider: &Provider,
    after: Option<(&OrganizationId, &SubscriptionId)>,
    limit: i64,
) -> Result<Vec<Live>, Error> {
    row! { struct Page { organization_id: String, id: String, provider_subscription_id: String } }
    let (organization, id) = after.map_or(("", ""), |(organization, id)| (organization.as_str(), id.as_str()));
    let rows: Vec<Page> = sql!(
        c,
        all Page,
        "
        SELECT organization_id, id, provider_subscription_id
        FROM subscription
        WHERE (organization_id, id) > ($2, $3)
          AND provider = $1
          AND provider_subscription_id IS NOT NULL
          AND status NOT IN ('cancelled', 'expired')
        ORDER BY organization_id, id
        LIMIT $4 + 0",
        provider.as_str(),
        organization,
        id,
        limit
    )?;
    let live = |row: Page| Live {
        organization_id: row.organization_id.into(),
        id: row.id.into(),
        provider_subscription_id: row.provider_subscription_id.into(),
    };
    Ok(rows.into_iter().map(live).collect())
}
