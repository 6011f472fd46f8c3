//! The configuration: environment over `tollkeeper.toml` over defaults, with everything that is wrong told at once.

mod address;
mod billing;
mod catalog;
mod http;
mod identity;
mod problems;
mod schema;
mod section;
mod vars;

use std::{fs, net::SocketAddr, time::Duration};

use secrecy::SecretString;
use tollkeeper::Settings;
use tollkeeper_core::{catalog::Catalog, money::Currency, time::days};
use toml::{Table, Value};

use address::Server;
pub(crate) use problems::{BadConfig, Problems};
pub(crate) use schema::schema;
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
    pub(crate) chargebee: Option<tollkeeper_chargebee::Config>,
    pub(crate) stripe: Option<tollkeeper_stripe::Config>,
    pub(crate) operator_key: Option<SecretString>,
    pub(crate) clock_url: Option<String>,
    pub(crate) limits: tollkeeper_http::Limits,
    pub(crate) payment_required: Option<String>,
    pub(crate) session_cookie: Option<String>,
    /// E-mails of those who may use the console.
    pub(crate) operators: Vec<String>,
}

/// The usual and the longest time between two reconciliations.
const USUAL_INTERVAL: Duration = Duration::from_secs(10 * 60);
const MOST_INTERVAL: Duration = days(30);

/// What flags say over everything else.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) insecure_webhooks: bool,
    /// It takes no deliveries in, and so needs to know nothing for that.
    pub(crate) takes_nothing_in: bool,
}

impl Flags {
    /// Of a command that neither listens nor takes deliveries in.
    pub(crate) fn of_a_command() -> Self {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self { listen, takes_nothing_in: true, ..Self::default() }
    }
}

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
        Self::watched(table, vars, flags, problems, None)
    }

    /// The same, and leaves behind what was asked for.
    fn watched(
        table: &Table,
        vars: &Vars,
        flags: &Flags,
        problems: Problems,
        shape: Option<&schema::Shape>,
    ) -> Result<Self, BadConfig> {
        let config = {
            let problems = &problems;
            let mut value = Value::Table(table.clone());
            section::fill_in(&mut value, "", vars, problems);
            let Value::Table(table) = value else { unreachable!("it was made a table above") };
            let root = Section::root(&table, problems, shape);

            let server = Server::read(&root, vars, flags, problems);
            let provider = billing::provider(vars, problems);
            let providers = billing::Providers::read(&root);
            let policy = root.section("policy");
            let currency = default_currency(&root, problems);
            let catalog = catalog::read(&root, &policy, vars, catalog::Usual { provider, currency }, problems);
            let section = root.section("identity");
            let mut scalekit = identity::scalekit(&section, vars, problems);
            let defaults = Settings::new(provider.into(), server.app_url);
            let site = if flags.takes_nothing_in { "" } else { &defaults.app_url };
            let ways_back = address::ways_back(site, vars, problems);
            let settings = Settings {
                billing_roles: identity::billing_roles(&section, problems).unwrap_or(defaults.billing_roles),
                users_are_organizations: scalekit.organization_claim == ["sub"],
                default_currency: currency.unwrap_or(defaults.default_currency),
                default_prices: billing::default_prices(vars, &catalog, problems),
                allowed_origins: server.allowed_origins,
                requests_per_minute: providers.requests_per_minute,
                secrets: secrets(vars, problems),
                redirect_uri: ways_back.redirect_uri,
                post_logout_redirect_uri: ways_back.post_logout_redirect_uri,
                preview_tolerance: policy.percent("preview_tolerance").unwrap_or(defaults.preview_tolerance),
                reconcile_interval: reconcile_interval(&root, problems),
                ..defaults
            };
            let organization_webhooks = section.flag("webhooks").unwrap_or(true) && !settings.users_are_organizations;
            section.done();
            policy.done();
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
            billing::keys_in_their_place(vars, problems);
            let http = http::read(&root, problems);
            let operators = operators(&root, problems);
            root.done();
            Self {
                listen: server.listen,
                database_url: address::database(vars, problems),
                settings,
                catalog,
                scalekit,
                organization_webhooks,
                chargebee: billing::chargebee(vars, flags, provider, server.listen, problems),
                stripe: billing::stripe(vars, flags, provider, providers.stripe, problems),
                operator_key: operator_key(vars, problems),
                clock_url: address::clock(vars, problems),
                limits: http.limits,
                payment_required: http.payment_required,
                session_cookie: http.session_cookie,
                operators,
            }
        };
        problems.finish(|| config)
    }
}

