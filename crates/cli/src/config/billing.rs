//! The billing providers: how to reach them, and how often they may be asked.

use std::{collections::BTreeMap, net::SocketAddr};

use secrecy::SecretString;
use tollkeeper_core::{
    catalog::Catalog,
    ids::{PriceId, Provider},
};
use tollkeeper_stripe::MissingMethod;

use super::{Flags, problems::Problems, section::Section, vars::Vars};
use crate::sandbox::random_hex;

/// The most requests a minute that can be asked for: a thousand a second, which no provider grants.
const MOST_REQUESTS: i64 = 60_000;

/// `[providers.NAME]`: what is said of each in the file.
#[derive(Debug, Default)]
pub(super) struct Providers {
    pub(super) requests_per_minute: BTreeMap<Provider, u32>,
    pub(super) stripe: tollkeeper_stripe::Options,
}

impl Providers {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let mut read = Self::default();
        let providers = root.section("providers");
        for name in [tollkeeper_chargebee::NAME, tollkeeper_stripe::NAME] {
            let section = providers.section(name);
            let requests = section.whole("requests_per_minute", 1, MOST_REQUESTS);
            if let Some(requests) = requests.and_then(|count| u32::try_from(count).ok()) {
                read.requests_per_minute.insert(name.into(), requests);
            }
            if name == tollkeeper_stripe::NAME {
                read.stripe = stripe_options(&section);
            }
            section.done();
        }
        providers.done();
        read
    }
}

fn stripe_options(section: &Section<'_>) -> tollkeeper_stripe::Options {
    let endings = [MissingMethod::Cancel, MissingMethod::Pause, MissingMethod::CreateInvoice];
    tollkeeper_stripe::Options {
        allow_promotion_codes: section.flag("allow_promotion_codes").unwrap_or(false),
        automatic_tax: section.flag("automatic_tax").unwrap_or(false),
        cardless_trials: section.word("cardless_trials", &endings.map(|ending| (ending.as_str(), ending))),
        portal_configuration: section.text("portal_configuration"),
    }
}

/// The provider of new organizations.
pub(super) fn provider(vars: &Vars, problems: &Problems) -> &'static str {
    match vars.get(&["BILLING_PROVIDER"], problems).as_deref() {
        None | Some(tollkeeper_chargebee::NAME) => tollkeeper_chargebee::NAME,
        Some(tollkeeper_stripe::NAME) => tollkeeper_stripe::NAME,
        Some(other) => {
            problems.add("BILLING_PROVIDER", format!("is `{other}`: chargebee or stripe is wanted"));
            tollkeeper_chargebee::NAME
        }
    }
}

/// Whether one of these is set.
fn named(vars: &Vars, names: &[&str], problems: &Problems) -> bool {
    names.iter().any(|name| vars.get(&[name], problems).is_some())
}

/// Everything that is known about the Chargebee site; nothing where new organizations go elsewhere and no site is named.
pub(super) fn chargebee(
    vars: &Vars,
    flags: &Flags,
    provider: &str,
    listen: SocketAddr,
    problems: &Problems,
) -> Option<tollkeeper_chargebee::Config> {
    if flags.insecure_webhooks && !listen.ip().is_loopback() {
        problems.add("--insecure-webhooks", format!("is for loopback addresses, and this server listens on {listen}"));
    }
    if provider != tollkeeper_chargebee::NAME && !named(vars, &["CHARGEBEE_SITE", "CHARGEBEE_API_KEY"], problems) {
        return None;
    }
    let config = tollkeeper_chargebee::Config {
        site: vars.need(&["CHARGEBEE_SITE"], "the site's name, such as acme-test", problems),
        api_key: vars.need(&["CHARGEBEE_API_KEY"], "a full-access key of the site", problems).into(),
        webhook_username: vars.get(&["CHARGEBEE_WEBHOOK_USERNAME"], problems),
        webhook_password: vars.get(&["CHARGEBEE_WEBHOOK_PASSWORD"], problems).map(SecretString::from),
        insecure_webhooks: flags.insecure_webhooks || flags.takes_nothing_in,
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
    Some(config)
}

/// Everything that is known about the Stripe account; nothing where new organizations go elsewhere and no account is
/// named.
pub(super) fn stripe(
    vars: &Vars,
    flags: &Flags,
    provider: &str,
    options: tollkeeper_stripe::Options,
    problems: &Problems,
) -> Option<tollkeeper_stripe::Config> {
    let secrets = vars.list("STRIPE_WEBHOOK_SECRET", problems);
    if provider != tollkeeper_stripe::NAME && secrets.is_empty() && !named(vars, &["STRIPE_SECRET_KEY"], problems) {
        return None;
    }
    let mut config = tollkeeper_stripe::Config {
        secret_key: vars.need(&["STRIPE_SECRET_KEY"], "a secret or restricted key (sk_, rk_)", problems).into(),
        webhook_secrets: secrets.into_iter().map(SecretString::from).collect(),
        api_url: vars.get(&["STRIPE_API_URL"], problems),
        options,
        ..tollkeeper_stripe::Config::default()
    };
    if flags.takes_nothing_in && config.webhook_secrets.is_empty() {
        // Whom nobody sends anything needs a secret that nobody knows.
        config.webhook_secrets.push(random_hex::<32>().into());
    }
    for problem in config.problems() {
        use tollkeeper_stripe::ConfigError::{ApiUrl, PublishableKey, SecretKey, WebhookSecret};
        match problem {
            // The one was named above, the other is caught for every provider's keys.
            SecretKey | PublishableKey => {}
            WebhookSecret => problems.add(
                "STRIPE_WEBHOOK_SECRET",
                "is not set: the signing secret of the webhook endpoint (whsec_), several separated by commas",
            ),
            ApiUrl => problems.add("STRIPE_API_URL", "is not an http or https address"),
            problem => problems.add("stripe", problem),
        }
    }
    Some(config)
}

/// The plans that a request means which names none, by provider: the one that a variable names for this, which must be in
/// the catalog, else `pro`.
pub(super) fn default_prices(vars: &Vars, catalog: &Catalog, problems: &Problems) -> BTreeMap<Provider, PriceId> {
    const NAMED: &str = "CHARGEBEE_PLAN_ITEM_PRICE_ID";
    let mut prices = BTreeMap::new();
    let sold = |provider: &Provider, id: &PriceId| catalog.plan_of(provider, id).is_some();
    for (provider, name) in PRO_PRICES {
        let provider = Provider::from(provider);
        let id = vars.get(&[name], problems).map(PriceId::from).filter(|id| sold(&provider, id));
        prices.extend(id.map(|id| (provider, id)));
    }
    if let Some(id) = vars.get(&[NAMED], problems).map(PriceId::from) {
        let provider = Provider::from(tollkeeper_chargebee::NAME);
        if !sold(&provider, &id) && !catalog.plans().is_empty() {
            problems.add(NAMED, format!("is `{id}`, which is not a plan's price in the catalog"));
        }
        prices.insert(provider, id);
    }
    prices
}

/// Where the cookbooks name the price of their one paid plan.
pub(super) const PRO_PRICES: [(&str, &str); 2] =
    [(tollkeeper_chargebee::NAME, "CHARGEBEE_PRO_ITEM_PRICE_ID"), (tollkeeper_stripe::NAME, "STRIPE_PRO_PRICE_ID")];

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
