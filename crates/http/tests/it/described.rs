//! Holds every answer that a test gets against the description, so that the description says what is so.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Request,
    middleware,
    response::Response,
};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use hyper::body::{Frame, SizeHint};
use jsonschema::Validator;
use serde_json::{Value, json};

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&tollkeeper_http::openapi()).unwrap());

/// What was made of schemas so far, by where they stand.
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

/// The same router; a test fails at an answer that is not described.
pub(crate) fn held_against_it(router: Router) -> Router {
    router.layer(middleware::from_fn(async |request: Request, next: middleware::Next| {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let read = Arc::new(Mutex::new(Vec::new()));
        let request = request.map(|body| Body::new(Overheard { body, read: read.clone() }));
        let (parts, body) = next.run(request).await.into_parts();
        if parts.headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/event-stream") {
            // It has no end to wait for.
            check(&method, &path, &read.lock().unwrap(), &parts, &Bytes::new());
            return Response::from_parts(parts, body);
        }
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        check(&method, &path, &read.lock().unwrap(), &parts, &bytes);
        Response::from_parts(parts, Body::from(bytes))
    }))
}

/// A body of which is kept what the handler reads.
struct Overheard {
    body: Body,
    read: Arc<Mutex<Vec<u8>>>,
}

impl HttpBody for Overheard {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.read.lock().unwrap().extend_from_slice(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn check(method: &Method, path: &str, sent: &[u8], answer: &http::response::Parts, body: &Bytes) {
    if answer.headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/html; charset=utf-8") {
        // A person is told in a page, of what is described and of what is not.
        return;
    }
    let what = format!("{method} {path} answered {}: {}", answer.status, String::from_utf8_lossy(body));
    let Some((template, methods)) = path_of(path) else {
        let known = ["/static/", "/billing/", "/console/", "/auth/", "/openapi.json", "/llms.txt"]
            .iter()
            .any(|start| path.starts_with(start))
            || DOCUMENT["x-pages"].as_array().unwrap().iter().any(|page| page["path"] == path);
        if !known && *method != Method::HEAD && answer.status != StatusCode::NO_CONTENT {
            let code = match answer.status {
                StatusCode::SERVICE_UNAVAILABLE => "overloaded",
                status => {
                    assert_eq!(status, StatusCode::NOT_FOUND, "not described: {what}");
                    "not_found"
                }
            };
            problem(code, body, &what);
        }
        return;
    };
    let word = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let Some(operation) = methods.get(&word) else {
        let preflight = *method == Method::OPTIONS && answer.status == StatusCode::NO_CONTENT;
        if !preflight {
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "not described: {what}");
            problem("method_not_allowed", body, &what);
        }
        return;
    };
    let at = format!("/paths/{}/{word}", template.replace('~', "~0").replace('/', "~1"));
    let status = answer.status.as_str();
    let described = &operation["responses"][status];
    assert!(described.is_object(), "the description knows no such status: {what}");
    for name in described["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
        // What is in a header may not apply; where to go on always does.
        assert!(name != "location" || answer.headers.contains_key(name), "{name} is missing: {what}");
    }
    if *method != Method::HEAD {
        holds(described, &format!("{at}/responses/{status}"), answer, body, &what);
    }
    if answer.status.is_success() && operation["requestBody"].is_object() && !sent.trim_ascii().is_empty() {
        let mut sent: Value = serde_json::from_slice(sent).unwrap();
        without_nulls(&mut sent);
        conforms(&format!("{at}/requestBody/content/application~1json/schema"), &sent, &what);
    }
}

/// Whether the body is what the answer of this status is described as.
fn holds(described: &Value, at: &str, answer: &http::response::Parts, body: &Bytes, what: &str) {
    let Some(contents) = described["content"].as_object() else {
        assert!(body.is_empty(), "nothing is described: {what}");
        return;
    };
    let media = answer.headers[header::CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap();
    assert!(contents.contains_key(media), "{media} is not described: {what}");
    if media.ends_with("json") {
        let value = serde_json::from_slice(body).unwrap();
        conforms(&format!("{at}/content/{}/schema", media.replace('/', "~1")), &value, what);
    }
}

/// Whether this is the problem document of an answer that is no operation's.
fn problem(code: &str, body: &Bytes, what: &str) {
    if !body.is_empty() {
        let value: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(value["code"], code, "{what}");
        conforms("/components/schemas/Problem", &value, what);
    }
}

/// Whether a value is what the schema at this place of the document says.
#[track_caller]
pub(crate) fn conforms(at: &str, value: &Value, what: &str) {
    let errors: Vec<_> =
        validator(at).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "not as described at {at}: {errors:#?}\n{what}");
}

fn validator(at: &str) -> &'static Validator {
    let mut made = VALIDATORS.lock().unwrap();
    made.entry(at.to_owned()).or_insert_with(|| {
        let schema = DOCUMENT.pointer(at).unwrap_or_else(|| panic!("nothing is at {at}"));
        let mut schema = schema.clone();
        schema["components"] = json!({ "schemas": DOCUMENT["components"]["schemas"] });
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        Box::leak(Box::new(options.build(&schema).unwrap()))
    })
}

/// What is null counts as not given.
fn without_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_nulls);
    }
}

/// The described path that an address belongs to: of several, the one that is most literal.
fn path_of(path: &str) -> Option<(&'static str, &'static serde_json::Map<String, Value>)> {
    let fits = |template: &str| {
        let (wanted, found): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        wanted.len() == found.len()
            && wanted.iter().zip(&found).all(|(want, is)| want == is || (want.starts_with('{') && !is.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
    let found = paths.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((found.0.as_str(), found.1.as_object().unwrap()))
}
