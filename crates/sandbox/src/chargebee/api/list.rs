//! Lists: filters, sorting and paging.
//!
//! A filter is `attribute[operator]=value`; `in`, `not_in` and `between` carry a JSON array in one field. `offset` is
//! opaque to callers: the sort value and the position of the last row, so that new rows do not shift a page. A page
//! looks at no more rows than it must: it walks an index from where the last one ended.
//!
//! A filter on an attribute that the list does not have is refused, where the provider's answer is not documented.
//!
//! Source: Chargebee API docs, "List operations".

use std::ops::Bound;

use serde_json::Value;

use super::filter::{Attribute, Columns, Filter, parse_array, parse_filters};
use super::{Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::Site;
use crate::chargebee::site::table::{Row, Table};

/// What a list is made of.
pub(super) struct List<'s, T: 'static> {
    pub(super) site: &'s Site,
    pub(super) table: &'s Table<T>,
    pub(super) columns: Columns<T>,
    /// What it can be sorted by. The first is an instant in the order of which rows are made, and the default; the
    /// others are `updated_at`.
    pub(super) sorts: &'static [&'static str],
    /// Only rows that belong to this: the member that says so, and an id.
    pub(super) within: Option<(&'static str, &'s str)>,
    /// Whether a row was deleted, and shows only where that was asked for.
    pub(super) is_deleted: fn(&T) -> bool,
    pub(super) render: fn(&Site, usize) -> String,
}

/// So many rows are put in order for a page rather than looked for among all.
const FEW: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Creation,
    Update,
}

