//! What an immediate change inside a paid term costs.
//!
//! The rest of the old items is credited and the rest of the new ones charged, by the second and rounded half up. A
//! change that is worth less than what it replaces needs no invoice: the difference becomes a credit note.
//!
//! Source: Chargebee docs, "Proration"; how the provider rounds each line is not documented.

use super::catalog::{Item, amount_of};
use super::changes::Change;
use super::model::{LineItem, Subscription, Term};
use super::{Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::{PeriodUnit, add_periods};

/// The price of a change: the term it leads to, what is credited, and what is to be invoiced.
#[derive(Debug)]
pub(super) struct Proration {
    pub(super) term: Term,
    /// At most one line: the rest of what was there before.
    pub(super) credit: Option<LineItem>,
    pub(super) charges: Vec<LineItem>,
}

impl Site {
    /// Prices the change of a running term to `items`, with the period of their plan.
    pub(super) fn prorate(
        &mut self,
        position: usize,
        items: &[Item],
        (period, unit): (i64, PeriodUnit),
        change: &Change,
        now: i64,
    ) -> Outcome<Proration> {
        let row = &self.subscriptions[position];
        let old = row.term.ok_or_else(|| Refusal::invalid_state("The subscription has no current term."))?;
        let resets = change.force_term_reset || (period, unit) != (row.billing_period, row.billing_period_unit);
        let term =
            if resets { Term { anchor: now, cycle: 0, start: now, end: add_periods(now, unit, period) } } else { old };
        let old_items = row.items.clone();
        let credit = if change.prorate { rest_of_term(row, now) } else { 0 };
        let mut charges = Vec::new();
        for item in items {
            let is_new = !old_items.iter().any(|old| old.item_price_id == item.item_price_id);
            let amount = match (item.recurs(), resets, change.prorate) {
                (false, _, _) if is_new => item.amount(),
                (true, true, _) => item.amount(),
                (true, false, true) => rest_of(item.amount(), old, now),
                (false, _, _) | (true, false, false) => continue,
            };
            charges.push(self.line(item, now, term.end, amount));
        }
        let charged = charges.iter().map(|line| line.amount).fold(0, i64::saturating_add);
        let one_time = charges.iter().any(|line| line.entity_type == "charge_item_price");
        let needs_invoice = charged > credit || resets || one_time;
        let credit = if needs_invoice { credit } else { credit - charged };
        if !needs_invoice {
            charges.clear();
        }
        let credit = self.credit_line(&old_items, now, old.end, credit);
        Ok(Proration { term, credit, charges })
    }

    /// One line for all that is credited, in the name of the plan.
    pub(super) fn credit_line(&mut self, items: &[Item], from: i64, to: i64, amount: i64) -> Option<LineItem> {
        let item = items.first().filter(|_| amount > 0)?;
        Some(self.line(item, from, to, amount))
    }
}

/// What the rest of the current term is worth, in minor units.
pub(super) fn rest_of_term(row: &Subscription, now: i64) -> i64 {
    row.term.map_or(0, |term| rest_of(amount_of(&row.items, false), term, now))
}

fn rest_of(amount: i64, term: Term, now: i64) -> i64 {
    prorated(amount, term.end - now.max(term.start), term.end - term.start)
}

/// `amount * part / whole`, rounded half up.
fn prorated(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 || part <= 0 {
        return 0;
    }
    let share = (i128::from(amount) * i128::from(part.min(whole)) * 2 + i128::from(whole)) / (i128::from(whole) * 2);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::prorated;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(prorated(100, 1, 2), 50);
        assert_eq!(prorated(5, 1, 2), 3);
        assert_eq!(prorated(100, 3, 0), 0);
        assert_eq!(prorated(100, 9, 3), 100);
    }
}
