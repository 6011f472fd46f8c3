//! What is new in the catalog: `POST /item_families`, `/items`, `/item_prices`, and the list of families.
//!
//! An id is chosen by whoever asks, and is taken for good; so is a name.
//!
//! Source: Chargebee API docs, "Create an item family", "Create an item", "Create an item price", "Pricing models".

use std::collections::BTreeMap;

use serde_json::Value;

use super::catalog::tiers;
use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::catalog::{CatalogItem, ItemFamily, ItemPrice, ItemType, Rate};
use crate::chargebee::site::model::Stamp;
use crate::chargebee::site::{Act, Site};
use crate::moment::PeriodUnit;

type Answered = Result<Answer, Refusal>;

const ITEM_TYPES: [(&str, ItemType); 3] =
    [("plan", ItemType::Plan), ("addon", ItemType::Addon), ("charge", ItemType::Charge)];

/// The periods that this sandbox can count.
const PERIODS: [(&str, PeriodUnit); 2] = [("month", PeriodUnit::Month), ("year", PeriodUnit::Year)];

const FAMILY_COLUMNS: Columns<ItemFamily> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("name", |_, row| Attribute::Text(&row.name)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list_families(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.catalog.families,
        columns: FAMILY_COLUMNS,
        sorts: &["created_at", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| {
            format!("{{\"item_family\":{}}}", render::item_family(&site.catalog.families[position]))
        },
    }
    .page(query)
}

pub(super) fn create_family(site: &mut Site, form: &Form, act: Act) -> Answered {
    let id = read::required(form, "id", 50)?;
    let name = read::required(form, "name", 50)?;
    let families = &site.catalog.families;
    not_taken("id", &id, families.contains(&id))?;
    not_taken("name", &name, families.iter().any(|row| row.name == name))?;
    let position = site.catalog.families.insert(ItemFamily { id, name, stamp: first(act) });
    let rendered = render::item_family(&site.catalog.families[position]);
    announce(site, "item_family_created", "item_family", rendered, act)
}

pub(super) fn create_item(site: &mut Site, form: &Form, act: Act) -> Answered {
    let id = read::required(form, "id", 100)?;
    let name = read::required(form, "name", 100)?;
    let item_type = read::option(form, "type", &ITEM_TYPES)?;
    let item_type = item_type.ok_or_else(|| Refusal::wrong_value("type", "type : cannot be blank"))?;
    let family = read::required(form, "item_family_id", 100)?;
    if !site.catalog.families.contains(&family) {
        return Err(Refusal::not_found("item_family_id", &family));
    }
    not_taken("id", &id, site.catalog.items.contains(&id))?;
    not_taken("name", &name, site.catalog.items.iter().any(|row| row.name == name))?;
    let item = CatalogItem { id, name, family, item_type, stamp: first(act) };
    let position = site.catalog.items.insert(item);
    let rendered = render::item(&site.catalog.items[position]);
    announce(site, "item_created", "item", rendered, act)
}

pub(super) fn create_price(site: &mut Site, form: &Form, act: Act) -> Answered {
    let id = read::required(form, "id", 100)?;
    let name = read::required(form, "name", 100)?;
    let item = read::required(form, "item_id", 100)?;
    let (item_id, family, item_type) = match site.catalog.items.get(&item) {
        Some(item) => (item.id.clone(), item.family.clone(), item.item_type),
        None => return Err(Refusal::not_found("item_id", &item)),
    };
    let rate = rate(form)?;
    let currency = read::text(form, "currency_code", 3)?.unwrap_or_else(|| "USD".to_owned());
    let unit = read::option(form, "period_unit", &PERIODS)?;
    let period = unit.map(|unit| Ok((read::integer(form, "period")?.unwrap_or(1).max(1), unit))).transpose()?;
    if (item_type == ItemType::Charge) != period.is_none() {
        let message = "period_unit : is needed for plans and add-ons, and not allowed for charges";
        return Err(Refusal::wrong_value("period_unit", message));
    }
    let trial_days = read::integer(form, "trial_period")?;
    let external_name = read::text(form, "external_name", 100)?;
    not_taken("id", &id, site.catalog.prices.contains(&id))?;
    not_taken("name", &name, site.catalog.prices.iter().any(|row| row.name == name))?;
    let position = site.catalog.prices.insert(ItemPrice {
        id,
        name,
        item_id,
        family,
        item_type,
        rate,
        currency,
        period,
        trial_days,
        archived: false,
        created_at: act.now.secs(),
        stamp: first(act),
        texts: external_name.map(|name| ("external_name", name)).into_iter().collect::<BTreeMap<_, _>>(),
    });
    let rendered = render::item_price(&site.catalog.prices[position]);
    announce(site, "item_price_created", "item_price", rendered, act)
}

/// `flat_fee` where no model is named.
fn rate(form: &Form) -> Result<Rate, Refusal> {
    let price = || {
        let missing = || Refusal::wrong_value("price", "price : cannot be blank");
        read::integer(form, "price")?.ok_or_else(missing)
    };
    match form.get("pricing_model") {
        None | Some("flat_fee") => Ok(Rate::FlatFee(price()?)),
        Some("per_unit") => Ok(Rate::PerUnit(price()?)),
        Some("stairstep") => {
            let tiers = tiers(form)?;
            if tiers.is_empty() {
                return Err(Refusal::wrong_value("tiers[starting_unit][0]", "tiers : cannot be blank"));
            }
            Ok(Rate::Stairstep(tiers.into()))
        }
        Some(_) => Err(Refusal::wrong_value("pricing_model", "This sandbox has flat_fee, per_unit and stairstep.")),
    }
}

fn not_taken(param: &'static str, value: &str, taken: bool) -> Result<(), Refusal> {
    if taken { Err(Refusal::duplicate(param, value)) } else { Ok(()) }
}

fn first(act: Act) -> Stamp {
    Stamp { updated_at: act.now.secs(), resource_version: act.now.millis() }
}

fn announce(site: &mut Site, event: &'static str, name: &'static str, rendered: Value, act: Act) -> Answered {
    site.emit_one(event, name, rendered.clone(), act);
    Ok(Answer::resource(name, rendered))
}
