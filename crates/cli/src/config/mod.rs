//! The configuration: environment over `tollkeeper.toml` over defaults, with everything that is wrong told at once.

mod catalog;
mod problems;
mod section;
mod vars;

use std::{fs, net::SocketAddr, time::Duration};

use secrecy::SecretString;
use tollkeeper::Settings;
use tollkeeper_core::{catalog::Catalog, money::Currency};
use toml::{Table, Value};

pub(crate) use problems::{BadConfig, Problems};
use section::Section;
pub(crate) use vars::Vars;

/// Everything that `serve` needs, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) database_url: String,
    pub(crate) settings: Settings,
    pub(crate) catalog: Catalog,
    pub(crate) scalekit: tollkeeper_scalekit::scalekit::Config,
    pub(crate) organization_webhooks: bool,
    pub(crate) chargebee: tollkeeper_chargebee::Config,
    pub(crate) operator_key: Option<SecretString>,
    pub(crate) clock_url: Option<String>,
}

/// What flags say over everything else.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) insecure_webhooks: bool,
}

/// The identity provider's address, by both its names.
const SCALEKIT_URL: [&str; 2] = ["SCALEKIT_ENV_URL", "SCALEKIT_ENVIRONMENT_URL"];

/// The address of `serve` when nobody says otherwise.
const LISTEN: &str = "127.0.0.1:3000";

impl Config {
    /// Reads the file that `TOLLKEEPER_CONFIG` names (else `tollkeeper.toml` in the working directory, if it is there),
    /// then the variables.
    ///
    /// # Errors
    /// [`BadConfig`], which names every problem.
    pub(crate) fn read(vars: &Vars, flags: &Flags) -> Result<Self, BadConfig> {
        let problems = Problems::default();
        let table = file(vars, &problems);
        Self::of(&table, vars, flags, problems)
    }

    /// As [`Config::read`], with the file's table at hand.
    pub(crate) fn of(table: &Table, vars: &Vars, flags: &Flags, problems: Problems) -> Result<Self, BadConfig> {
        let config = {
            let problems = &problems;
            let mut value = Value::Table(table.clone());
            section::fill_in(&mut value, "", vars, problems);
            let Value::Table(table) = value else { unreachable!("it was made a table above") };
            let root = Section::root(&table, problems);

            let server = root.section("server");
            let listen = flags.listen.or_else(|| address(&server, problems));
            let listen = listen.unwrap_or_else(|| LISTEN.parse().expect("the default is an address"));
            let identity_url = vars.get(&SCALEKIT_URL, problems).unwrap_or_default();
            encrypted(SCALEKIT_URL[0], Some(&identity_url), problems);
            encrypted("CHARGEBEE_API_URL", vars.get(&["CHARGEBEE_API_URL"], problems).as_deref(), problems);
            let app_url = vars
                .get(&["APP_URL", "NEXT_PUBLIC_APP_URL"], problems)
                .or_else(|| server.text("app_url"))
                // Somebody who tries it out on one machine; anything else is behind an address that only its owner knows.
                .or_else(|| {
                    (listen.ip().is_loopback() && is_loopback(&identity_url)).then(|| format!("http://{listen}"))
                });
            let app_url = match app_url {
                Some(url) => origin("APP_URL", &url, problems),
                None => {
                    problems.add(
                        "APP_URL",
                        "is not set: the address that people reach this server at, such as https://app.example.com",
                    );
                    String::new()
                }
            };
            let allowed_origins = server.texts("allowed_origins").unwrap_or_default();
            let allowed_origins =
                allowed_origins.iter().map(|url| origin("server.allowed_origins", url, problems)).collect();
            server.done();

            let provider = vars.get(&["BILLING_PROVIDER"], problems).unwrap_or_else(|| "chargebee".to_owned());
            if provider != tollkeeper_chargebee::NAME {
                problems
                    .add("BILLING_PROVIDER", format!("is `{provider}`: chargebee is what this version can talk to"));
            }
            let catalog = catalog::read(&root, vars, &provider, problems);
            let identity = root.section("identity");
            let mut scalekit = scalekit(&identity, vars, problems);
            let defaults = Settings::new(provider.as_str().into(), app_url);
            let settings = Settings {
                billing_roles: billing_roles(&identity, problems).unwrap_or(defaults.billing_roles),
                users_are_organizations: scalekit.organization_claim == ["sub"],
                default_currency: default_currency(&root, problems).unwrap_or(defaults.default_currency),
                default_price: default_price(vars, &catalog, &provider, problems),
                allowed_origins,
                ..defaults
            };
            let organization_webhooks = identity.flag("webhooks").unwrap_or(true) && !settings.users_are_organizations;
            identity.done();
            if organization_webhooks && scalekit.webhook_secrets.is_empty() {
                problems.add(
                    "SCALEKIT_WEBHOOK_SECRET",
                    "is not set: the signing secret of the webhook endpoint (or set `webhooks = false` under [identity])",
                );
            }
            if !organization_webhooks {
                // Without a secret every delivery is refused at the door.
                scalekit.webhook_secrets.clear();
            }
            keys_in_their_place(vars, problems);
            root.done();
            secret(vars, problems);
            Self {
                listen,
                database_url: database_url(vars, problems),
                settings,
                catalog,
                scalekit,
                organization_webhooks,
                chargebee: chargebee(vars, flags, listen, problems),
                operator_key: vars.get(&["TOLLKEEPER_OPERATOR_KEY"], problems).map(SecretString::from),
                clock_url: clock_url(vars, problems),
            }
        };
        problems.finish(|| config)
    }
}

