//! Deliveries: signatures by every vector, events by every documented payload.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::{
    member::MemberChange,
    ports::{Content, DecodeError, Hint, Inbound as _, OrganizationRecord, Subject, Verified, VerifyError},
    time::{MachineTime, Timestamp},
};
use tollkeeper_scalekit::{
    Config, Scalekit,
    standard_webhooks::{self, ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, TOLERANCE},
};

use crate::{
    contracts,
    provider::{START, StandingClock, at, install_tls},
};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

fn scalekit(secrets: &[&str]) -> Scalekit {
    install_tls();
    let mut config = Config::new("https://acme.scalekit.dev", "skc_1", "secret".to_owned().into());
    config.webhook_secrets = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
    Scalekit::new(config, StandingClock::new()).unwrap()
}

fn decode(body: &Value) -> Result<Hint, DecodeError> {
    let verified = Verified::vouched("scalekit".into(), body.to_string().into());
    let scalekit = scalekit(&[]);
    let decoded = scalekit.decode(&verified);
    if let Ok(hint) = &decoded {
        let envelope = scalekit.envelope(&verified).unwrap();
        assert_eq!(envelope, Hint { content: None, ..hint.clone() }, "the envelope says the same");
    }
    decoded
}

#[test]
fn every_signature_vector_has_its_answer() {
    let Some(file) = contracts::read("webhook-signature-vectors.json") else { return };
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 38);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let mut headers = HeaderMap::new();
        for (header, value) in vector["headers"].as_object().unwrap() {
            let header = HeaderName::from_bytes(header.as_bytes()).unwrap();
            headers.insert(header, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
        let now = MachineTime::from_unix_seconds(vector["now"].as_i64().unwrap());
        let body = vector["body"].as_str().unwrap().as_bytes();
        let accepted = Secret::parse(vector["secret"].as_str().unwrap())
            .is_ok_and(|secret| standard_webhooks::verify(&[secret], &headers, body, now, TOLERANCE).is_ok());
        assert_eq!(accepted, vector["valid"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn every_published_v1_vector_is_made_the_same() {
    let Some(file) = contracts::read("standard-webhooks-vectors.json") else { return };
    let vectors: Vec<_> =
        file["signing"].as_array().unwrap().iter().filter(|vector| vector["scheme"] == "v1").collect();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let timestamp = MachineTime::from_unix_seconds(vector["timestamp"].as_i64().unwrap());
        let secret = Secret::parse(text("secret")).unwrap();
        let made = standard_webhooks::sign(&secret, text("id"), timestamp, text("body").as_bytes());
        assert_eq!(made, text("signature"), "{}", text("name"));
    }
}

#[test]
fn a_delivery_is_verified_with_either_secret_and_its_bytes_are_kept() {
    let body = Bytes::from_static(b"{\"id\": \"evt_1\",  \"type\": \"organization.created\"}\n");
    let headers = |signature: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, "msg_1".parse().unwrap());
        headers.insert(TIMESTAMP_HEADER, START.to_string().parse().unwrap());
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        headers
    };
    let signature = standard_webhooks::sign(&Secret::parse(SECRET).unwrap(), "msg_1", at(0), &body);
    let verified = scalekit(&[OTHER, SECRET]).verify(&headers(&signature), body.clone(), at(0)).unwrap();
    assert_eq!((verified.source().as_str(), verified.body()), ("scalekit", &body));
    let refused = |secrets: &[&str], headers: &HeaderMap, seconds| {
        scalekit(secrets).verify(headers, body.clone(), at(seconds)).unwrap_err()
    };
    assert_eq!(refused(&[OTHER], &headers(&signature), 0), VerifyError::Mismatch);
    assert_eq!(refused(&[SECRET], &headers(&signature), 301), VerifyError::Stale);
    assert_eq!(refused(&[SECRET], &HeaderMap::new(), 0), VerifyError::Missing(ID_HEADER));
    assert!(matches!(refused(&[], &headers(&signature), 0), VerifyError::Missing(_)));
}

#[test]
fn a_bad_webhook_secret_stops_the_start() {
    install_tls();
    let mut config = Config::new("https://acme.scalekit.dev", "skc_1", "secret".to_owned().into());
    config.webhook_secrets = vec!["whsec_".to_owned().into()];
    let error = Scalekit::new(config, StandingClock::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "webhook_secrets[0]: is empty; wanted is `whsec_` and base64, as the provider's dashboard shows it"
    );
}

/// What a documented event is to us: `None` where it is nothing.
fn expected(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        "organization.created" | "organization.updated" => "changed",
        "organization.deleted" => "deleted",
        "user.organization_membership_created"
        | "user.organization_membership_updated"
        | "organization.directory.user_created"
        | "organization.directory.user_updated" => "joined",
        "user.organization_membership_deleted" | "organization.directory.user_deleted" => "left",
        _ => return None,
    })
}

