//! The billing providers: how to reach them, and how often they may be asked.

use std::{collections::BTreeMap, net::SocketAddr};

use secrecy::SecretString;
use tollkeeper_core::{
    catalog::Catalog,
    ids::{PriceId, Provider},
};

use super::{Flags, problems::Problems, section::Section, vars::Vars};

/// The most requests a minute that can be asked for: a thousand a second, which no provider grants.
const MOST_REQUESTS: i64 = 60_000;

/// `[providers.NAME]`.
pub(super) fn requests_per_minute(root: &Section<'_>) -> BTreeMap<Provider, u32> {
    let providers = root.section("providers");
    let section = providers.section(tollkeeper_chargebee::NAME);
    let requests = section.whole("requests_per_minute", 1, MOST_REQUESTS).and_then(|count| u32::try_from(count).ok());
    section.done();
    providers.done();
    requests.map(|requests| (tollkeeper_chargebee::NAME.into(), requests)).into_iter().collect()
}

/// Everything that is known about the Chargebee site.
pub(super) fn chargebee(
    vars: &Vars,
    flags: &Flags,
    listen: SocketAddr,
    problems: &Problems,
) -> tollkeeper_chargebee::Config {
    if flags.insecure_webhooks && !listen.ip().is_loopback() {
        problems.add("--insecure-webhooks", format!("is for loopback addresses, and this server listens on {listen}"));
    }
    let config = tollkeeper_chargebee::Config {
        site: vars.need(&["CHARGEBEE_SITE"], "the site's name, such as acme-test", problems),
        api_key: vars.need(&["CHARGEBEE_API_KEY"], "a full-access key of the site", problems).into(),
        webhook_username: vars.get(&["CHARGEBEE_WEBHOOK_USERNAME"], problems),
        webhook_password: vars.get(&["CHARGEBEE_WEBHOOK_PASSWORD"], problems).map(SecretString::from),
        insecure_webhooks: flags.insecure_webhooks,
        gateway_account_id: vars.get(&["CHARGEBEE_GATEWAY_ACCOUNT_ID"], problems),
        api_url: vars.get(&["CHARGEBEE_API_URL"], problems),
        ..tollkeeper_chargebee::Config::default()
    };
    for problem in config.problems() {
        match problem {
            // They were named above.
            tollkeeper_chargebee::ConfigError::Site(site) if site.is_empty() => {}
            tollkeeper_chargebee::ConfigError::ApiKey => {}
            problem => problems.add("chargebee", problem),
        }
    }
    config
}

/// The plan that a request means which names none; it must be in the catalog.
pub(super) fn default_price(vars: &Vars, catalog: &Catalog, provider: &str, problems: &Problems) -> Option<PriceId> {
    let id = vars.get(&["CHARGEBEE_PLAN_ITEM_PRICE_ID"], problems)?.into();
    if catalog.plan_of(&provider.into(), &id).is_none() && !catalog.plans().is_empty() {
        problems.add("CHARGEBEE_PLAN_ITEM_PRICE_ID", format!("is `{id}`, which is not a plan's price in the catalog"));
    }
    Some(id)
}

/// A secret key where browsers would see it, or the reverse, is caught before anything is sent anywhere.
pub(super) fn keys_in_their_place(vars: &Vars, problems: &Problems) {
    let get = |name: &str| vars.get(&[name], problems);
    if get("STRIPE_PUBLISHABLE_KEY").is_some_and(|key| key.starts_with("sk_") || key.starts_with("rk_")) {
        problems.add("STRIPE_PUBLISHABLE_KEY", "holds a secret key: browsers would see it; a pk_ key is wanted");
    }
    if get("STRIPE_SECRET_KEY").is_some_and(|key| key.starts_with("pk_")) {
        problems.add("STRIPE_SECRET_KEY", "holds a publishable key; an sk_ or rk_ key is wanted");
    }
    if get("CHARGEBEE_PUBLISHABLE_KEY").is_some_and(|key| Some(key) == get("CHARGEBEE_API_KEY")) {
        problems.add("CHARGEBEE_PUBLISHABLE_KEY", "is the same as CHARGEBEE_API_KEY: browsers would see a secret key");
    }
}
