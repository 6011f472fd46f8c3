//! The lists of the management API.

use axum::http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::ports::{ErrorKind, Identity as _, Page, ProviderError, UserRecord};
use tollkeeper_scalekit::{
    Config, Scalekit,
    oidc::{self, Oidc},
};

use crate::{
    contracts,
    provider::{Answer, Provider, StandingClock},
};

fn adapter(provider: &Provider) -> Scalekit {
    let config = Config::new(&provider.url, "skc_1", "top-secret".to_owned().into());
    Scalekit::new(config, StandingClock::new()).unwrap()
}

fn ok(body: Value) -> Answer {
    (StatusCode::OK, vec![], body)
}

fn token() -> Answer {
    ok(json!({"access_token": "t1", "token_type": "Bearer", "expires_in": 86399}))
}

fn user(id: &str, status: &str) -> Value {
    let memberships = json!([{"organization_id": "org_1", "membership_status": status}]);
    json!({"id": id, "email": format!("{id}@acme.test"), "memberships": memberships})
}

async fn members_of(answer: Answer) -> Result<Page<UserRecord>, ProviderError> {
    let provider = Provider::start().await;
    provider.will_answer([token(), answer]);
    adapter(&provider).members(&"org_1".into(), None).await.map(Option::unwrap)
}

fn ids(page: &Page<UserRecord>) -> Vec<&str> {
    page.rows.iter().map(|row| row.id.as_str()).collect()
}

#[tokio::test]
async fn organizations_come_page_by_page() {
    let provider = Provider::start().await;
    provider.will_answer([
        token(),
        ok(json!({
            "organizations": [
                {"id": "org_1", "display_name": "Acme", "external_id": "ext_1", "update_time": "2025-12-31T23:59:58.02533Z"},
                {"id": "org_2", "display_name": "", "external_id": null},
            ],
            "next_page_token": "a+b/c=&d", "prev_page_token": "", "total_size": "3",
        })),
        ok(json!({"organizations": [{"id": "org_3"}], "next_page_token": "", "total_size": 3})),
    ]);
    let scalekit = adapter(&provider);
    let first = scalekit.organizations(None).await.unwrap().unwrap();
    let names: Vec<_> = first.rows.iter().map(|row| (row.id.as_str(), row.display_name.as_deref())).collect();
    assert_eq!(names, [("org_1", Some("Acme")), ("org_2", None)]);
    assert_eq!(first.rows[0].external_id.as_deref(), Some("ext_1"));
    assert!(first.rows[0].updated_at.is_some());
    assert_eq!(first.next.as_deref(), Some("a+b/c=&d"));
    let second = scalekit.organizations(first.next.as_deref()).await.unwrap().unwrap();
    assert_eq!((second.rows.len(), second.next), (1, None));
    assert_eq!(
        provider.lines()[1..],
        [
            "GET /api/v1/organizations?page_size=100",
            "GET /api/v1/organizations?page_size=100&page_token=a%2Bb%2Fc%3D%26d",
        ]
    );
}

#[tokio::test]
async fn members_are_those_who_belong_to_it_now() {
    let other = json!({"organization_id": "org_2", "membership_status": "INACTIVE"});
    let mut elsewhere = user("usr_5", "ACTIVE");
    elsewhere["memberships"].as_array_mut().unwrap().push(other);
    let users = json!([
        user("usr_1", "ACTIVE"),
        user("usr_2", "INACTIVE"),
        user("usr_3", "PENDING_INVITE"),
        user("usr_4", "INVITE_EXPIRED"),
        elsewhere,
        user("usr_6", "BRAND_NEW"),
        {"id": "usr_7", "email": ""},
        {"id": "usr_8", "memberships": [{"organization_id": "org_1"}]},
    ]);
    let page = members_of(ok(json!({"users": users, "next_page_token": "more"}))).await.unwrap();
    assert_eq!(ids(&page), ["usr_1", "usr_5", "usr_6", "usr_7", "usr_8"]);
    assert_eq!(page.next.as_deref(), Some("more"), "a page may hold fewer than there are");
    assert_eq!((page.rows[0].email.as_deref(), page.rows[3].email.as_deref()), (Some("usr_1@acme.test"), None));
}

#[tokio::test]
async fn the_next_page_of_members_is_asked_for_below_the_organization() {
    let provider = Provider::start().await;
    provider.will_answer([token(), ok(json!({"users": []})), ok(json!({}))]);
    let scalekit = adapter(&provider);
    for (id, page) in [("a/b?c", Some("x y")), ("org_1", Some(""))] {
        let page = scalekit.members(&id.into(), page).await.unwrap().unwrap();
        assert_eq!((page.rows.len(), page.next), (0, None), "an empty list may be left out");
    }
    assert_eq!(
        provider.lines()[1..],
        [
            "GET /api/v1/organizations/a%2Fb%3Fc/users?page_size=100&page_token=x+y",
            "GET /api/v1/organizations/org_1/users?page_size=100",
        ]
    );
}