#[test]
fn every_documented_payload_is_read() {
    let Some(folder) = contracts::folder() else { return };
    let scalekit = scalekit(&[]);
    let mut read = 0;
    for entry in std::fs::read_dir(folder.join("payloads")).unwrap() {
        let path = entry.unwrap().path();
        let event_type = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let body = std::fs::read(&path).unwrap();
        let payload: Value = serde_json::from_slice(&body).unwrap();
        let verified = Verified::vouched("scalekit".into(), body.into());
        let envelope = scalekit.envelope(&verified).unwrap();
        let decoded = scalekit.decode(&verified).unwrap();
        read += 1;

        assert_eq!(envelope.content, None, "{event_type}");
        assert_eq!(envelope, Hint { content: None, ..decoded.clone() }, "{event_type}");
        assert_eq!(decoded.event_type, event_type);
        assert_eq!(decoded.event_id.as_str(), payload["id"].as_str().unwrap());
        assert!(decoded.occurred_at.is_some(), "{event_type}");
        let organization = payload["organization_id"].as_str();
        let subject = match expected(&event_type) {
            Some(_) => Subject::Organization(organization.unwrap().into()),
            None => Subject::Other,
        };
        assert_eq!(decoded.subject, subject, "{event_type}");
        let content = match &decoded.content {
            None => None,
            Some(Content::OrganizationChanged(record)) => {
                assert_eq!(Some(record.id.as_str()), organization);
                Some("changed")
            }
            Some(Content::OrganizationDeleted(id)) => {
                assert_eq!(Some(id.as_str()), organization);
                Some("deleted")
            }
            Some(Content::Member(change)) => {
                assert_eq!(Some(change.organization_id.as_str()), organization);
                assert_eq!(Some(change.occurred_at), decoded.occurred_at);
                assert!(change.email.is_some());
                Some(if change.active { "joined" } else { "left" })
            }
            Some(other) => panic!("{event_type} is not {other:?}"),
        };
        assert_eq!(content, expected(&event_type), "{event_type}");
    }
    assert_eq!(read, 32);
}

fn organization_event() -> Value {
    json!({
        "spec_version": "1", "id": "evt_1", "type": "organization.updated", "object": "Organization",
        "occurred_at": "2025-12-31T23:59:58.123456789Z", "environment_id": "env_1", "organization_id": "org_1",
        "data": {
            "id": "org_1", "display_name": "Acme \u{1f680} \"Corp\"", "external_id": null, "metadata": null,
            "update_time": "2025-12-31T23:59:58.02Z",
        },
        "display_name": "Organization Updated",
    })
}

fn membership_event() -> Value {
    json!({
        "id": "evt_2", "type": "user.organization_membership_created", "occurred_at": "2026-01-01T00:00:00Z",
        "organization_id": "org_1",
        "data": {"organization": {"id": "org_1"}, "user": {"id": "usr_1", "email": "Jane@Example.com", "external_id": ""}},
    })
}

fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

