//! The description for everybody: as a document for programs, as a page for people, as a list for language models.
//!
//! Each is made when somebody first asks, and kept as it goes over the wire: a server that nobody asks keeps none.

mod page;

use std::{io::Read as _, sync::OnceLock};

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    description::{self, Operation, Tag},
    pages::{
        self,
        asset::{packed, takes_gzip},
    },
    router::{self, Shared},
};

/// What was made so far, compressed.
#[derive(Default)]
pub(crate) struct Documents {
    openapi: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
    list: OnceLock<Bytes>,
}

/// `GET /openapi.json`
pub(crate) async fn openapi(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let made = app.documents.openapi.get_or_init(|| packed(&router::openapi()));
    answer(made, "application/json", &headers)
}

/// `GET /docs`
pub(crate) async fn docs(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let made = app.documents.page.get_or_init(|| packed(&page::page(&app.engine.settings().app_url)));
    let mut response = answer(made, "text/html; charset=utf-8", &headers);
    response.headers_mut().extend(pages::headers());
    response
}

/// `GET /llms.txt`, as <https://llmstxt.org> proposes it.
pub(crate) async fn llms(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let made = app.documents.list.get_or_init(|| packed(&list()));
    answer(made, "text/plain; charset=utf-8", &headers)
}

fn list() -> String {
    let listed = router::routes().into_list();
    let mut text = format!("# Tollkeeper\n\n> {}\n\n", description::ABOUT);
    text.push_str("## Documents\n\n- [OpenAPI 3.1](/openapi.json): every route, body, answer and refusal\n");
    text.push_str("- [Reference](/docs): the same for people\n");
    let operations: Vec<_> = listed.operations.iter().map(|(method, path, says)| (method, path, says())).collect();
    for tag in Tag::ALL {
        let mut of_tag = operations.iter().filter(|(.., operation)| operation.tag == tag).peekable();
        if of_tag.peek().is_some() {
            text.push_str(&format!("\n## {}\n\n{}\n\n", tag.name(), tag.says()));
        }
        for (method, path, Operation { id, summary, text: more, .. }) in of_tag {
            let method = method.to_uppercase();
            text.push_str(format!("- [{method} {path}](/docs#{id}): {summary}. {more}").trim_end());
            text.push('\n');
        }
    }
    text.push_str("\n## Pages\n\n");
    for (path, title) in &listed.pages {
        text.push_str(&format!("- [{path}]({path}): {title}\n"));
    }
    text
}

fn answer(packed: &Bytes, kind: &'static str, headers: &HeaderMap) -> Response {
    let mut answer = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ]);
    if takes_gzip(headers) {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (answer, packed.clone()).into_response();
    }
    let mut plain = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut plain).expect("it was packed here");
    (answer, plain).into_response()
}