#[tokio::test]
async fn what_is_asked_is_in_the_contract() {
    let Some(contract) = contracts::read("openapi-subset.json") else { return };
    let provider = Provider::start().await;
    let organization = || ok(json!({"organization": {"id": "org_1"}}));
    let list = |name: &str| ok(json!({ name: [], "next_page_token": "" }));
    let user = ok(json!({"user": {"id": "usr_1", "memberships": []}}));
    let lists = [list("organizations"), list("organizations"), list("users"), list("users")];
    provider.will_answer([token(), organization(), user].into_iter().chain(lists));
    let scalekit = adapter(&provider);
    scalekit.organization(&"org_1".into()).await.unwrap();
    scalekit.user(&"usr_1".into()).await.unwrap();
    for page in [None, Some("p")] {
        scalekit.organizations(page).await.unwrap();
    }
    for page in [None, Some("p")] {
        scalekit.members(&"org_1".into(), page).await.unwrap();
    }
    // The token has a path of its own, which the document does not describe.
    let asked = provider.lines().split_off(1);
    assert_eq!(asked.len(), 6);
    for line in asked {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_it = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(&path).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
        };
        let paths = contract["paths"].as_object().unwrap();
        let (_, item) = paths.iter().find(|(template, _)| is_it(template)).unwrap_or_else(|| panic!("{line}"));
        let operation = &item[method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{line}");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|parameter| parameter["name"] == name), "{line} has no parameter {name}");
        }
    }
    let statuses = &contract["components"]["schemas"]["commonsMembershipStatus"]["enum"];
    assert_eq!(*statuses, json!(["ACTIVE", "INACTIVE", "PENDING_INVITE", "INVITE_EXPIRED"]));
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_an_error_and_never_empty() {
    let failure = |status| (status, vec![], json!({"message": "no"}));
    for (answer, kind) in [
        (failure(StatusCode::NOT_FOUND), ErrorKind::NotFound),
        (failure(StatusCode::FORBIDDEN), ErrorKind::Rejected),
        (failure(StatusCode::BAD_REQUEST), ErrorKind::Rejected),
        (failure(StatusCode::BAD_GATEWAY), ErrorKind::Transient),
        (ok(json!([])), ErrorKind::Transient),
        (ok(json!(null)), ErrorKind::Transient),
        (ok(json!({"users": "odd"})), ErrorKind::Transient),
        (ok(json!({"users": [null]})), ErrorKind::Transient),
        (ok(json!({"users": [{}]})), ErrorKind::Transient),
        (ok(json!({"users": [user("usr_1", "ACTIVE"), {"id": "", "email": "a@acme.test"}]})), ErrorKind::Transient),
        (ok(json!({"users": [{"id": "a\u{0}b"}]})), ErrorKind::Transient),
        (ok(json!({"users": [{"id": "x".repeat(300)}]})), ErrorKind::Transient),
        (ok(json!({"users": [{"id": 7}]})), ErrorKind::Transient),
        (ok(json!({"users": [], "next_page_token": 5})), ErrorKind::Transient),
    ] {
        let shown = answer.2.to_string();
        let error = members_of(answer).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "list members"), "{shown}");
    }
}

#[tokio::test]
async fn a_list_that_repeats_its_page_is_given_up() {
    let provider = Provider::start().await;
    provider.will_answer([
        token(),
        ok(json!({"next_page_token": "again"})),
        ok(json!({"users": [], "next_page_token": "again"})),
    ]);
    let scalekit = adapter(&provider);
    for failed in [
        scalekit.organizations(Some("again")).await.unwrap_err(),
        scalekit.members(&"org_1".into(), Some("again")).await.unwrap_err(),
    ] {
        assert_eq!(failed.kind, ErrorKind::Rejected);
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_asked_for_is_not_there() {
    let provider = Provider::start().await;
    for id in ["", ".", ".."] {
        let error = adapter(&provider).members(&id.into(), None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn who_has_no_lists_says_so() {
    let provider = Provider::start().await;
    let config = Config::new(&provider.url, "skc_1", "top-secret".to_owned().into());
    let people = Config { organization_claim: vec!["sub".to_owned()], ..config };
    let people = Scalekit::new(people, StandingClock::new()).unwrap();
    assert_eq!(people.organizations(None).await.unwrap(), None);
    assert_eq!(people.members(&"usr_1".into(), None).await.unwrap(), None);

    let generic = Oidc::new(oidc::Config::new(&provider.url, "aud")).unwrap();
    assert_eq!(generic.organizations(None).await.unwrap(), None);
    assert_eq!(generic.members(&"org_1".into(), None).await.unwrap(), None);
    assert!(provider.seen().is_empty());
}

#[test]
fn no_answer_makes_it_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = runtime.block_on(Provider::start());
    let scalekit = adapter(&provider);
    let value = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(["ACTIVE"])),
        Just(json!({"id": "x"})),
    ];
    let place = prop::sample::select(vec![
        "/users",
        "/users/0",
        "/users/0/id",
        "/users/0/email",
        "/users/0/memberships",
        "/users/0/memberships/0",
        "/users/0/memberships/0/organization_id",
        "/users/0/memberships/0/membership_status",
        "/next_page_token",
        "",
    ]);
    provider.will_answer([token()]);
    proptest!(|(place in place, value in value, page in proptest::option::of(any::<String>()))| {
        let mut body = json!({"users": [user("usr_1", "ACTIVE")], "next_page_token": "n"});
        *body.pointer_mut(place).unwrap() = value;
        provider.will_answer([ok(body)]);
        match runtime.block_on(scalekit.members(&"org_1".into(), page.as_deref())) {
            Ok(members) => prop_assert!(members.unwrap().rows.iter().all(|row| !row.id.as_str().is_empty())),
            Err(error) => prop_assert!(matches!(error.kind, ErrorKind::Transient | ErrorKind::Rejected), "{error}"),
        }
    });
}
