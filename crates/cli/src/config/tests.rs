//! What stops the start, and how it is said.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use tollkeeper_core::catalog::{Duplicates, Grace};
use toml::Table;

use super::{BadConfig, Config, Flags, Problems, Vars};

fn good() -> Vec<(&'static str, &'static str)> {
    vec![
        ("SCALEKIT_ENV_URL", "https://acme.scalekit.dev"),
        ("SCALEKIT_CLIENT_ID", "skc_1"),
        ("SCALEKIT_CLIENT_SECRET", "secret"),
        ("SCALEKIT_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("CHARGEBEE_SITE", "acme-test"),
        ("CHARGEBEE_API_KEY", "test_key"),
        ("CHARGEBEE_WEBHOOK_USERNAME", "hook"),
        ("CHARGEBEE_WEBHOOK_PASSWORD", "pass"),
        ("CHARGEBEE_PLAN_ITEM_PRICE_ID", "pro-monthly"),
        ("APP_URL", "https://app.example.com/"),
    ]
}

fn read(vars: &[(&str, &str)], file: &str) -> Result<Config, BadConfig> {
    let vars = Vars::default().with(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let table: Table = file.parse().unwrap();
    Config::of(&table, &vars, &Flags::default(), Problems::default())
}

fn problems(vars: &[(&str, &str)], file: &str) -> Vec<String> {
    read(vars, file).expect_err("something is wrong").0
}

#[test]
fn the_cookbooks_variables_alone_are_enough() {
    let config = read(&good(), "").unwrap();
    let plans: Vec<_> = config.catalog.plans().iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(plans, ["free", "pro"]);
    assert_eq!(config.settings.app_url, "https://app.example.com");
    assert_eq!(config.settings.default_prices.get("chargebee").map(|id| id.as_str()), Some("pro-monthly"));
    assert_eq!(config.database_url, "sqlite:tollkeeper.db");
}

/// With Stripe for new organizations, and no Chargebee site.
fn stripe() -> Vec<(&'static str, &'static str)> {
    let mut vars = good();
    vars.retain(|(name, _)| !name.starts_with("CHARGEBEE_"));
    vars.extend([
        ("BILLING_PROVIDER", "stripe"),
        ("STRIPE_SECRET_KEY", "sk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_old, whsec_new"),
        ("STRIPE_PRO_PRICE_ID", "price_pro"),
        ("PRO_PRICE_DISPLAY", "$29"),
    ]);
    vars
}

#[test]
fn stripes_variables_alone_are_enough() {
    let config = read(&stripe(), "").unwrap();
    assert!(config.chargebee.is_none());
    assert_eq!(config.settings.billing_provider.as_str(), "stripe");
    let stripe = config.stripe.unwrap();
    let secrets: Vec<_> = stripe.webhook_secrets.iter().map(|secret| secret.expose_secret()).collect();
    assert_eq!(secrets, ["whsec_old", "whsec_new"]);
    let price = config.settings.default_prices.get("stripe").unwrap();
    let plan = config.catalog.plan_of(&"stripe".into(), price).unwrap();
    assert_eq!((plan.name.as_str(), plan.prices[0].amount), ("pro", 2_900));
}

#[test]
fn both_providers_may_be_named_at_once() {
    let mut vars = stripe();
    vars.extend(good().into_iter().filter(|(name, _)| name.starts_with("CHARGEBEE_")));
    let config = read(&vars, "").unwrap();
    assert!(config.chargebee.is_some() && config.stripe.is_some());
    assert_eq!(config.catalog.plan(&"pro".into()).unwrap().prices.len(), 2);
    assert_eq!(config.settings.default_prices.len(), 2);
    let mut twice = vars.clone();
    twice.push(("CHARGEBEE_PRO_ITEM_PRICE_ID", "pro-monthly"));
    assert_eq!(
        read(&twice, "").unwrap().catalog.plan(&"pro".into()).unwrap().prices.len(),
        2,
        "named by two variables"
    );
    // Half of a second provider is a mistake, not a choice.
    vars.retain(|(name, _)| *name != "STRIPE_WEBHOOK_SECRET" && *name != "CHARGEBEE_API_KEY");
    let found = problems(&vars, "");
    assert!(found.len() == 2 && found[0].contains("CHARGEBEE_API_KEY") && found[1].contains("STRIPE_WEBHOOK_SECRET"));
}

#[test]
fn everything_that_stripe_lacks_is_named_at_once() {
    let mut vars = stripe();
    vars.retain(|(name, _)| !name.starts_with("STRIPE_"));
    vars.push(("STRIPE_API_URL", "ftp://example.com"));
    let found = problems(&vars, "[providers.stripe]\ncardless_trials = 'never'\nautomatic_tax = 1").join("\n");
    for name in [
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_PRO_PRICE_ID",
        "STRIPE_API_URL",
        "providers.stripe.cardless_trials: is `never`: cancel or pause or create_invoice is wanted",
        "providers.stripe.automatic_tax",
    ] {
        assert!(found.contains(name), "{name} is not in\n{found}");
    }
    assert!(!found.contains("CHARGEBEE"), "{found}");
}

#[test]
fn what_stripes_pages_offer_is_said_in_the_file() {
    let file = "
        [providers.stripe]
        requests_per_minute = 900
        allow_promotion_codes = true
        automatic_tax = true
        cardless_trials = 'pause'
        portal_configuration = 'bpc_1'
    ";
    let config = read(&stripe(), file).unwrap();
    assert_eq!(config.settings.requests_per_minute.get("stripe"), Some(&900));
    let options = tollkeeper_stripe::Options {
        allow_promotion_codes: true,
        automatic_tax: true,
        cardless_trials: Some(tollkeeper_stripe::MissingMethod::Pause),
        portal_configuration: Some("bpc_1".into()),
    };
    assert_eq!(config.stripe.unwrap().options, options);
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let found = problems(&[], "").join("\n");
    for name in [
        "SCALEKIT_ENV_URL",
        "SCALEKIT_CLIENT_ID",
        "SCALEKIT_CLIENT_SECRET",
        "SCALEKIT_WEBHOOK_SECRET",
        "CHARGEBEE_SITE",
        "CHARGEBEE_API_KEY",
        "CHARGEBEE_WEBHOOK_USERNAME",
        "CHARGEBEE_PRO_ITEM_PRICE_ID",
        "APP_URL",
    ] {
        assert!(found.contains(name), "{name} is not in\n{found}");
    }
}

#[test]
fn chargebee_without_credentials_for_its_webhooks_does_not_start() {
    let mut vars = good();
    vars.retain(|(name, _)| !name.starts_with("CHARGEBEE_WEBHOOK"));
    let found = problems(&vars, "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("CHARGEBEE_WEBHOOK_USERNAME") && found[0].contains("CHARGEBEE_WEBHOOK_PASSWORD"));
}

#[test]
fn a_misspelled_or_mistyped_setting_is_named_with_its_path() {
    let file = "
        sevrer = 1
        [identity]
        webhook = false
        organization_claim = 5
        [plans.growth]
        trial_days = -1
        features = { sso = false, seats = 1.5 }
        prices = [{ provider = 'chargebee', id = 'a', interval = 'week', currency = 'dollar' }]
    ";
    let mut vars = good();
    vars.retain(|(name, _)| *name != "CHARGEBEE_PLAN_ITEM_PRICE_ID");
    let found = problems(&vars, file).join("\n");
    for path in [
        "sevrer: is not a setting",
        "identity.webhook: is not a setting",
        "identity.organization_claim: is an integer",
        "plans.growth.trial_days: is -1",
        "plans.growth.features.sso",
        "plans.growth.features.seats",
        "plans.growth.prices[0].interval: is `week`",
        "plans.growth.prices[0].currency",
    ] {
        assert!(found.contains(path), "{path} is not in\n{found}");
    }
}

#[test]
fn only_stripe_sells_one_id_in_several_currencies() {
    let file = |provider: &str| {
        format!(
            "[plans.growth]
            prices = [
                {{ provider = '{provider}', id = 'a', interval = 'month', currency = 'USD', amount = 1 }},
                {{ provider = '{provider}', id = 'a', interval = 'month', currency = 'EUR', amount = 1 }},
            ]"
        )
    };
    let found = problems(&good(), &file("chargebee")).join("\n");
    assert!(
        found.contains("plans.growth.prices[1].id: `a` is used twice; at chargebee a price has one currency"),
        "{found}"
    );
    let found = problems(&good(), &file("stripe")).join("\n");
    assert!(!found.contains("used twice"), "{found}");
}

#[test]
fn a_value_may_come_from_a_variable_and_its_absence_is_told() {
    let file = "
        [plans.growth]
        prices = [{ provider = 'chargebee', id = 'env:GROWTH_PRICE', interval = 'month', currency = 'usd', amount = 1 }]
    ";
    let mut vars = good();
    vars.retain(|(name, _)| *name != "CHARGEBEE_PLAN_ITEM_PRICE_ID");
    assert!(problems(&vars, file)[0].contains("plans.growth.prices[0].id: wants the variable GROWTH_PRICE"));
    vars.push(("GROWTH_PRICE", "growth-usd"));
    let config = read(&vars, file).unwrap();
    assert_eq!(config.catalog.plans()[0].prices[0].id.as_str(), "growth-usd");
}

#[test]
fn secret_and_publishable_keys_in_each_others_place_stop_the_start() {
    for (name, value) in [
        ("STRIPE_PUBLISHABLE_KEY", "sk_test_1"),
        ("STRIPE_SECRET_KEY", "pk_test_1"),
        ("CHARGEBEE_PUBLISHABLE_KEY", "test_key"),
    ] {
        let mut vars = good();
        vars.extend([("STRIPE_SECRET_KEY", "sk_test_2"), ("STRIPE_WEBHOOK_SECRET", "whsec_1")]);
        vars.retain(|(known, _)| *known != name);
        vars.push((name, value));
        let found = problems(&vars, "");
        assert!(found.len() == 1 && found[0].starts_with(name), "{found:?}");
        assert!(!found[0].contains(value), "a key is never repeated: {found:?}");
    }
}

#[test]
fn what_would_open_too_much_is_refused() {
    for (vars, file, setting) in [
        (("SCALEKIT_ENV_URL", "http://acme.scalekit.dev"), "", "SCALEKIT_ENV_URL: is a plain http"),
        (("CHARGEBEE_API_URL", "http://acme.chargebee.com"), "", "CHARGEBEE_API_URL: is a plain http"),
        (("APP_URL", "https://app.example.com"), "[identity]\nbilling_roles = []", "identity.billing_roles"),
        (
            ("APP_URL", "https://app.example.com"),
            "[identity]\nbilling_roles = ['any', 'admin']",
            "identity.billing_roles",
        ),
    ] {
        let mut all = good();
        all.retain(|(name, _)| *name != vars.0);
        all.push(vars);
        assert!(problems(&all, file)[0].starts_with(setting), "{:?}", problems(&all, file));
    }
    let all = [good(), vec![("CHARGEBEE_API_URL", "http://127.0.0.1:4010")]].concat();
    assert!(read(&all, "[identity]\nbilling_roles = 'any'").unwrap().settings.billing_roles.is_empty());
}

#[test]
fn two_sources_of_one_setting_must_agree() {
    let mut vars = good();
    vars.push(("SCALEKIT_ENVIRONMENT_URL", "https://other.scalekit.dev"));
    assert!(problems(&vars, "")[0].starts_with("SCALEKIT_ENVIRONMENT_URL"));
    vars.pop();
    vars.push(("CHARGEBEE_API_KEY_FILE", "/nowhere"));
    assert!(problems(&vars, "").iter().any(|it| it.contains("by value and by CHARGEBEE_API_KEY_FILE")));
}

#[test]
fn only_a_loopback_sandbox_may_move_the_clock() {
    let mut vars = good();
    vars.push(("TOLLKEEPER_CLOCK_URL", "http://clock.example.com/sandbox/clock"));
    assert!(problems(&vars, "")[0].starts_with("TOLLKEEPER_CLOCK_URL"));
}

#[test]
fn users_as_organizations_need_no_organization_webhooks() {
    let mut vars = good();
    vars.retain(|(name, _)| *name != "SCALEKIT_WEBHOOK_SECRET");
    let config = read(&vars, "[identity]\norganization_claim = 'sub'").unwrap();
    assert!(config.settings.users_are_organizations && !config.organization_webhooks);
}

const PLAN: &str = "
    [plans.team]
    prices = [{ provider = 'chargebee', id = 'pro-monthly', interval = 'month', currency = 'USD', amount = 1500, per_seat = true }]
";

#[test]
fn what_is_not_said_has_its_default() {
    let config = read(&good(), "").unwrap();
    let policy = config.catalog.policy();
    assert_eq!((policy.past_due_grace, policy.paused_access), (Grace::PeriodEnd, false));
    assert_eq!((policy.trial_reminder, policy.final_attempt), (Duration::from_secs(3 * 86_400), 3));
    assert_eq!(policy.duplicates, Duplicates::Keep);
    let settings = config.settings;
    assert_eq!(settings.reconcile_interval, Some(Duration::from_secs(600)));
    assert_eq!(settings.preview_tolerance, 100, "hundredths of a percent");
    assert!(settings.requests_per_minute.is_empty(), "the adapter knows what is usual");
    assert!(settings.secrets.is_empty());
    assert!(!config.catalog.plans()[1].prices[0].per_seat);
}

#[test]
fn every_setting_reaches_whom_it_is_for() {
    let file = format!(
        "
        [policy]
        past_due_grace = '3d'
        paused_access = true
        trial_reminder = '36h'
        duplicates = 'cancel_later'
        preview_tolerance = '0.25%'
        [dunning]
        final_after = 5
        [providers.chargebee]
        requests_per_minute = 900
        [reconcile]
        interval = '90s'
        [http]
        connections = 7
        header_time = '2s'
        header_bytes = 2048
        requests = 8
        body_bytes = 4096
        bodies_bytes = 8192
        body_time = '3s'
        request_time = '1m'
        report_time = '1h'
        provider_calls = {{ per_minute = 0, burst = 9 }}
        failed_bearers = {{ per_minute = 10 }}
        proxies = 1
        {PLAN}"
    );
    let secrets = ("TOLLKEEPER_SECRET", "new-0123456789abcdef0123456789abcdef, old-0123456789abcdef0123456789abcdef,");
    let config = read(&[good(), vec![secrets]].concat(), &file).unwrap();
    let policy = config.catalog.policy();
    assert_eq!((policy.past_due_grace, policy.paused_access), (Grace::For(Duration::from_secs(3 * 86_400)), true));
    assert_eq!((policy.trial_reminder, policy.final_attempt), (Duration::from_secs(36 * 3_600), 5));
    assert_eq!(policy.duplicates, Duplicates::CancelLater);
    assert!(config.catalog.plans()[0].prices[0].per_seat);
    let settings = config.settings;
    assert_eq!(settings.reconcile_interval, Some(Duration::from_secs(90)));
    assert_eq!(settings.preview_tolerance, 25);
    assert_eq!(settings.requests_per_minute, [("chargebee".into(), 900)].into());
    let secrets: Vec<_> = settings.secrets.iter().map(|secret| secret.expose_secret().split('-').next()).collect();
    assert_eq!(secrets, [Some("new"), Some("old")], "the first one seals");

    let limits = config.limits;
    assert_eq!((limits.connections, limits.requests, limits.proxies), (7, 8, 1));
    assert_eq!((limits.header_bytes, limits.body_bytes, limits.bodies_bytes), (2_048, 4_096, 8_192));
    let times = [limits.header_time, limits.body_time, limits.request_time, limits.report_time];
    assert_eq!(times.map(|time| time.as_secs()), [2, 3, 60, 3_600]);
    assert_eq!((limits.provider_calls.per_minute, limits.provider_calls.burst), (0, 9));
    assert_eq!((limits.failed_bearers.per_minute, limits.failed_bearers.burst), (10, 300));

    for off in ["0", "'0s'"] {
        let config = read(&good(), &format!("[reconcile]\ninterval = {off}")).unwrap();
        assert_eq!(config.settings.reconcile_interval, None, "{off}");
    }
    let config = read(&good(), "[policy]\ntrial_reminder = 0").unwrap();
    assert_eq!(config.catalog.policy().trial_reminder, Duration::ZERO);
}

#[test]
fn a_wrong_value_is_named_with_what_is_wanted() {
    for (file, said) in [
        ("policy = 3", "policy: is an integer: a table is wanted"),
        (
            "[policy]\npast_due_grace = 'never'",
            "policy.past_due_grace: is `never`: period_end, none or a time such as 3d is wanted",
        ),
        ("[policy]\npaused_access = 'yes'", "policy.paused_access: is a string: true or false is wanted"),
        ("[policy]\ntrial_reminder = 'soon'", "policy.trial_reminder: is `soon`: a time such as 30s"),
        ("[policy]\ntrial_reminder = 3", "policy.trial_reminder: is an integer: a time such as 30s"),
        ("[policy]\nduplicates = 'cancel'", "policy.duplicates: is `cancel`: keep or cancel_later is wanted"),
        ("[policy]\nduplicates = true", "policy.duplicates: is a boolean: keep or cancel_later is wanted"),
        ("[policy]\npreview_tolerance = '1'", "policy.preview_tolerance: is `1`: a share from 0% to 100%"),
        ("[policy]\npreview_tolerance = '101%'", "policy.preview_tolerance: is `101%`: a share from 0% to 100%"),
        ("[policy]\npreview_tolerance = 1", "policy.preview_tolerance: is an integer: a share from 0% to 100%"),
        ("[policy]\nfinal_after = 3", "policy.final_after: is not a setting"),
        ("[dunning]\nfinal_after = 0", "dunning.final_after: is 0: 1 to 100 are possible"),
        ("[dunning]\nattempts = 3", "dunning.attempts: is not a setting: final_after are"),
        ("[providers.chargebee]\nrequests_per_minute = 0", "providers.chargebee.requests_per_minute: is 0: 1 to 60000"),
        ("[providers.chargebee]\nrequests_per_minute = 60001", "providers.chargebee.requests_per_minute: is 60001"),
        ("[providers.chargebee]\nrate = 1", "providers.chargebee.rate: is not a setting"),
        ("[providers.abacus]\nrequests_per_minute = 1", "providers.abacus: is not a setting: chargebee, stripe are"),
        ("[reconcile]\ninterval = '10'", "reconcile.interval: is `10`: a time such as"),
        ("[reconcile]\ninterval = '31d'", "reconcile.interval: is more than 30d"),
        ("[reconcile]\ninterval = -1", "reconcile.interval: is an integer: a time such as"),
        ("[reconcile]\nevery = '1h'", "reconcile.every: is not a setting: interval are"),
        ("[http]\nconnections = 0", "http.connections: is 0: 1 to 1000000 are possible"),
        ("[http]\nbody_bytes = '1MB'", "http.body_bytes: is a string: a whole number is wanted"),
        ("[http]\nbodies_bytes = 2048", "http.bodies_bytes: is less than http.body_bytes"),
        ("[http]\nrequest_time = 0", "http.request_time: is not possible: 1s to 1h are"),
        ("[http]\nbody_time = '2h'", "http.body_time: is not possible: 1s to 1h are"),
        ("[http]\nprovider_calls = 60", "http.provider_calls: is an integer: a table is wanted"),
        ("[http.provider_calls]\nburst = 0", "http.provider_calls.burst: is 0: 1 to 1000000 are possible"),
        (
            "[http.failed_bearers]\nper_hour = 1",
            "http.failed_bearers.per_hour: is not a setting: burst, per_minute are",
        ),
        ("[http]\npayment_required = ' '", "http.payment_required: is not possible: 1 to 200 characters are"),
        (
            "[console]\noperators = ['ada@example.com', 'ada']",
            "console.operators: names `ada`: e-mail addresses are wanted",
        ),
        ("[console]\noperators = [1]", "console.operators: is an integer: a list of texts is wanted"),
        ("[console]\nroles = 1", "console.roles: is not a setting"),
        ("[http]\ntimeout = '1s'", "http.timeout: is not a setting"),
        (
            "[addons.more]\nprices = [{ provider = 'chargebee', id = 'm', interval = 'month', currency = 'USD', per_seat = true }]",
            "addons.more.prices[0].per_seat: is not a setting",
        ),
        (
            "[plans.team]\nprices = [{ provider = 'chargebee', id = 'pro-monthly', interval = 'month', currency = 'USD', per_seat = 1 }]",
            "plans.team.prices[0].per_seat: is an integer: true or false is wanted",
        ),
    ] {
        let found = problems(&good(), file);
        assert!(found.len() == 1 && found[0].starts_with(said), "{file}: {found:?}");
    }
    for secret in ["0123456789", "0123456789abcdef0123456789abcdef,abcdef"] {
        let found = problems(&[good(), vec![("TOLLKEEPER_SECRET", secret)]].concat(), "");
        assert!(found.len() == 1 && found[0].starts_with("TOLLKEEPER_SECRET: is shorter than 32 bytes"), "{found:?}");
        let short = secret.rsplit(',').next().unwrap();
        assert!(!found[0].contains(short), "a secret is never repeated: {found:?}");
    }
    let found = problems(&[good(), vec![("TOLLKEEPER_OPERATOR_KEY", "0123456789")]].concat(), "");
    assert!(found.len() == 1 && found[0].starts_with("TOLLKEEPER_OPERATOR_KEY: is shorter than 32 bytes"), "{found:?}");
    assert!(!found[0].contains("0123456789"), "{found:?}");
}

#[test]
fn what_something_else_goes_over_is_still_a_setting() {
    let file = "[server]\nlisten = '127.0.0.1:9000'\napp_url = 'https://file.example.com'";
    let vars = Vars::default().with(good().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    let flags = Flags { listen: Some("127.0.0.1:9001".parse().unwrap()), ..Flags::default() };
    let config = Config::of(&file.parse().unwrap(), &vars, &flags, Problems::default()).unwrap();
    assert_eq!(config.listen.port(), 9001);
    assert_eq!(config.settings.app_url, "https://app.example.com");
}

#[test]
fn our_own_address_is_spelled_as_browsers_spell_it() {
    for typed in ["HTTPS://App.Example.com", "https://app.example.com:443/", "Https://app.example.com//"] {
        let mut vars = good();
        vars.retain(|(name, _)| *name != "APP_URL");
        vars.push(("APP_URL", typed));
        vars.push(("SCALEKIT_REDIRECT_URI", "https://app.example.com/auth/callback"));
        assert_eq!(read(&vars, "").unwrap().settings.app_url, "https://app.example.com", "{typed}");
    }
}

#[test]
fn people_come_back_from_signing_in_to_this_site() {
    let with = |more: &[(&'static str, &'static str)]| [&good()[..], more].concat();
    let defaults = read(&good(), "").unwrap();
    assert_eq!((defaults.settings.redirect_uri, defaults.settings.post_logout_redirect_uri), (None, None));
    assert_eq!(defaults.session_cookie, None);
    let vars = with(&[
        ("SCALEKIT_REDIRECT_URI", "https://app.example.com/auth/callback"),
        ("SCALEKIT_POST_LOGOUT_REDIRECT_URI", "https://www.example.com/bye"),
    ]);
    let config = read(&vars, "[http]\nsession_cookie = 'mine'\nsign_ins = { per_minute = 5, burst = 7 }").unwrap();
    assert_eq!(config.settings.redirect_uri.as_deref(), Some("https://app.example.com/auth/callback"));
    assert_eq!(config.settings.post_logout_redirect_uri.as_deref(), Some("https://www.example.com/bye"));
    assert_eq!(config.session_cookie.as_deref(), Some("mine"));
    assert_eq!(config.limits.sign_ins, tollkeeper_http::Rate { per_minute: 5, burst: 7 });
    for elsewhere in [
        "https://evil.example/auth/callback",
        "https://app.example.com.evil.example/auth/callback",
        "http://app.example.com/auth/callback",
        "https://app.example.com",
        "https://app.example.com/api/auth/callback",
        "https://app.example.com/auth/callback/",
        "https://app.example.com/auth/callback?a=b",
        "https://ada@app.example.com/auth/callback",
        "/auth/callback",
    ] {
        let found = problems(&with(&[("SCALEKIT_REDIRECT_URI", elsewhere)]), "");
        assert!(found.len() == 1 && found[0].starts_with("SCALEKIT_REDIRECT_URI: "), "{elsewhere}: {found:?}");
        assert!(found[0].contains("https://app.example.com/auth/callback"), "it says what is wanted: {found:?}");
    }
    for nowhere in ["bye", "/bye", "ftp://example.com", "javascript:alert(1)"] {
        let found = problems(&with(&[("SCALEKIT_POST_LOGOUT_REDIRECT_URI", nowhere)]), "");
        assert!(found.len() == 1 && found[0].contains("SCALEKIT_POST_LOGOUT_REDIRECT_URI"), "{nowhere}: {found:?}");
    }
    for name in ["", "a b", "a;b", "a=b", "__Host-mine", "__secure-mine", "übung"] {
        let found = problems(&good(), &format!("[http]\nsession_cookie = '{name}'"));
        assert!(found.len() == 1 && found[0].starts_with("http.session_cookie"), "{name}: {found:?}");
    }
}

#[test]
fn what_works_and_is_surely_not_meant_is_said() {
    let secret = ("TOLLKEEPER_SECRET", "0123456789abcdef0123456789abcdef");
    let doubts = |changed: &[(&'static str, &'static str)]| {
        let mut vars = good();
        vars.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        read(&[vars, changed.to_vec()].concat(), "").unwrap().doubts()
    };
    let named = |doubts: &[&'static str]| -> Vec<_> {
        doubts.iter().map(|doubt| doubt.split(' ').next().unwrap_or_default()).collect()
    };
    assert_eq!(named(&doubts(&[])), ["TOLLKEEPER_SECRET"]);
    assert_eq!(doubts(&[secret]), [""; 0]);
    assert_eq!(named(&doubts(&[secret, ("APP_URL", "http://app.example.com")])), ["app_url"]);
    let at_home = ("APP_URL", "http://127.0.0.1:3000");
    assert_eq!(doubts(&[at_home]), [""; 0]);
    let shared = ("DATABASE_URL", "postgres://localhost/tollkeeper");
    assert_eq!(named(&doubts(&[at_home, shared])), ["TOLLKEEPER_SECRET"]);
}