impl<T: Row + 'static> List<'_, T> {
    /// Answers one page.
    pub(super) fn page(&self, query: &Form) -> Result<Answer, Refusal> {
        let filters = parse_filters(query, self.columns)?;
        let (sort, descending) = parse_sort(query, self.sorts)?;
        let limit = parse_limit(query)?;
        let cursor = parse_offset(query)?;
        let deleted_too = super::read::boolean(query, "include_deleted")? == Some(true);
        let order = if sort == "updated_at" { Order::Update } else { Order::Creation };

        let wanted = |position: usize| {
            let row = &self.table[position];
            (deleted_too || !(self.is_deleted)(row)) && filters.iter().all(|filter| filter.accepts(self.site, row))
        };
        let bounds = Filter::bounds(&filters, sort);
        let mut found: Vec<(i64, usize)> = Vec::with_capacity(limit + 1);
        let rows = match self.named(&filters).or_else(|| self.changed_lately(&filters)) {
            Some(positions) => Self::walk_named(self.keyed(positions, order), cursor, descending),
            None => self.walk(order, sort, bounds, cursor, descending),
        };
        for (key, position) in rows {
            if wanted(position) {
                found.push((key, position));
                if found.len() > limit {
                    break;
                }
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let entries: Vec<String> = found.iter().map(|(_, position)| (self.render)(self.site, *position)).collect();
        let next = found.last().filter(|_| more).map(|(key, position)| {
            let offset = Value::from(vec![key.to_string(), position.to_string()]).to_string();
            format!(",\"next_offset\":{}", Value::from(offset))
        });
        Ok(Answer::text(format!("{{\"list\":[{}]{}}}", entries.join(","), next.unwrap_or_default())))
    }

    /// The rows that a filter names by their id, or by what they belong to.
    fn named(&self, filters: &[Filter<T>]) -> Option<Vec<usize>> {
        if let Some((member, id)) = self.within {
            return Some(self.table.linked(member, id).to_vec());
        }
        filters.iter().find_map(|filter| {
            let ids = filter.named_values()?.iter();
            match filter.name {
                "id" => Some(ids.filter_map(|id| self.table.position(id)).collect()),
                "customer_id" | "subscription_id" => {
                    Some(ids.flat_map(|id| self.table.linked(filter.name, id)).copied().collect())
                }
                _ => None,
            }
        })
    }

    /// The rows that changed within the bounds of a filter, where they are few.
    fn changed_lately(&self, filters: &[Filter<T>]) -> Option<Vec<usize>> {
        let (lowest, highest) = Filter::bounds(filters, "updated_at");
        if lowest == i64::MIN || lowest > highest {
            return None;
        }
        let changed = self.table.changes().range((lowest, 0)..=(highest, usize::MAX));
        let positions: Vec<usize> = changed.take(FEW + 1).map(|(_, position)| *position).collect();
        Some(positions).filter(|positions| positions.len() <= FEW)
    }

    fn keyed(&self, positions: Vec<usize>, order: Order) -> Vec<(i64, usize)> {
        let key = |position: usize| match order {
            Order::Creation => 0,
            Order::Update => self.table[position].stamp().map_or(0, |stamp| stamp.updated_at),
        };
        positions.into_iter().map(|position| (key(position), position)).collect()
    }

    fn walk_named<'r>(
        mut rows: Vec<(i64, usize)>,
        cursor: Option<(i64, usize)>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = (i64, usize)> + 'r> {
        rows.sort_unstable();
        rows.dedup();
        if descending {
            Box::new(rows.into_iter().rev().filter(move |row| cursor.is_none_or(|last| *row < last)))
        } else {
            Box::new(rows.into_iter().filter(move |row| cursor.is_none_or(|last| *row > last)))
        }
    }

    /// All rows from the cursor on, within the bounds of the attribute that is sorted by.
    fn walk(
        &self,
        order: Order,
        sort: &str,
        (lowest, highest): (i64, i64),
        cursor: Option<(i64, usize)>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = (i64, usize)> + '_> {
        if lowest > highest {
            return Box::new(std::iter::empty());
        }
        if order == Order::Update {
            let mut from = Bound::Included((lowest, 0));
            let mut to = Bound::Included((highest, usize::MAX));
            if let Some(last) = cursor {
                if descending && last <= (highest, usize::MAX) {
                    to = Bound::Excluded(last);
                } else if !descending && last >= (lowest, 0) {
                    from = Bound::Excluded(last);
                }
                if last < (lowest, 0) && descending || last > (highest, usize::MAX) && !descending {
                    return Box::new(std::iter::empty());
                }
            }
            let rows = self.table.changes().range((from, to)).copied();
            return if descending { Box::new(rows.rev()) } else { Box::new(rows) };
        }
        // Rows lie in the order of their creation, so that the bounds are found by bisection.
        let read = self.columns.iter().find(|(name, _)| *name == sort).map(|(_, read)| *read);
        let instant = |row: &T| match read.map(|read| read(self.site, row)) {
            Some(Attribute::Number(number)) => number,
            _ => 0,
        };
        let rows = self.table.rows();
        let mut from = rows.partition_point(|row| instant(row) < lowest);
        let mut to = rows.partition_point(|row| instant(row) <= highest);
        if let Some((_, last)) = cursor {
            if descending {
                to = to.min(last);
            } else {
                from = from.max(last.saturating_add(1));
            }
        }
        let positions = from..to.max(from);
        if descending { Box::new(positions.rev().map(|row| (0, row))) } else { Box::new(positions.map(|row| (0, row))) }
    }
}

fn parse_sort<'q>(query: &'q Form, known: &[&'static str]) -> Result<(&'q str, bool), Refusal> {
    let default = known.first().copied().unwrap_or("created_at");
    for (name, descending) in [("sort_by[asc]", false), ("sort_by[desc]", true)] {
        if let Some(attribute) = query.get(name) {
            if !known.contains(&attribute) {
                return Err(Refusal::wrong_value(name, format!("cannot be sorted by {attribute}")));
            }
            return Ok((attribute, descending));
        }
    }
    Ok((default, false))
}

fn parse_limit(query: &Form) -> Result<usize, Refusal> {
    match query.get("limit") {
        None => Ok(10),
        Some(given) => match given.parse() {
            Ok(limit @ 1..=100) => Ok(limit),
            _ => Err(Refusal::wrong_value("limit", "limit : must be between 1 and 100")),
        },
    }
}

fn parse_offset(query: &Form) -> Result<Option<(i64, usize)>, Refusal> {
    let Some(given) = query.get("offset").filter(|given| !given.is_empty()) else { return Ok(None) };
    let parsed = parse_array(given).and_then(|parts| match parts.as_slice() {
        [value, position] => Some((value.parse().ok()?, position.parse().ok()?)),
        _ => None,
    });
    parsed.map(Some).ok_or_else(|| Refusal::wrong_value("offset", "offset : is not a valid offset"))
}