impl Config {
    /// What works, and is surely not meant where others can reach it.
    pub(crate) fn doubts(&self) -> Vec<&'static str> {
        let app_url = &self.settings.app_url;
        let is_shared = !address::is_loopback(app_url) || self.database_url.starts_with("postgres");
        let mut doubts = Vec::new();
        if self.settings.secrets.is_empty() && is_shared {
            doubts.push(
                "TOLLKEEPER_SECRET is not set: sessions and previews end with this process, and no other process \
                 knows them; `openssl rand -hex 32` makes one",
            );
        }
        if app_url.starts_with("http:") && !address::is_loopback(app_url) {
            doubts
                .push("app_url is plain http: whoever is on the way can read the sessions of people; https is wanted");
        }
        doubts
    }
}

/// The database alone, for commands that need nothing else.
///
/// # Errors
/// [`BadConfig`].
pub(crate) fn database_url_of_process() -> Result<String, BadConfig> {
    let problems = Problems::default();
    let url = address::database(&Vars::of_process(), &problems);
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

/// The key that opens everything for operators. It can be tried out on the login of the console, so it must be long.
fn operator_key(vars: &Vars, problems: &Problems) -> Option<SecretString> {
    let key = vars.get(&["TOLLKEEPER_OPERATOR_KEY"], problems)?;
    if key.len() < 32 {
        problems.add("TOLLKEEPER_OPERATOR_KEY", "is shorter than 32 bytes: `openssl rand -hex 32` makes a good one");
    }
    Some(SecretString::from(key))
}

/// What seals are derived from: cookies, preview tokens. The first one seals, all of them open.
fn secrets(vars: &Vars, problems: &Problems) -> Vec<SecretString> {
    let secrets = vars.list("TOLLKEEPER_SECRET", problems);
    if secrets.iter().any(|secret| secret.len() < 32) {
        problems.add("TOLLKEEPER_SECRET", "is shorter than 32 bytes: `openssl rand -hex 32` makes a good one");
    }
    secrets.into_iter().map(SecretString::from).collect()
}

fn default_currency(root: &Section<'_>, problems: &Problems) -> Option<Currency> {
    let text = root.text("default_currency")?;
    text.parse().map_err(|error| problems.add("default_currency", error)).ok()
}

/// Who may use the console, by e-mail.
fn operators(root: &Section<'_>, problems: &Problems) -> Vec<String> {
    let section = root.section("console");
    let operators = section.texts("operators").unwrap_or_default();
    for email in &operators {
        let parts = email.trim().split_once('@');
        if !parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@')) {
            problems.add(section.path_of("operators"), format!("names `{email}`: e-mail addresses are wanted"));
        }
    }
    section.done();
    operators
}

/// `[reconcile] interval`; 0 turns it off.
fn reconcile_interval(root: &Section<'_>, problems: &Problems) -> Option<Duration> {
    let section = root.section("reconcile");
    let interval = section.span("interval").unwrap_or(USUAL_INTERVAL);
    section.done();
    if interval > MOST_INTERVAL {
        problems.add("reconcile.interval", "is more than 30d: 0 turns it off");
    }
    (!interval.is_zero()).then_some(interval)
}

#[cfg(test)]
mod tests;
