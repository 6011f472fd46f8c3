//! Files that pages refer to: in the program itself, named by their content, so that a browser keeps them for good.

use std::{io::Write as _, sync::LazyLock};

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// A file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
    /// Begin of the content's SHA-256: another content has another address.
    hash: String,
    packed: Bytes,
}

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        Asset::new("page.css", "text/css; charset=utf-8", include_str!("../../static/page.css")),
        Asset::new("docs.css", "text/css; charset=utf-8", include_str!("../../static/docs.css")),
        Asset::new("console.css", "text/css; charset=utf-8", include_str!("../../static/console.css")),
        Asset::new("live.js", "text/javascript; charset=utf-8", include_str!("../../static/live.js")),
        Asset::new("htmx.js", "text/javascript; charset=utf-8", include_str!("../../static/htmx.min.js")),
        Asset::new("mark.svg", "image/svg+xml", include_str!("../../static/mark.svg")),
    ]
});

impl Asset {
    fn new(name: &'static str, kind: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { name, kind, content, hash, packed: packed(content) }
    }
}

/// A text as it goes over the wire.
pub(crate) fn packed(text: &str) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes()).expect("memory takes everything");
    gzip.finish().expect("memory takes everything").into()
}

/// Whether whoever asks can unpack that.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|coding| matches!(coding.trim(), "gzip" | "*"))
}

/// Where a file is.
pub(crate) fn address(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("templates name files that are there");
    format!("/static/{}/{}", asset.hash, asset.name)
}

/// `GET /static/{hash}/{name}`
///
/// Under the address of an older or newer build there is what this one has, for a browser that comes between two of them;
/// nobody keeps that.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here").into_response();
    };
    let keep = if hash == asset.hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut answer = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ]);
    if takes_gzip(&headers) {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (answer, asset.packed.clone()).into_response();
    }
    (answer, asset.content).into_response()
}
