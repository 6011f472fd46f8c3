//! The description as an OpenAPI document (3.1).

use std::collections::BTreeMap;

use super::{
    codes,
    json::{Json, Members},
    operation::{Answer, Content, Operation, Parameter, Place, Tag, Who},
    schema::named,
    schemas,
};
use crate::routes::Listed;

/// What is said on top.
pub(crate) const ABOUT: &str = "Keeps who an organization is and what it pays for in agreement, and tells a product what each \
organization may use.\n\nBodies are JSON objects: nothing at all counts as an empty one, null counts as not given, and \
fields that nobody knows are ignored. Every refusal is a problem document (RFC 9457) with a `code` for programs and a \
sentence for people in `error`. Amounts are in minor units, instants are RFC 3339 in UTC. A 429 or 503 says in \
`retry-after` when to come back, in seconds.";

/// The whole description.
pub(crate) fn document(listed: &Listed) -> Json {
    let mut paths = Vec::<(&'static str, Members)>::new();
    for (method, path, says) in &listed.operations {
        let described = operation(&says());
        match paths.iter_mut().find(|(known, _)| known == path) {
            Some((_, methods)) => methods.push(((*method).into(), described)),
            None => paths.push((path, vec![((*method).into(), described)])),
        }
    }
    Json::object([
        ("openapi", Json::from("3.1.0")),
        ("info", info()),
        ("servers", Json::List(vec![Json::object([("url", Json::from("/"))])])),
        ("tags", Json::List(Tag::ALL.map(|tag| tag.json()).into())),
        ("paths", Json::object(paths.into_iter().map(|(path, methods)| (path, Json::Object(methods))))),
        ("components", components()),
        ("x-codes", Json::List(codes::CODES.iter().map(code).collect())),
        ("x-pages", Json::List(listed.pages.iter().map(|(path, title)| page(path, title)).collect())),
    ])
}

fn info() -> Json {
    Json::object([
        ("title", Json::from("Tollkeeper")),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", ABOUT.into()),
        (
            "license",
            Json::object([("name", Json::from("MIT OR Apache-2.0")), ("identifier", "MIT OR Apache-2.0".into())]),
        ),
    ])
}

fn code(code: &codes::Code) -> Json {
    let statuses = code.statuses.iter().map(|status| Json::Whole(i64::from(*status))).collect();
    Json::object([
        ("code", Json::from(code.code)),
        ("statuses", Json::List(statuses)),
        ("means", code.means.into()),
        ("helps", code.cure.into()),
    ])
}

fn page(path: &'static str, title: &'static str) -> Json {
    Json::object([("path", Json::from(path)), ("title", title.into())])
}

fn components() -> Json {
    let schemas = schemas::all().into_iter().map(|(name, schema)| (name, schema.json()));
    let http = |scheme: &'static str, says: &'static str| {
        Json::object([("type", Json::from("http")), ("scheme", scheme.into()), ("description", says.into())])
    };
    let cookie = Json::object([
        ("type", Json::from("apiKey")),
        ("in", "cookie".into()),
        ("name", "scalekit_session".into()),
        ("description", "The session of our own pages; changes are only taken from pages of this site.".into()),
    ]);
    let proofs = [
        ("person", http("bearer", "An access token of the identity provider.")),
        ("key", http("bearer", "An API key (`tk_…`), with the scope that is named, or the operator key.")),
        ("session", cookie),
    ];
    Json::object([("schemas", Json::object(schemas)), ("securitySchemes", Json::object(proofs))])
}

fn operation(operation: &Operation) -> Json {
    let mut members: Members = vec![
        ("tags".into(), Json::texts([operation.tag.name()])),
        ("operationId".into(), operation.id.into()),
        ("summary".into(), operation.summary.into()),
    ];
    let mut put = |name: &'static str, value: Json| members.push((name.into(), value));
    if !operation.text.is_empty() {
        put("description", operation.text.into());
    }
    put("security", operation.who.json());
    if !operation.parameters.is_empty() {
        put("parameters", Json::List(operation.parameters.iter().map(parameter).collect()));
    }
    if let Some(body) = &operation.body {
        let content = content("application/json", body.schema.json());
        put("requestBody", Json::object([("required", Json::from(body.needed)), ("content", content)]));
    }
    let answers = operation.answers.iter().map(|answer| (answer.status.to_string(), self::answer(answer)));
    put("responses", Json::object(answers.chain(refusals(operation))));
    Json::Object(members)
}

fn parameter(parameter: &Parameter) -> Json {
    let mut schema = parameter.schema.clone();
    let says = std::mem::take(&mut schema.says);
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
    };
    let mut members: Members = vec![("name".into(), parameter.name.into()), ("in".into(), place.into())];
    if parameter.place == Place::Path {
        members.push(("required".into(), true.into()));
    }
    if !says.is_empty() {
        members.push(("description".into(), says.into()));
    }
    members.push(("schema".into(), schema.json()));
    Json::Object(members)
}

