//! What stops the start, and how it is said.

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
    assert_eq!(config.settings.default_price.as_ref().map(|id| id.as_str()), Some("pro-monthly"));
    assert_eq!(config.database_url, "sqlite:tollkeeper.db");
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
        "identity.organization_claim: is a integer",
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
