//! The lines of a subscription: what each one sells, and how the wanted ones take the place of those that are there.
//!
//! Stripe knows no plans and add-ons. Every line that we write is marked in its metadata; where nobody marked anything,
//! the first line with a quantity is the plan. A price may be marked in the dashboard, under the same name.

use tollkeeper_core::{
    ports::{ErrorKind, ProviderError},
    snapshot::ItemType,
    subscription::CheckoutItem,
};

use crate::{
    error::Attempt,
    form::Form,
    wire::{Item, Metadata, Price},
};

/// The name under which a line or a price says what it sells: `plan`, `addon` or `charge`.
pub(crate) const ITEM_TYPE: &str = "itemType";

/// What is known of one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// What somebody wrote on it.
    pub(crate) said: Option<ItemType>,
    /// Whether it has no quantity, so that it cannot be what seats are counted by.
    pub(crate) is_metered: bool,
}

impl Mark {
    pub(crate) fn of(line: &Metadata, price: Option<&Price>) -> Self {
        let said = said(line).or_else(|| price.and_then(|price| said(&price.metadata)));
        Self { said, is_metered: price.is_some_and(Price::is_metered) }
    }
}

fn said(metadata: &Metadata) -> Option<ItemType> {
    match metadata.text(ITEM_TYPE)? {
        "plan" => Some(ItemType::Plan),
        "addon" => Some(ItemType::Addon),
        "charge" => Some(ItemType::Charge),
        _ => None,
    }
}

/// What each line sells: what it says itself, else the first that has a quantity is the plan, unless another one says
/// that it is, and the others come on top of it.
pub(crate) fn types(marks: &[Mark]) -> Vec<ItemType> {
    let has_plan = marks.iter().any(|mark| mark.said == Some(ItemType::Plan));
    let silent = |mark: &Mark| mark.said.is_none();
    let first = marks
        .iter()
        .position(|mark| silent(mark) && !mark.is_metered)
        .or_else(|| marks.iter().position(silent))
        .filter(|_| !has_plan);
    let plain = |index| if Some(index) == first { ItemType::Plan } else { ItemType::Addon };
    marks.iter().enumerate().map(|(index, mark)| mark.said.unwrap_or_else(|| plain(index))).collect()
}

/// What each line of a subscription sells.
pub(crate) fn types_of(items: &[Item]) -> Vec<ItemType> {
    let marks: Vec<_> = items.iter().map(|item| Mark::of(&item.metadata, item.price.as_ref())).collect();
    types(&marks)
}

/// The wanted lines, the plan's first.
///
/// # Errors
/// `Rejected`: something that is sold once is no part of a running subscription.
pub(crate) fn in_order(attempt: Attempt, wanted: &[CheckoutItem]) -> Result<Vec<&CheckoutItem>, ProviderError> {
    if let Some(once) = wanted.iter().find(|item| item.item_type == ItemType::Charge) {
        let message = format!("{} is sold once: it is no part of a running subscription", once.price_id);
        return Err(attempt.error(ErrorKind::Rejected, message));
    }
    let plans = wanted.iter().filter(|item| item.item_type == ItemType::Plan);
    let others = wanted.iter().filter(|item| item.item_type != ItemType::Plan);
    Ok(plans.chain(others).collect())
}

/// Adds the lines of a running subscription as they shall be, under `name` (`items`).
///
/// A line that stays is named by its id, so that what was paid for it is prorated; the plan's takes the new plan's price.
/// What is not wanted any more is deleted. Source: API reference, "Update a subscription", `items`.
pub(crate) fn replace(form: Form, name: &str, current: &[Item], wanted: &[&CheckoutItem]) -> Form {
    let types = types_of(current);
    let mut taken = vec![None; wanted.len()];
    let mut free: Vec<usize> = (0..current.len()).collect();
    let mut take = |slot: &mut Option<usize>, is_it: &dyn Fn(usize) -> bool| {
        if slot.is_none()
            && let Some(place) = free.iter().position(|index| is_it(*index))
        {
            *slot = Some(free.remove(place));
        }
    };
    for (slot, item) in taken.iter_mut().zip(wanted) {
        take(slot, &|index| price_id(&current[index]) == Some(item.price_id.as_str()));
    }
    for (slot, item) in taken.iter_mut().zip(wanted) {
        take(slot, &|index| item.item_type == ItemType::Plan && types[index] == ItemType::Plan);
    }
    let mut form = form;
    for (index, (item, slot)) in wanted.iter().zip(&taken).enumerate() {
        let kept = slot.map(|slot| &current[slot]);
        let column = |column: &str| format!("{name}[{index}][{column}]");
        form = form.set_some(column("id"), kept.map(|kept| &kept.id)).set(column("price"), &item.price_id);
        if !counts_usage(kept, item) {
            form = form.set(column("quantity"), item.quantity);
        }
        form = form.set(format!("{name}[{index}][metadata][{ITEM_TYPE}]"), item.item_type.as_str());
    }
    free.iter().enumerate().fold(form, |form, (offset, index)| {
        let row = wanted.len() + offset;
        form.set(format!("{name}[{row}][id]"), &current[*index].id).set(format!("{name}[{row}][deleted]"), true)
    })
}

