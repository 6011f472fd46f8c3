//! Lists: newest first, by cursor, with ranges of time.
//!
//! Source: Stripe API reference, "Pagination".

use serde_json::{Value, json};

use super::params::Params;
use super::problem;
use crate::chargebee::site::table::{Row, Table};
use crate::stripe::account::refusal::Refusal;

const LIMIT: usize = 10;
const MOST: i64 = 100;

/// Bounds of an instant: `created[gte]=…`, or one exact instant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    at_least: Option<i64>,
    at_most: Option<i64>,
}

impl Range {
    pub(super) fn read(params: &mut Params, name: &str) -> Result<Self, Refusal> {
        if let Ok(Some(exact)) = params.clone().integer(name) {
            params.ignore(&[name]);
            return Ok(Self { at_least: Some(exact), at_most: Some(exact) });
        }
        let Some(mut bounds) = params.branch(name)? else { return Ok(Self::default()) };
        let (gt, gte) = (bounds.integer("gt")?, bounds.integer("gte")?);
        let (lt, lte) = (bounds.integer("lt")?, bounds.integer("lte")?);
        bounds.done()?;
        let above = gt.map(|gt| gt.saturating_add(1));
        let below = lt.map(|lt| lt.saturating_sub(1));
        Ok(Self { at_least: above.max(gte), at_most: [below, lte].into_iter().flatten().min() })
    }

    pub(super) fn holds(self, at: i64) -> bool {
        self.at_least.is_none_or(|least| at >= least) && self.at_most.is_none_or(|most| at <= most)
    }

    pub(super) fn is_open(self) -> bool {
        self.at_least.is_none() && self.at_most.is_none()
    }
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
}

impl Window {
    pub(super) fn read(params: &mut Params) -> Result<Self, Refusal> {
        let limit = limit(params)?;
        let (after, before) = (params.text("starting_after")?, params.text("ending_before")?);
        if after.is_some() && before.is_some() {
            return Err(Refusal::parameters_exclusive("ending_before", "starting_after"));
        }
        Ok(Self { limit, after, before })
    }

    /// One page of a table. `keeps` filters by position, `render` writes a row.
    pub(super) fn page<T: Row>(
        &self,
        url: &str,
        table: &Table<T>,
        keeps: impl Fn(usize) -> bool,
        render: impl Fn(usize) -> Value,
    ) -> Result<Value, Refusal> {
        let position = |id: &Option<String>, param: &'static str| -> Result<Option<usize>, Refusal> {
            let Some(id) = id else { return Ok(None) };
            let missing = || Refusal::missing_reference("object", id, param);
            table.position(id).map(Some).ok_or_else(missing)
        };
        let older = 0..position(&self.after, "starting_after")?.unwrap_or(table.len());
        let (found, has_more) = match position(&self.before, "ending_before")? {
            // The page before one ends right above it, and is written in the same order.
            Some(before) => {
                let (mut found, more) = self.take((before + 1..table.len()).filter(|position| keeps(*position)));
                found.reverse();
                (found, more)
            }
            None => self.take(older.rev().filter(|position| keeps(*position))),
        };
        let data: Vec<Value> = found.into_iter().map(render).collect();
        Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
    }

    /// One page of what belongs to an object: lines, items.
    pub(super) fn page_of(&self, url: &str, rows: Vec<Value>) -> Result<Value, Refusal> {
        let place = |id: &Option<String>, param: &'static str| -> Result<Option<usize>, Refusal> {
            let Some(id) = id else { return Ok(None) };
            let found = rows.iter().position(|row| row["id"] == id.as_str());
            found.map(Some).ok_or_else(|| Refusal::missing_reference("object", id, param))
        };
        let first = place(&self.after, "starting_after")?.map_or(0, |place| place + 1);
        let range = match place(&self.before, "ending_before")? {
            Some(end) => end.saturating_sub(self.limit)..end,
            None => first..rows.len().min(first + self.limit),
        };
        let has_more = if self.before.is_some() { range.start > 0 } else { range.end < rows.len() };
        let data = &rows[range];
        Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
    }

    /// So many as a page has, and whether there are more.
    fn take(&self, mut rows: impl Iterator<Item = usize>) -> (Vec<usize>, bool) {
        let found: Vec<usize> = rows.by_ref().take(self.limit).collect();
        (found, rows.next().is_some())
    }
}

/// The `limit` of a list or a search.
pub(super) fn limit(params: &mut Params) -> Result<usize, Refusal> {
    checked_limit(params.integer("limit")?)
}

/// How many rows a page has that was asked for so.
pub(super) fn checked_limit(asked: Option<i64>) -> Result<usize, Refusal> {
    match asked {
        None => Ok(LIMIT),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(usize::try_from(limit).unwrap_or(LIMIT)),
        Some(limit) => {
            let message = format!("The limit {limit} is not between 1 and {MOST}.");
            Err(problem::invalid("limit", &message))
        }
    }
}
