//! What a change would cost, sealed into a token: what a person saw is what is charged.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    money::Currency,
    ports::{ChangeRequest, ChangeWhen, NextInvoice, Quote, QuoteLine},
    subscription::{CheckoutItem, Subscription},
    time::{MachineTime, Timestamp},
};

use super::{
    UpdateRequest,
    hosted::check_hosted,
    target::{self, Target},
    update::{bought, refused},
};
use crate::{Actor, Error, Tollkeeper, budget::for_a_person, provision::deleted};

/// How long a preview may be accepted.
const PREVIEW_LIFE: Duration = Duration::from_secs(15 * 60);

/// What a change would cost, as the API shows it. Amounts are minor units.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the API's own, described in its documentation")]
pub struct Preview {
    pub amount_due: i64,
    pub currency: Currency,
    pub credit: i64,
    pub lines: Vec<QuoteLine>,
    pub when: ChangeWhen,
    pub proration_date: Timestamp,
    pub next_invoice: Option<NextInvoice>,
    pub preview_token: String,
}

/// What a token pins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pinned {
    pub(super) organization: OrganizationId,
    row: SubscriptionId,
    pub(super) target: Target,
    pub(super) seen: Seen,
    pub(super) proration_date: Timestamp,
    expires_at: MachineTime,
}

/// The amounts that a person saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Charged at once, less what is credited.
    pub(super) net: i64,
    next: Option<i64>,
    currency: Currency,
}

impl Seen {
    fn of(quote: &Quote) -> Self {
        Self {
            net: quote.amount_due.saturating_sub(quote.credit),
            next: quote.next_invoice.as_ref().map(|invoice| invoice.amount),
            currency: quote.currency,
        }
    }

    /// Whether both are the same but for what a few minutes change.
    pub(super) fn agrees(self, other: Self, tolerance: i64) -> bool {
        let near = |one: i64, two: i64| one.abs_diff(two) <= tolerance.unsigned_abs();
        let next = match (self.next, other.next) {
            (Some(one), Some(two)) => near(one, two),
            (one, two) => one == two,
        };
        self.currency == other.currency && near(self.net, other.net) && next
    }
}

impl Tollkeeper {
    /// What a change would cost, with a token that pins it for a quarter of an hour.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field, `no_subscription` or `nothing_changes`; [`Error::Conflict`];
    /// [`Error::Provider`].
    pub async fn preview(&self, actor: &Actor, request: &UpdateRequest) -> Result<Preview, Error> {
        check_hosted(request)?;
        for_a_person(async {
            let account = self.account(actor.organization_id()).await?;
            if account.organization.is_leaving() {
                return Err(deleted());
            }
            let (row, target) = self.target(&account, request)?;
            let quote = self.quote(row, &target, None).await?;
            Ok(self.pin(row, target, quote))
        })
        .await
    }

    /// Asks the provider what a change would cost.
    pub(super) async fn quote(
        &self,
        row: &Subscription,
        target: &Target,
        proration_date: Option<Timestamp>,
    ) -> Result<Quote, Error> {
        let billing = self.billing(&row.provider)?;
        let bought = bought(row);
        let change = ChangeRequest { items: target.items.clone(), when: target.when, proration_date };
        let mut quote = billing.preview(bought, &change).await.map_err(refused)?;
        // What the end of the period brings is a question of its own where something waits for it, or the answer to the
        // first one does not say; and none where there is no next period.
        let silent = quote.next_invoice.is_none() && row.cancel_at.is_none();
        if target.then.is_some() || silent {
            let items = target.then.as_ref().unwrap_or(&target.items).clone();
            let later = ChangeRequest { items, when: ChangeWhen::PeriodEnd, proration_date };
            quote.next_invoice = billing.preview(bought, &later).await.map_err(refused)?.next_invoice;
        }
        Ok(quote)
    }

    pub(super) fn pin(&self, row: &Subscription, target: Target, quote: Quote) -> Preview {
        let pinned = Pinned {
            organization: row.organization_id.clone(),
            row: row.id.clone(),
            seen: Seen::of(&quote),
            proration_date: quote.proration_date,
            expires_at: self.machine_now().plus(PREVIEW_LIFE),
            target,
        };
        Preview {
            amount_due: quote.amount_due,
            currency: quote.currency,
            credit: quote.credit,
            lines: quote.lines,
            when: pinned.target.when,
            proration_date: quote.proration_date,
            next_invoice: quote.next_invoice,
            preview_token: self.inner.previews.close(&pinned),
        }
    }

    pub(super) fn opened(&self, token: &str) -> Result<Pinned, Error> {
        self.inner.previews.open(token).ok_or_else(|| {
            Error::invalid("previewToken", "bad_preview_token", "this is not a preview token of ours: preview again")
        })
    }

    /// Whether what the person saw is what would be charged now.
    pub(super) async fn check_preview(
        &self,
        row: &Subscription,
        target: &Target,
        pinned: &Pinned,
    ) -> Result<(), Error> {
        let bad = |code, message: &str| Err(Error::invalid("previewToken", code, message));
        if pinned.organization != row.organization_id || pinned.row != row.id {
            return bad("bad_preview_token", "this preview token is another subscription's: preview again");
        }
        if pinned.target != *target {
            return bad("preview_mismatch", "this preview token is for another change: preview this one");
        }
        let fresh = self.quote(row, target, Some(pinned.proration_date)).await?;
        let expired = pinned.expires_at <= self.machine_now();
        if expired || !Seen::of(&fresh).agrees(pinned.seen, self.tolerance(row, target)) {
            return Err(Error::PreviewOutdated(Box::new(self.pin(row, target.clone(), fresh))));
        }
        Ok(())
    }

    /// How much a change may cost more or less than previewed: a share of what the lines cost in a day, and one minor unit
    /// in any case.
    pub(super) fn tolerance(&self, row: &Subscription, target: &Target) -> i64 {
        let (catalog, currency) = (self.catalog(), target::pays_in(self.settings(), row));
        let cost = |lines: &[CheckoutItem]| target::yearly(&catalog, &row.provider, currency, lines);
        let yearly = cost(&target.items).max(cost(&target::lines(row)));
        // The dearest day is one of February's.
        let share = yearly.saturating_mul(i64::from(self.settings().preview_tolerance));
        share.unsigned_abs().div_ceil(12 * 28 * 10_000).try_into().unwrap_or(i64::MAX).max(1)
    }
}