/// Whether a line stays at a price that has no quantity: naming one would be refused.
fn counts_usage(kept: Option<&Item>, wanted: &CheckoutItem) -> bool {
    let price = kept.and_then(|kept| kept.price.as_ref());
    price.is_some_and(|price| price.id == wanted.price_id.as_str() && price.is_metered())
}

fn price_id(item: &Item) -> Option<&str> {
    item.price.as_ref().map(|price| price.id.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(id: &str, price: &str, members: Value) -> Item {
        let mut whole = json!({ "id": id, "price": { "id": price }, "quantity": 1 });
        for (name, value) in members.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn wanted(price: &str, quantity: i64, item_type: ItemType) -> CheckoutItem {
        CheckoutItem { price_id: price.into(), quantity, item_type }
    }

    fn replaced(current: &[Item], wanted: &[CheckoutItem]) -> String {
        let wanted = in_order(Attempt::write("change subscription"), wanted).unwrap();
        let form = replace(Form::new(), "i", current, &wanted);
        form.as_str().replace("%5B", "[").replace("%5D", "]")
    }

    #[test]
    fn the_first_line_with_a_quantity_is_the_plan_unless_somebody_says_otherwise() {
        use ItemType::{Addon, Charge, Plan};
        let mark = |said, is_metered| Mark { said, is_metered };
        for (marks, expected) in [
            (vec![mark(None, false), mark(None, false)], vec![Plan, Addon]),
            (vec![mark(None, true), mark(None, false)], vec![Addon, Plan]),
            (vec![mark(None, true), mark(None, true)], vec![Plan, Addon]),
            (vec![mark(Some(Addon), false), mark(None, false)], vec![Addon, Plan]),
            (vec![mark(None, false), mark(Some(Plan), false)], vec![Addon, Plan]),
            (vec![mark(Some(Charge), false), mark(Some(Addon), false)], vec![Charge, Addon]),
            (vec![], vec![]),
        ] {
            assert_eq!(types(&marks), expected, "{marks:?}");
        }
    }

    #[test]
    fn a_mark_on_the_line_wins_over_one_on_the_price() {
        let both = item(
            "si_1",
            "p",
            json!({
            "metadata": { "itemType": "addon" }, "price": { "id": "p", "metadata": { "itemType": "plan" } } }),
        );
        assert_eq!(types_of(&[both]), [ItemType::Addon]);
        let priced = item("si_1", "p", json!({ "price": { "id": "p", "metadata": { "itemType": "plan" } } }));
        assert_eq!(types_of(&[item("si_0", "q", json!({})), priced]), [ItemType::Addon, ItemType::Plan]);
        assert_eq!(types_of(&[item("si_0", "q", json!({ "metadata": { "itemType": "odd" } }))]), [ItemType::Plan]);
    }

    #[test]
    fn the_plans_line_takes_the_new_price_and_the_rest_is_kept_added_or_deleted() {
        let current = [
            item("si_plan", "growth", json!({ "quantity": 5 })),
            item("si_gone", "sms", json!({})),
            item("si_kept", "support", json!({})),
        ];
        let change = [
            wanted("extra", 2, ItemType::Addon),
            wanted("support", 1, ItemType::Addon),
            wanted("scale", 8, ItemType::Plan),
        ];
        assert_eq!(
            replaced(&current, &change),
            "i[0][id]=si_plan&i[0][price]=scale&i[0][quantity]=8&i[0][metadata][itemType]=plan\
             &i[1][price]=extra&i[1][quantity]=2&i[1][metadata][itemType]=addon\
             &i[2][id]=si_kept&i[2][price]=support&i[2][quantity]=1&i[2][metadata][itemType]=addon\
             &i[3][id]=si_gone&i[3][deleted]=true"
        );
    }

    #[test]
    fn a_line_that_counts_usage_is_kept_without_a_quantity() {
        let metered = json!({ "price": { "id": "calls", "recurring": { "usage_type": "metered" } } });
        let current = [item("si_1", "growth", json!({})), item("si_2", "calls", metered)];
        let change = [wanted("growth", 2, ItemType::Plan), wanted("calls", 1, ItemType::Addon)];
        assert!(
            replaced(&current, &change).ends_with("&i[1][id]=si_2&i[1][price]=calls&i[1][metadata][itemType]=addon")
        );
    }

    #[test]
    fn what_is_sold_once_is_refused() {
        let once = [wanted("setup", 1, ItemType::Charge)];
        assert_eq!(in_order(Attempt::read("preview change"), &once).unwrap_err().kind, ErrorKind::Rejected);
    }
}
