//! What the API is: every route, body, answer and refusal, as data beside the code that does it.
//!
//! A route cannot be added without its [`Operation`] (`routes.rs`), and in the tests every answer that this server gives is
//! held against it, so that it cannot say what is not so.

mod codes;
mod json;
mod openapi;
mod operation;
pub(crate) mod operations;
mod schema;
pub(crate) mod schemas;

pub(crate) use codes::{CODES, Code, errors, find};
pub(crate) use json::Json;
pub(crate) use openapi::{ABOUT, document};
pub(crate) use operation::{Content, Operation, Parameter, Place, Tag, Who};
pub(crate) use schema::{Kind, Member, Schema};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::codes::CODES;
    use crate::router::routes;

    #[test]
    fn operations_refuse_with_codes_of_the_table_and_every_code_is_somebodys() {
        let named: BTreeSet<_> =
            routes().into_list().operations.into_iter().flat_map(|(_, _, says)| says().refusals).collect();
        let known: BTreeSet<_> = CODES.iter().map(|code| code.code).collect();
        assert_eq!(known.len(), CODES.len(), "a code is there twice");
        let strangers: Vec<_> = named.difference(&known).collect();
        assert!(strangers.is_empty(), "not in the table: {strangers:?}");
        // The router itself answers where no operation is, and pages refuse too.
        let sign_in = ["sign_in_lost", "sign_in_declined", "sign_in_refused", "sign_in_failed", "no_sign_in"];
        let pages = ["person_required", "preview_required"];
        let others = [&["method_not_allowed"], &sign_in[..], &pages[..]].concat();
        let idle: Vec<_> = known.difference(&named).filter(|code| !others.contains(code)).collect();
        assert!(idle.is_empty(), "no operation has {idle:?}");
        let strangers: Vec<_> = others.iter().filter(|code| !known.contains(*code)).collect();
        assert!(strangers.is_empty(), "not in the table: {strangers:?}");
    }
}
