//! The reference as people read it: everything on one page, without scripts.

use askama::Template;

use crate::{
    description::{
        ABOUT, CODES, Code, Content, Json, Kind, Operation, Parameter, Place, Schema, Tag, Who, find, schemas,
    },
    pages::asset,
    router,
};

/// Renders the reference of a server at this address.
pub(super) fn page(address: &str) -> String {
    let listed = router::routes().into_list();
    let components = schemas::all();
    let operations: Vec<_> = listed.operations.iter().map(|(method, path, says)| (*method, *path, says())).collect();
    let groups = Tag::ALL.map(|tag| {
        let of_tag = operations.iter().filter(|(.., operation)| operation.tag == tag);
        let views = of_tag.map(|(method, path, operation)| View::of(address, method, path, operation, &components));
        Group { name: tag.name(), anchor: anchor(tag.name()), says: tag.says(), operations: views.collect() }
    });
    let shapes = components.iter().map(|(name, schema)| Shape {
        name,
        says: prose(schema.says),
        rows: rows(schema),
        kind: kind(schema),
        example: schema.example.map(|example| Json::of(example).pretty()),
    });
    let page = Reference {
        styles: ["page.css", "docs.css"].map(asset::address),
        mark: asset::address("mark.svg"),
        version: env!("CARGO_PKG_VERSION"),
        about: ABOUT.split("\n\n").map(prose).collect(),
        groups: groups.into_iter().filter(|group| !group.operations.is_empty()).collect(),
        shapes: shapes.collect(),
        codes: CODES.iter().map(Refusal::of).collect(),
        pages: listed.pages,
    };
    page.render().expect("texts and numbers can be written")
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Reference {
    /// The sheet of every page, and that of this one.
    styles: [String; 2],
    mark: String,
    version: &'static str,
    about: Vec<String>,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
    codes: Vec<Refusal>,
    pages: Vec<(&'static str, &'static str)>,
}

/// The operations of a tag.
struct Group {
    name: &'static str,
    anchor: String,
    says: &'static str,
    operations: Vec<View>,
}

/// An operation.
struct View {
    id: &'static str,
    method: String,
    path: &'static str,
    summary: &'static str,
    text: String,
    who: &'static str,
    parameters: Vec<Row>,
    body: Option<Sent>,
    answers: Vec<Answered>,
    /// Codes by status.
    refusals: Vec<(u16, Vec<&'static str>)>,
    curl: String,
}

/// What is sent.
struct Sent {
    kind: String,
    rows: Vec<Row>,
}

/// An answer that is no refusal.
struct Answered {
    status: u16,
    says: String,
    kind: String,
    headers: Vec<(&'static str, &'static str)>,
    example: Option<String>,
}

/// A member or a parameter. What is HTML has been escaped.
struct Row {
    name: &'static str,
    place: &'static str,
    kind: String,
    needed: bool,
    says: String,
}

/// A component.
struct Shape {
    name: &'static str,
    says: String,
    kind: String,
    rows: Vec<Row>,
    example: Option<String>,
}

/// A code of a refusal.
struct Refusal {
    code: &'static str,
    statuses: String,
    means: String,
    helps: String,
}

impl Refusal {
    fn of(code: &Code) -> Self {
        let statuses: Vec<_> = code.statuses.iter().map(u16::to_string).collect();
        Self { code: code.code, statuses: statuses.join(", "), means: prose(code.means), helps: prose(code.cure) }
    }
}

impl View {
    fn of(
        address: &str,
        method: &str,
        path: &'static str,
        operation: &Operation,
        components: &[(&'static str, Schema)],
    ) -> Self {
        let method = method.to_uppercase();
        let body = operation
            .body
            .as_ref()
            .map(|body| Sent { kind: kind(&body.schema), rows: rows(resolved(&body.schema, components)) });
        let answers = operation.answers.iter().map(|answer| {
            let (kind, example) = match &answer.content {
                Content::Nothing => (String::new(), None),
                Content::Json(schema) => (kind(schema), resolved(schema, components).example),
                Content::Other(media) => (escaped(media), None),
            };
            let example = example.map(|example| Json::of(example).pretty());
            Answered { status: answer.status, says: prose(answer.says), kind, headers: answer.headers.clone(), example }
        });
        let mut refusals = std::collections::BTreeMap::<u16, Vec<_>>::new();
        for code in operation.refusals.iter().filter_map(|code| find(code)) {
            code.statuses.iter().for_each(|status| refusals.entry(*status).or_default().push(code.code));
        }
        Self {
            id: operation.id,
            path,
            summary: operation.summary,
            text: prose(operation.text),
            who: operation.who.words(),
            parameters: operation.parameters.iter().map(Row::of).collect(),
            body,
            answers: answers.collect(),
            refusals: refusals.into_iter().collect(),
            curl: curl(address, &method, path, operation, components),
            method,
        }
    }
}

impl Row {
    fn of(parameter: &Parameter) -> Self {
        let (place, needed) = match parameter.place {
            Place::Path => ("path", true),
            Place::Query => ("query", false),
        };
        let says = prose(parameter.schema.says);
        Self { name: parameter.name, place, kind: kind(&parameter.schema), needed, says }
    }
}

impl Who {
    const fn words(self) -> &'static str {
        match self {
            Self::Anybody => "Everybody",
            Self::Member => "A member of the organization, or an API key with the scope read",
            Self::Billing => "A member who may change billing, or an API key with the scope billing",
            Self::Operator => "The operator key, or an API key with the scope admin",
            Self::Provider => "A provider, proven by its signature or password",
        }
    }
}

/// A call that works as it is, with a token.
fn curl(
    address: &str,
    method: &str,
    path: &str,
    operation: &Operation,
    components: &[(&'static str, Schema)],
) -> String {
    let mut call = match method {
        "GET" => format!("curl {address}{path}"),
        _ => format!("curl -X {method} {address}{path}"),
    };
    match operation.who {
        Who::Member | Who::Billing => call.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\""),
        Who::Operator => call.push_str(" \\\n  -H \"Authorization: Bearer $TOLLKEEPER_OPERATOR_KEY\""),
        Who::Anybody | Who::Provider => {}
    }
    if let Some(example) = operation.body.as_ref().and_then(|body| resolved(&body.schema, components).example) {
        call.push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{example}'"));
    }
    call
}

/// A schema, or the component that it names.
fn resolved<'a>(schema: &'a Schema, components: &'a [(&'static str, Schema)]) -> &'a Schema {
    let Kind::Named(wanted) = &schema.kind else { return schema };
    components.iter().find(|(name, _)| name == wanted).map_or(schema, |(_, schema)| schema)
}

