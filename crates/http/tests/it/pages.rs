//! Pages: who sees what, and what they say of themselves to a browser.

use axum::body::Body;
use http::StatusCode;
use tollkeeper_http::Config;

use crate::world::{ADMIN, Answer, World, limited, plain};

/// What a browser says it wants to see.
pub(crate) const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Looks at a page with the session of `who`.
pub(crate) async fn look(world: &World, who: &str, path: &str) -> Answer {
    let mut request = plain("GET", path).header("accept", HTML);
    if !who.is_empty() {
        request = request.header("cookie", format!("scalekit_session={who}"));
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

impl Answer {
    /// The text of a page, after what each of them must have was looked at.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> String {
        let text = String::from_utf8(self.body.to_vec()).unwrap();
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{text}");
        let policy = self.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("x-frame-options"), Some("DENY"));
        assert_eq!(self.header("referrer-policy"), Some("same-origin"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        text
    }

    /// Where it leads.
    #[track_caller]
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{:?}", self.body);
        self.header("location").unwrap()
    }
}

#[tokio::test]
async fn everybody_may_see_what_this_is_and_what_is_sold() {
    let config = Config { sandbox: Some("http://127.0.0.1:4010".into()), ..Config::default() };
    let world = World::with(|_| {}, config).await;
    let home = look(&world, "", "/").await.page(200);
    for link in ["/pricing", "/billing", "/docs", "/api/plans", "/readyz", "/metrics", "http://127.0.0.1:4010"] {
        assert!(home.contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(home.contains("Sign in") && !home.contains("Sign out"));
    let plans = look(&world, "", "/pricing").await.page(200);
    for words in ["$49.00", "a month", "Choose GROWTH", "SSO", "Unlimited projects", "Up to 25 seats"] {
        assert!(plans.contains(words), "{words}");
    }
    let yearly = look(&world, "", "/pricing?interval=year&reason=subscription_required&feature=sso").await.page(200);
    for words in ["$190.00", "Save 16 %", "SSO needs a plan that includes it"] {
        assert!(yearly.contains(words), "{words}");
    }
    // Nobody but who is signed in is offered a form, which would be lost: the way leads back to this very look.
    let back = "/auth/login?next=%2Fpricing%3Finterval%3Dyear%26currency%3DUSD%26reason%3Dsubscription_required\
                %26feature%3Dsso%23plan-starter";
    assert!(yearly.contains(&format!("href=\"{back}\">Choose STARTER")), "{yearly}");
    assert!(!plans.contains("/billing/checkout") && !yearly.contains("/billing/checkout"));
    // A session that has ended hinders nobody from looking.
    for who in ["expired", "nonsense"] {
        assert!(look(&world, who, "/pricing").await.page(200).contains("Sign in"));
    }
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_there_and_back() {
    let world = World::new().await;
    for who in ["", "expired", "nonsense"] {
        let led = look(&world, who, "/billing?success=1&x=%26").await;
        assert_eq!(led.leads_to(), "/auth/login?next=%2Fbilling%3Fsuccess%3D1%26x%3D%2526");
    }
    let script = plain("GET", "/billing").header("accept", "text/html").header("hx-request", "true");
    let led = world.send(script.body(Body::empty()).unwrap()).await;
    assert_eq!((led.status.as_u16(), led.header("hx-redirect")), (204, Some("/auth/login?next=%2Fbilling")));
    // A browser refuses to be led elsewhere behind a form.
    for (form, back) in [("/billing/checkout", "%2Fpricing"), ("/billing/pause", "%2Fbilling")] {
        let led = world.send(plain("POST", form).header("accept", "text/html").body(Body::empty()).unwrap()).await;
        assert!(led.page(200).contains(&format!("content=\"0;url=/auth/login?next={back}\"")));
    }
    assert!(look(&world, "admin:", "/billing").await.page(403).contains("Organization context required"));
    look(&world, "keyless", "/billing").await.page(503);
}

#[tokio::test]
async fn billing_says_how_it_stands() {
    let world = World::new().await;
    let before = look(&world, ADMIN, "/billing").await.page(200);
    for words in ["ada@example.com", "Nothing is paid for", "FREE", "3 projects", "See the plans"] {
        assert!(before.contains(words), "{words}");
    }
    let id = world.subscribe(r#"{"plan":"growth","seats":5}"#).await;
    let calls = world.billing.calls().len();
    let after = look(&world, ADMIN, "/billing?success=1").await.page(200);
    for words in ["Thank you", "GROWTH", "Renews on 15 July 2025", "$49.00 a month", "0 of 5 in use", id.as_str()] {
        assert!(after.contains(words), "{words}\n{after}");
    }
    assert_eq!(world.billing.calls().len(), calls, "no provider is asked to show it");
    let member = look(&world, "member:org_1", "/billing").await.page(200);
    assert!(member.contains("Changing it needs one of the roles admin, owner") && !member.contains("Cancel"));
    let plans = look(&world, ADMIN, "/pricing").await.page(200);
    assert!(plans.contains("Your plan") && plans.contains("Change to STARTER") && !plans.contains("Choose"), "{plans}");
    assert!(!look(&world, "admin:org_2", "/billing").await.page(200).contains("GROWTH"));
    for (query, words) in [
        ("?success=1&checkout=pending", "not confirmed yet"),
        ("?done=paid", "The invoice of your payment is below"),
        ("?checkout=failed", "did not work"),
        ("?checkout=cancelled", "given up"),
    ] {
        assert!(look(&world, ADMIN, &format!("/billing{query}")).await.page(200).contains(words), "{query}");
    }
    let nothing = look(&world, ADMIN, "/billing?checkout=%3Cscript%3E&success=%22").await.page(200);
    assert!(!nothing.contains("class=\"note"), "{nothing}");
}

#[tokio::test]
async fn files_are_kept_for_good_under_the_name_of_their_content() {
    let world = World::new().await;
    let page = look(&world, ADMIN, "/billing").await.page(200);
    let get = async |path: &str, accepts: &str| {
        world.send(plain("GET", path).header("accept-encoding", accepts).body(Body::empty()).unwrap()).await
    };
    let (mut packed, mut files) = (page.len(), 0);
    for address in page.split('"').filter(|text| text.starts_with("/static/")) {
        let plain = get(address, "identity").await;
        assert_eq!(plain.status, StatusCode::OK, "{address}");
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
        assert!(!plain.body.is_empty());
        let gzip = get(address, "br, gzip").await;
        assert_eq!(gzip.header("content-encoding"), Some("gzip"));
        assert!(gzip.body.starts_with(&[0x1f, 0x8b]));
        packed += gzip.body.len();
        files += 1;
        let name = address.rsplit('/').next().unwrap();
        let old = get(&format!("/static/0123456789ab/{name}"), "").await;
        assert_eq!((old.header("cache-control"), &old.body), (Some("no-cache"), &plain.body));
    }
    assert!(files >= 4, "{page}");
    assert!(packed < 50_000, "a page with all that belongs to it has {packed} bytes on the wire");
    for path in ["/static/page.css", "/static/0123456789ab/other.css", "/static/0123456789ab/..%2fCargo.toml"] {
        get(path, "").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_a_page_for_people_and_a_document_for_programs() {
    let world = World::new().await;
    let page = look(&world, ADMIN, "/nowhere?x=%3C").await.page(404);
    for words in ["There is nothing here", "href=\"/\""] {
        assert!(page.contains(words), "{words}");
    }
    for path in ["/api/nowhere", "/gate/sso", "/admin/api/nowhere"] {
        assert_eq!(
            look(&world, "nonsense", path).await.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
    }
    world.get("/nowhere").await.problem(404, "not_found");
    // People come by here, and not by a program's doing.
    let pdf = look(&world, ADMIN, "/api/invoices/INV-9/pdf").await.page(404);
    assert!(pdf.contains("This organization has no such invoice"), "{pdf}");
}

#[tokio::test]
async fn trying_again_asks_for_the_very_same_and_only_here() {
    let world = World::with(|_| {}, limited(|limits| limits.requests = 0)).await;
    for (path, again) in [
        // Without its id, somebody who has paid would be told that the checkout failed.
        (
            "/api/subscription/success?subscriptionId=tks_1&x=1",
            "/api/subscription/success?subscriptionId=tks_1&#38;x=1",
        ),
        ("/billing/change?plan=growth", "/billing/change?plan=growth"),
    ] {
        let page = look(&world, ADMIN, path).await.page(503);
        assert!(page.contains(&format!("href=\"{again}\">Try again")), "{path}: {page}");
    }
    // What a browser reads as another site.
    for path in ["//evil.example/x", "/%2Fevil.example/x", "/%5Cevil.example"] {
        let page = look(&world, ADMIN, path).await.page(503);
        assert!(!page.contains("evil") && !page.contains("Try again"), "{path}: {page}");
    }
    let sent = plain("POST", "/billing/portal").header("accept", HTML).body(Body::empty()).unwrap();
    assert!(!world.send(sent).await.page(503).contains("Try again"));
}