fn answer(answer: &Answer) -> Json {
    let mut members: Members = vec![("description".into(), answer.says.into())];
    if !answer.headers.is_empty() {
        let text = || Json::object([("type", Json::from("string"))]);
        let header = |says: &'static str| Json::object([("description", Json::from(says)), ("schema", text())]);
        let headers = answer.headers.iter().map(|(name, says)| (*name, header(says)));
        members.push(("headers".into(), Json::object(headers)));
    }
    match &answer.content {
        Content::Nothing => {}
        Content::Json(schema) => members.push(("content".into(), content("application/json", schema.json()))),
        Content::Other(media) => {
            members.push(("content".into(), content(media, Json::object([("type", Json::from("string"))]))));
        }
    }
    Json::Object(members)
}

/// The problem documents of an operation, by status: of each, only these codes.
fn refusals(operation: &Operation) -> impl Iterator<Item = (String, Json)> {
    let mut by_status = BTreeMap::<u16, Vec<&codes::Code>>::new();
    for code in operation.refusals.iter().filter_map(|code| codes::find(code)) {
        for status in code.statuses {
            by_status.entry(*status).or_default().push(code);
        }
    }
    by_status.into_iter().map(|(status, codes)| {
        let known = Json::object([("enum", Json::texts(codes.iter().map(|code| code.code)))]);
        let narrower = Json::object([("properties", Json::object([("code", known)]))]);
        let schema = Json::object([("allOf", Json::List(vec![named("Problem").json(), narrower]))]);
        let answer = Json::object([
            ("description", Json::from("Refused; `x-codes` says what each code means.")),
            ("content", content("application/problem+json", schema)),
        ]);
        (status.to_string(), answer)
    })
}

fn content(media: &'static str, schema: Json) -> Json {
    Json::object([(media, Json::object([("schema", schema)]))])
}

impl Who {
    fn json(self) -> Json {
        let by = |proof: &'static str, scope: Option<&'static str>| Json::object([(proof, Json::texts(scope))]);
        Json::List(match self {
            Self::Anybody | Self::Provider => vec![],
            Self::Member => vec![by("person", None), by("session", None), by("key", Some("read"))],
            Self::Billing => vec![by("person", None), by("session", None), by("key", Some("billing"))],
            Self::Operator => vec![by("key", Some("admin"))],
        })
    }
}

impl Tag {
    pub(crate) const ALL: [Self; 8] = [
        Self::Session,
        Self::Subscriptions,
        Self::Entitlements,
        Self::Organization,
        Self::Invoices,
        Self::Webhooks,
        Self::Operators,
        Self::Health,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Session => "Session and catalog",
            Self::Subscriptions => "Subscriptions",
            Self::Entitlements => "Entitlements and gates",
            Self::Organization => "Organization",
            Self::Invoices => "Invoices",
            Self::Webhooks => "Webhooks",
            Self::Operators => "Operators",
            Self::Health => "Health",
        }
    }

    /// What people read above its operations.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Session => "Who asks, and what can be bought.",
            Self::Subscriptions => "From the checkout to the end, one organization at a time.",
            Self::Entitlements => "What an organization may use, for programs and for proxies.",
            Self::Organization => "Who belongs to it, and who gets its mail.",
            Self::Invoices => "What was charged, as the billing provider holds it.",
            Self::Webhooks => "Where the providers tell what happened.",
            Self::Operators => "For those who run the product: about all organizations.",
            Self::Health => "For machines that watch this server.",
        }
    }

    fn json(self) -> Json {
        Json::object([("name", Json::from(self.name())), ("description", self.says().into())])
    }
}