#[test]
fn an_organization_event_tells_the_organization() {
    let hint = decode(&organization_event()).unwrap();
    assert_eq!(hint.occurred_at, Some(Timestamp::from_micros(1_767_225_598_123_456)));
    assert_eq!(
        hint.content,
        Some(Content::OrganizationChanged(OrganizationRecord {
            id: "org_1".into(),
            display_name: Some("Acme \u{1f680} \"Corp\"".to_owned()),
            external_id: None,
            updated_at: Some(Timestamp::from_micros(1_767_225_598_020_000)),
        }))
    );
}

#[test]
fn an_empty_name_is_no_name() {
    let hint = decode(&with(organization_event(), "/data/display_name", json!(""))).unwrap();
    let Some(Content::OrganizationChanged(record)) = hint.content else { panic!("{hint:?}") };
    assert_eq!(record.display_name, None);
}

#[test]
fn a_membership_event_tells_the_member() {
    let change = MemberChange {
        organization_id: "org_1".into(),
        user_id: "usr_1".into(),
        email: Some("Jane@Example.com".to_owned()),
        active: true,
        occurred_at: Timestamp::from_unix_seconds(START),
    };
    for (event_type, active) in [
        ("user.organization_membership_created", true),
        ("user.organization_membership_updated", true),
        ("user.organization_membership_deleted", false),
        ("membership.created", true),
        ("membership.updated", true),
        ("membership.deleted", false),
    ] {
        let hint = decode(&with(membership_event(), "/type", json!(event_type))).unwrap();
        assert_eq!(hint.content, Some(Content::Member(MemberChange { active, ..change.clone() })), "{event_type}");
    }
}

#[test]
fn a_directory_user_leaves_by_deactivation_too() {
    let event = |event_type: &str, active: Value| {
        json!({
            "id": "evt_3", "type": event_type, "occurred_at": "2026-01-01T00:00:00Z", "organization_id": "org_1",
            "data": {"id": "diruser_1", "organization_id": "org_elsewhere", "email": "", "active": active},
        })
    };
    for (event_type, active, expected) in [
        ("organization.directory.user_created", json!(true), true),
        ("organization.directory.user_updated", json!(false), false),
        ("organization.directory.user_updated", Value::Null, true),
        ("organization.directory.user_deleted", json!(true), false),
    ] {
        let hint = decode(&event(event_type, active)).unwrap();
        let Some(Content::Member(change)) = hint.content else { panic!("{hint:?}") };
        assert_eq!(
            (change.user_id.as_str(), change.active, change.email),
            ("diruser_1", expected, None),
            "{event_type}"
        );
        assert_eq!(change.organization_id.as_str(), "org_1", "the envelope names the tenant");
    }
}

#[test]
fn without_the_envelopes_organization_the_one_inside_counts() {
    for event in [organization_event(), membership_event()] {
        for nothing in [Value::Null, json!("")] {
            let hint = decode(&with(event.clone(), "/organization_id", nothing)).unwrap();
            assert_eq!(hint.subject, Subject::Organization("org_1".into()));
        }
    }
}

#[test]
fn events_that_we_do_not_know_are_read_as_such() {
    for event_type in
        ["user.created", "user.login", "organization.sso_enabled", "organization.domain_created", "brand.new"]
    {
        let hint = decode(&with(organization_event(), "/type", json!(event_type))).unwrap();
        assert_eq!((hint.event_type.as_str(), hint.subject, hint.content), (event_type, Subject::Other, None));
    }
    let bare = decode(&json!({"id": "evt_1", "type": "brand.new"})).unwrap();
    assert_eq!(bare.occurred_at, None);
}

#[test]
fn older_deliveries_tell_the_time_by_another_name() {
    let mut event = membership_event();
    event.as_object_mut().unwrap().remove("occurred_at");
    assert_eq!(decode(&event).unwrap_err().0, "user.organization_membership_created has no time");
    event["timestamp"] = json!("2026-01-01T00:00:01Z");
    assert_eq!(decode(&event).unwrap().occurred_at, Some(Timestamp::from_unix_seconds(START + 1)));
}

