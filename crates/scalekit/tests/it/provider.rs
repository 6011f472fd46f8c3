//! An identity provider that counts, fails and waits as a test wants it, and signs tokens.

use std::{
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use tollkeeper_core::time::{Clock, MachineTime, Timestamp};
use tollkeeper_scalekit::oidc::{Config, Validator};

/// The moment at which every test begins.
pub(crate) const START: i64 = 1_767_225_600;

/// `START` and some seconds.
pub(crate) fn at(seconds: i64) -> MachineTime {
    MachineTime::from_unix_seconds(START + seconds)
}

/// A clock that stands until it is moved.
pub(crate) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(START)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::SeqCst))
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// Installs the TLS provider, as the binary does.
pub(crate) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A key pair that signs tokens.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    pub(crate) fn one() -> Self {
        Self::rsa(include_bytes!("../keys/one.der"))
    }

    pub(crate) fn two() -> Self {
        Self::rsa(include_bytes!("../keys/two.der"))
    }

    pub(crate) fn rsa(der: &[u8]) -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(der).unwrap())
    }

    pub(crate) fn p256() -> Self {
        let rng = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &rng).unwrap())
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
        }
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => PublicKeyComponents::<Vec<u8>>::from(pair.public()).n,
            Self::P256(_) => panic!("an elliptic key has no modulus"),
        }
    }

    /// The public half, as a key set has it.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
                    "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
                })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "kid": kid,
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
                })
            }
        }
    }

    /// A token with any header and payload, signed.
    pub(crate) fn sign(&self, header: &Value, payload: &Value) -> String {
        let message = message(header, payload);
        let rng = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&rng, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with the usual header.
    pub(crate) fn token(&self, kid: &str, payload: &Value) -> String {
        self.sign(&json!({"alg": self.alg(), "kid": kid, "typ": "JWT"}), payload)
    }
}

/// The two signed parts.
pub(crate) fn message(header: &Value, payload: &Value) -> String {
    [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}

/// One answer of the management API.
pub(crate) type Answer = (StatusCode, Vec<(&'static str, &'static str)>, Value);

/// A request that the provider saw.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// The provider. Its routes are `/keys`, discovery, and a management API that answers what it was given.
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) keys: Mutex<Value>,
    pub(crate) keys_status: Mutex<StatusCode>,
    pub(crate) discovery: Mutex<Value>,
    key_fetches: AtomicUsize,
    gate: watch::Sender<bool>,
    answers: Mutex<Vec<Answer>>,
    seen: Mutex<Vec<Seen>>,
}

impl Provider {
    /// Starts on a free port, with key one as `k1`.
    pub(crate) async fn start() -> Arc<Self> {
        install_tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Self {
            keys: Mutex::new(json!({"keys": [Signer::one().jwk("k1")]})),
            keys_status: Mutex::new(StatusCode::OK),
            discovery: Mutex::new(json!({"issuer": url, "jwks_uri": format!("{url}/keys")})),
            key_fetches: AtomicUsize::new(0),
            gate: watch::Sender::new(true),
            answers: Mutex::default(),
            seen: Mutex::default(),
            url,
        });
        let routes = Router::new()
            .route("/keys", get(keys))
            .route("/.well-known/openid-configuration", get(discovery))
            .fallback(any(answer))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    pub(crate) fn key_fetches(&self) -> usize {
        self.key_fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = json!({"keys": keys});
    }

    pub(crate) fn fail_keys(&self, status: StatusCode) {
        *self.keys_status.lock().unwrap() = status;
    }

    /// While the gate is closed, requests for the keys wait.
    pub(crate) fn gate(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// What the management API says next, in this order.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        let mut waiting = self.answers.lock().unwrap();
        waiting.extend(answers);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    /// A configuration for this provider, with its keys known.
    pub(crate) fn config(&self) -> Config {
        Config {
            jwks_url: Some(format!("{}/keys", self.url)),
            organization_claim: vec!["oid".to_owned()],
            ..Config::new(&self.url, "skc_1")
        }
    }

    pub(crate) fn validator(&self) -> Validator {
        Validator::new(self.config()).unwrap()
    }

    /// The claims of a person's session, good for five minutes.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": ["skc_1"], "sub": "usr_1", "oid": "org_1", "sid": "ses_1", "client_id": "skc_1",
            "jti": "tkn_1", "iat": START, "nbf": START, "exp": START + 300,
            "roles": ["admin"], "permissions": ["billing:manage", "billing:read"],
        })
    }

    /// The same with one claim changed, or removed by null.
    pub(crate) fn claims_with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        let claims_map = claims.as_object_mut().unwrap();
        if value.is_null() {
            claims_map.remove(name)
        } else {
            claims_map.insert(name.to_owned(), value)
        };
        claims
    }
}

async fn keys(State(provider): State<Arc<Provider>>) -> Response {
    provider.key_fetches.fetch_add(1, Ordering::SeqCst);
    let mut gate = provider.gate.subscribe();
    gate.wait_for(|open| *open).await.unwrap();
    let status = *provider.keys_status.lock().unwrap();
    (status, Json(provider.keys.lock().unwrap().clone())).into_response()
}

async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(provider.discovery.lock().unwrap().clone())
}

async fn answer(
    State(provider): State<Arc<Provider>>,
    method: axum::http::Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    provider.seen.lock().unwrap().push(Seen {
        line: format!("{method} {uri}"),
        authorization: headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let mut answers = provider.answers.lock().unwrap();
    if answers.is_empty() {
        return (StatusCode::IM_A_TEAPOT, "the test gave no answer for this").into_response();
    }
    let (status, headers, body) = answers.remove(0);
    let mut response = (status, Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Waits until something holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the condition holds in the end");
}