/// The database alone, for commands that need nothing else.
///
/// # Errors
/// [`BadConfig`].
pub(crate) fn database_url_of_process() -> Result<String, BadConfig> {
    let problems = Problems::default();
    let url = database_url(&Vars::of_process(), &problems);
    problems.finish(|| url)
}

/// The table of the configuration file; empty when there is none.
pub(crate) fn file(vars: &Vars, problems: &Problems) -> Table {
    let named = vars.get(&["TOLLKEEPER_CONFIG"], problems);
    let path = named.as_deref().unwrap_or("tollkeeper.toml");
    match fs::read_to_string(path) {
        Ok(text) => text.parse().unwrap_or_else(|error: toml::de::Error| {
            problems.add(path, error.message());
            Table::new()
        }),
        Err(_) if named.is_none() => Table::new(),
        Err(error) => {
            problems.add("TOLLKEEPER_CONFIG", format!("{path} cannot be read: {error}"));
            Table::new()
        }
    }
}

fn address(server: &Section<'_>, problems: &Problems) -> Option<SocketAddr> {
    let text = server.text("listen")?;
    text.parse()
        .map_err(|_| problems.add("server.listen", format!("is `{text}`: an address such as {LISTEN} is wanted")))
        .ok()
}

/// An address of a site: scheme and host, without a path.
fn origin(setting: &str, text: &str, problems: &Problems) -> String {
    let cut = text.trim_end_matches('/');
    let parsed = url::Url::parse(cut).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if parsed.is_none_or(|url| !url.username().is_empty() || url.password().is_some()) {
        problems.add(setting, format!("is `{text}`: an address such as https://app.example.com is wanted"));
    }
    cut.to_owned()
}

fn billing_roles(identity: &Section<'_>, problems: &Problems) -> Option<Vec<String>> {
    let roles = identity.texts("billing_roles")?;
    let any = roles.iter().any(|role| role == "any");
    if roles.is_empty() || (any && roles.len() > 1) {
        problems
            .add("identity.billing_roles", "must name roles, or be \"any\" alone, which opens billing to every member");
    }
    Some(if any { Vec::new() } else { roles })
}

/// Whether an address is on this machine.
fn is_loopback(text: &str) -> bool {
    url::Url::parse(text).ok().is_some_and(|url| match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    })
}

