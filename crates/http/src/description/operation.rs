//! What a route takes and answers, as plain data.

use super::schema::{Schema, named};

/// A route that programs ask.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) tag: Tag,
    /// What clients that are generated call it.
    pub(crate) id: &'static str,
    /// A few words.
    pub(crate) summary: &'static str,
    /// Sentences.
    pub(crate) text: &'static str,
    pub(crate) who: Who,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    /// The codes of its refusals; `codes.rs` knows the status of each.
    pub(crate) refusals: Vec<&'static str>,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Session,
    Subscriptions,
    Organization,
    Invoices,
    Entitlements,
    Webhooks,
    Operators,
    Health,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody.
    Anybody,
    /// A member of the organization, or a key with the scope `read`.
    Member,
    /// A member with a role that may change billing, or a key with the scope `billing`.
    Billing,
    /// The operator key, or a key with the scope `admin`.
    Operator,
    /// A provider, by what it signs or knows.
    Provider,
}

/// A part of the address.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) schema: Schema,
}

/// Where in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) schema: Schema,
    /// Whether there must be one: nothing at all counts as an empty object.
    pub(crate) needed: bool,
}

/// An answer that is no refusal.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) says: &'static str,
    pub(crate) content: Content,
    /// Headers that matter, each with a sentence.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

/// What an answer holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Nothing,
    Json(Schema),
    /// Another media type.
    Other(&'static str),
}

impl Operation {
    /// Something about `tag` that generated clients call `id`, in a few words.
    pub(crate) fn new(tag: Tag, who: Who, id: &'static str, summary: &'static str) -> Self {
        let operation = Self {
            tag,
            id,
            summary,
            text: "",
            who,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        };
        let operation = operation.refuses(&["internal", "overloaded", "timeout"]);
        match who {
            Who::Anybody | Who::Provider => operation,
            Who::Member => operation.refuses(PROOF).refuses(MEMBERSHIP).reference(),
            Who::Billing => operation.refuses(PROOF).refuses(MEMBERSHIP).refuses(&["role_required"]).reference(),
            Who::Operator => operation.refuses(KEY).refuses(&["scope_required", "key_is_pinned"]),
        }
    }

    /// Sentences about it.
    pub(crate) fn text(mut self, sentences: &'static str) -> Self {
        self.text = sentences;
        self
    }

    /// A part of the path.
    pub(crate) fn path(self, name: &'static str, schema: Schema) -> Self {
        self.parameter(Parameter { name, place: Place::Path, schema })
    }

    /// A part of the query; none is needed.
    pub(crate) fn query(self, name: &'static str, schema: Schema) -> Self {
        self.parameter(Parameter { name, place: Place::Query, schema })
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Every question about an organization may name it.
    fn reference(self) -> Self {
        self.query(
            "referenceId",
            super::schema::text().says(
                "The organization. A person's own is meant where none is named, and no other may be; an API key of all organizations names one.",
            ),
        )
    }

    /// Takes a JSON object, where nothing counts as an empty one.
    pub(crate) fn takes(mut self, schema: Schema) -> Self {
        self.body = Some(Body { schema, needed: false });
        let by_cookie = matches!(self.who, Who::Member | Who::Billing);
        self.refuses(BODY).refuses(if by_cookie { &["csrf"] } else { &[] })
    }

    /// Takes a JSON object that has to be there.
    pub(crate) fn needs(self, schema: Schema) -> Self {
        let mut operation = self.takes(schema);
        if let Some(body) = &mut operation.body {
            body.needed = true;
        }
        operation
    }

    /// Answers 200 with the component of this name.
    pub(crate) fn answers(self, component: &'static str, says: &'static str) -> Self {
        self.answers_with(200, says, Content::Json(named(component)))
    }

    /// Answers with this status and content.
    pub(crate) fn answers_with(mut self, status: u16, says: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, says, content, headers: Vec::new() });
        self
    }

    /// Its last answer has this header.
    pub(crate) fn header(mut self, name: &'static str, says: &'static str) -> Self {
        self.answers.last_mut().expect("an answer comes before its headers").headers.push((name, says));
        self
    }

    /// Refuses with these codes.
    pub(crate) fn refuses(mut self, codes: &[&'static str]) -> Self {
        for code in codes {
            if !self.refusals.contains(code) {
                self.refusals.push(code);
            }
        }
        self
    }

    /// Reads or writes the database.
    pub(crate) fn looks_up(self) -> Self {
        self.refuses(&["database_unavailable", "contended"])
    }

    /// Asks the billing provider, so that it may be asked for too often.
    pub(crate) fn asks_the_provider(self) -> Self {
        self.looks_up().refuses(PROVIDER)
    }
}

/// What may be wrong with who asks.
const PROOF: &[&str] = &[
    "unauthenticated",
    "token_expired",
    "session_expired",
    "rate_limited",
    "keys_unavailable",
    "sign_in_unavailable",
    "database_unavailable",
];

/// What may be wrong with a key.
const KEY: &[&str] = &["unauthenticated", "rate_limited", "database_unavailable"];

/// What may be wrong with whom it is asked for.
const MEMBERSHIP: &[&str] = &[
    "organization_required",
    "reference_mismatch",
    "scope_required",
    "denied",
    "reference_required",
    "ambiguous_reference",
    "invalid_text",
    "unknown_organization",
    "contended",
];

/// What may be wrong with any body.
const BODY: &[&str] = &[
    "invalid_json",
    "invalid_type",
    "invalid_text",
    "too_long",
    "incomplete_body",
    "body_timeout",
    "body_too_large",
    "unsupported_media_type",
];

/// What a provider may say.
const PROVIDER: &[&str] = &[
    "rate_limited",
    "provider_throttled",
    "provider_unavailable",
    "provider_rejected",
    "payment_declined",
    "state_forbids",
    "stopping",
    "organization_deleted",
    "foreign_subscription",
];