/// The members of an object.
fn rows(schema: &Schema) -> Vec<Row> {
    let Kind::Object { members, .. } = &schema.kind else { return Vec::new() };
    let row = |member: &crate::description::Member| Row {
        name: member.name,
        place: "",
        kind: kind(&member.schema),
        needed: member.always,
        says: prose(member.schema.says),
    };
    members.iter().map(row).collect()
}

/// What a value is in a few words, as HTML: components are links.
fn kind(schema: &Schema) -> String {
    let range = |least: Option<i64>, most: Option<i64>| match (least, most) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", {least} or more"),
        (None, Some(most)) => format!(", up to {most}"),
        (None, None) => String::new(),
    };
    let words = match &schema.kind {
        Kind::Any => "anything".to_owned(),
        Kind::Text { format: Some("date-time"), .. } => "instant".to_owned(),
        Kind::Text { longest: Some(longest), .. } => format!("text, up to {longest} characters"),
        Kind::Text { .. } => "text".to_owned(),
        Kind::Words(words) => {
            words.iter().map(|word| format!("<code>{}</code>", escaped(word))).collect::<Vec<_>>().join(" ")
        }
        Kind::Whole { least, most } => format!("whole number{}", range(*least, *most)),
        Kind::Bool => "true or false".to_owned(),
        Kind::List { of, most } => {
            let most = most.map_or_else(String::new, |most| format!(", up to {most} entries"));
            format!("list of {}{most}", kind(of))
        }
        Kind::Map(of) => format!("names, each with {}", kind(of)),
        Kind::Object { members, .. } if members.is_empty() => "object".to_owned(),
        Kind::Object { members, .. } => {
            let inside = members.iter().map(|member| format!("{}: {}", member.name, kind(&member.schema)));
            format!("{{ {} }}", inside.collect::<Vec<_>>().join("; "))
        }
        Kind::OneOf(some) => some.iter().map(kind).collect::<Vec<_>>().join(", or "),
        Kind::Named(name) => format!("<a href=\"#{name}\">{name}</a>"),
    };
    if schema.nullable { format!("{words}, or null") } else { words }
}

/// A sentence as HTML, with what stands between backticks as code.
fn prose(text: &str) -> String {
    let pieces = text.split('`').enumerate().map(|(place, piece)| match place % 2 {
        0 => escaped(piece),
        _ => format!("<code>{}</code>", escaped(piece)),
    });
    pieces.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_escaped() {
        assert_eq!(prose("a <b> & `c<d>`"), "a &lt;b&gt; &amp; <code>c&lt;d&gt;</code>");
        let page = page("https://a.test/?\"><script>");
        assert!(!page.contains("<script"), "the address is escaped");
    }

    #[test]
    fn every_link_within_the_page_leads_somewhere() {
        let page = page("https://app.example.com");
        let ids: std::collections::HashSet<_> =
            page.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
        assert!(ids.len() > 100, "{}", ids.len());
        for link in page.split("href=\"#").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]) {
            assert!(ids.contains(link), "nothing has the name {link}");
        }
    }
}