#[test]
fn a_delivery_without_id_or_type_is_not_read() {
    let scalekit = scalekit(&[]);
    for body in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "\u{feff}{}",
        r#"{"id":"evt_1"}"#,
        r#"{"type":"organization.created"}"#,
        r#"{"id":"","type":"a"}"#,
        r#"{"id":7,"type":"a"}"#,
        r#"{"id":"evt_\u0000","type":"a"}"#,
    ] {
        let verified = Verified::vouched("scalekit".into(), Bytes::from(body.to_owned()));
        assert!(scalekit.envelope(&verified).is_err(), "{body}");
        assert!(scalekit.decode(&verified).is_err(), "{body}");
    }
}

#[test]
fn a_known_event_with_unknown_insides_is_kept_and_says_where_not_what() {
    let scalekit = scalekit(&[]);
    for event in [
        with(membership_event(), "/data/user", json!("jane@example.com")),
        with(membership_event(), "/data/user/id", json!("")),
        with(membership_event(), "/data", Value::Null),
        with(with(membership_event(), "/organization_id", Value::Null), "/data/organization/id", json!("")),
    ] {
        let verified = Verified::vouched("scalekit".into(), event.to_string().into());
        assert!(scalekit.envelope(&verified).is_ok(), "it is stored: {event}");
        let error = scalekit.decode(&verified).unwrap_err().to_string();
        assert!(!error.contains("jane"), "{error}");
    }
}

#[test]
fn hostile_bodies_never_panic() {
    let scalekit = scalekit(&[SECRET]);
    let whole = membership_event().to_string();
    proptest!(|(bytes: Vec<u8>, cut: prop::sample::Index, noise in "[ -~]{0,40}")| {
        let renamed = whole.replace("usr_1", &noise);
        prop_assert!(scalekit.verify(&HeaderMap::new(), bytes.clone().into(), at(0)).is_err());
        for body in [bytes, whole.as_bytes()[..cut.index(whole.len())].to_vec(), renamed.into_bytes()] {
            let verified = Verified::vouched("scalekit".into(), body.into());
            let _ = (scalekit.envelope(&verified), scalekit.decode(&verified));
        }
    });
}

/// Any JSON, with the numbers and texts that break things among the others.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), Just("2025-13-45T99:00:00Z".to_owned()), Just("9".repeat(400))];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1e300)),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

#[test]
fn no_member_of_an_event_can_make_it_panic() {
    const TYPES: [&str; 8] = [
        "organization.created",
        "organization.updated",
        "organization.deleted",
        "user.organization_membership_created",
        "membership.deleted",
        "organization.directory.user_updated",
        "organization.directory.user_deleted",
        "brand.new",
    ];
    const PLACES: [&str; 8] = [
        "/data",
        "/data/user",
        "/data/user/id",
        "/data/user/email",
        "/data/organization",
        "/organization_id",
        "/occurred_at",
        "/id",
    ];
    let scalekit = scalekit(&[SECRET]);
    let blow = (prop::sample::select(PLACES.to_vec()), any_json());
    let blows = proptest::collection::vec(blow, 1..4);
    proptest!(|(event_type in prop::sample::select(TYPES.to_vec()), blows in blows, any in any_json())| {
        let mut event = with(membership_event(), "/type", json!(event_type));
        for (place, by) in blows {
            if let Some(value) = event.pointer_mut(place) {
                *value = by;
            }
        }
        for body in [event, any] {
            let verified = Verified::vouched("scalekit".into(), body.to_string().into());
            let (envelope, decoded) = (scalekit.envelope(&verified), scalekit.decode(&verified));
            prop_assert!(envelope.is_ok() || decoded.is_err(), "what is decoded has an envelope");
        }
    });
}

#[test]
fn no_headers_of_a_stranger_pass() {
    let scalekit = scalekit(&[SECRET, OTHER]);
    let name = prop::sample::select(vec![ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER, "x-odd"]);
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        Just(START.to_string().into_bytes()),
        "v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)?".prop_map(String::into_bytes),
    ];
    let headers = proptest::collection::vec((name, value), 0..8);
    proptest!(|(headers in headers, body: Vec<u8>)| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(name, value);
            }
        }
        prop_assert!(scalekit.verify(&map, body.into(), at(0)).is_err());
    });
}