/// Secrets and keys travel to a provider: in clear only on this machine.
fn encrypted(setting: &str, url: Option<&str>, problems: &Problems) {
    if url.is_some_and(|url| url.starts_with("http:") && !is_loopback(url)) {
        problems.add(setting, "is a plain http address: https is wanted, except on this machine");
    }
}

fn scalekit(identity: &Section<'_>, vars: &Vars, problems: &Problems) -> tollkeeper_scalekit::scalekit::Config {
    let url = vars.need(&SCALEKIT_URL, "the environment's address, such as https://acme.scalekit.dev", problems);
    let id = vars.need(&["SCALEKIT_CLIENT_ID"], "the application's client id, skc_…", problems);
    let secret = vars.need(&["SCALEKIT_CLIENT_SECRET"], "the application's client secret", problems);
    let secrets = vars.get(&["SCALEKIT_WEBHOOK_SECRET"], problems).unwrap_or_default();
    let mut config = tollkeeper_scalekit::scalekit::Config::new(url, id, secret.into());
    config.webhook_secrets =
        secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(|secret| secret.into()).collect();
    config.audience = vars.get(&["SCALEKIT_AUDIENCE"], problems);
    if let Some(claim) = identity.texts("organization_claim") {
        config.organization_claim = claim;
    }
    if let Some(leeway) = identity.span("leeway") {
        if leeway > Duration::from_secs(60) {
            problems.add("identity.leeway", "is more than 60s");
        }
        config.leeway = leeway;
    }
    config
}

fn chargebee(vars: &Vars, flags: &Flags, listen: SocketAddr, problems: &Problems) -> tollkeeper_chargebee::Config {
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

fn default_currency(root: &Section<'_>, problems: &Problems) -> Option<Currency> {
    let text = root.text("default_currency")?;
    text.parse().map_err(|error| problems.add("default_currency", error)).ok()
}

/// The plan that a request means which names none; it must be in the catalog.
fn default_price(
    vars: &Vars,
    catalog: &Catalog,
    provider: &str,
    problems: &Problems,
) -> Option<tollkeeper_core::ids::PriceId> {
    let id = vars.get(&["CHARGEBEE_PLAN_ITEM_PRICE_ID"], problems)?.into();
    if catalog.plan_of(&provider.into(), &id).is_none() && !catalog.plans().is_empty() {
        problems.add("CHARGEBEE_PLAN_ITEM_PRICE_ID", format!("is `{id}`, which is not a plan's price in the catalog"));
    }
    Some(id)
}

/// A secret key where browsers would see it, or the reverse, is caught before anything is sent anywhere.
fn keys_in_their_place(vars: &Vars, problems: &Problems) {
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

/// What cookies and tokens will derive from; nothing does yet, but a short one is refused from the beginning.
fn secret(vars: &Vars, problems: &Problems) {
    let secrets = vars.get(&["TOLLKEEPER_SECRET"], problems).unwrap_or_default();
    if secrets.split(',').any(|secret| !secret.is_empty() && secret.trim().len() < 32) {
        problems.add("TOLLKEEPER_SECRET", "is shorter than 32 bytes");
    }
}

fn database_url(vars: &Vars, problems: &Problems) -> String {
    let url = vars.get(&["DATABASE_URL"], problems).unwrap_or_else(|| "sqlite:tollkeeper.db".to_owned());
    // The cookbooks write `file:`.
    let url = url.strip_prefix("file:").map_or(url.clone(), |path| format!("sqlite:{path}"));
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        problems.add("DATABASE_URL", "must start with sqlite:, file: or postgres:");
    }
    url
}

fn clock_url(vars: &Vars, problems: &Problems) -> Option<String> {
    let url = vars.get(&["TOLLKEEPER_CLOCK_URL"], problems)?;
    if !is_loopback(&url) {
        problems.add("TOLLKEEPER_CLOCK_URL", "must be a loopback address: only a sandbox may move the clock");
    }
    Some(url)
}

#[cfg(test)]
mod tests;
