//! Addresses: ours, those of providers, and that of the database.

use std::net::SocketAddr;

use super::{Flags, identity::SCALEKIT_URL, problems::Problems, section::Section, vars::Vars};

/// The address of `serve` when nobody says otherwise.
const LISTEN: &str = "127.0.0.1:3000";

/// `[server]`, and what goes over it.
pub(super) struct Server {
    pub(super) listen: SocketAddr,
    pub(super) app_url: String,
    pub(super) allowed_origins: Vec<String>,
}

impl Server {
    pub(super) fn read(root: &Section<'_>, vars: &Vars, flags: &Flags, problems: &Problems) -> Self {
        let section = root.section("server");
        let listen = section.text("listen").and_then(|text| {
            let wrong =
                |_| problems.add("server.listen", format!("is `{text}`: an address such as {LISTEN} is wanted"));
            text.parse().map_err(wrong).ok()
        });
        let listen = flags.listen.or(listen).unwrap_or_else(|| LISTEN.parse().expect("the default is an address"));
        let in_file = section.text("app_url");
        let allowed_origins = section.texts("allowed_origins").unwrap_or_default();
        section.done();

        let identity_url = vars.get(&SCALEKIT_URL, problems).unwrap_or_default();
        encrypted(SCALEKIT_URL[0], Some(&identity_url), problems);
        encrypted("CHARGEBEE_API_URL", vars.get(&["CHARGEBEE_API_URL"], problems).as_deref(), problems);
        // Somebody who tries it out on one machine; anything else is behind an address that only its owner knows.
        let here = || (listen.ip().is_loopback() && is_loopback(&identity_url)).then(|| format!("http://{listen}"));
        let app_url = vars.get(&["APP_URL", "NEXT_PUBLIC_APP_URL"], problems).or(in_file).or_else(here);
        if app_url.is_none() {
            let what = "the address that people reach this server at, such as https://app.example.com";
            problems.add("APP_URL", format!("is not set: {what}"));
        }
        let allowed_origin = |url: &String| origin("server.allowed_origins", url, problems);
        Self {
            listen,
            app_url: app_url.map_or_else(String::new, |url| origin("APP_URL", &url, problems)),
            allowed_origins: allowed_origins.iter().map(allowed_origin).collect(),
        }
    }
}

/// An address of a site: scheme and host, without a path, as browsers spell it.
fn origin(setting: &str, text: &str, problems: &Problems) -> String {
    let cut = text.trim_end_matches('/');
    let parsed = url::Url::parse(cut).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    parsed.map_or_else(
        || {
            problems.add(setting, format!("is `{text}`: an address such as https://app.example.com is wanted"));
            cut.to_owned()
        },
        |url| url.origin().ascii_serialization(),
    )
}

/// Where the identity provider sends people back to.
pub(super) struct WaysBack {
    pub(super) redirect_uri: Option<String>,
    pub(super) post_logout_redirect_uri: Option<String>,
}

/// `SCALEKIT_REDIRECT_URI` and `SCALEKIT_POST_LOGOUT_REDIRECT_URI`.
pub(super) fn ways_back(app_url: &str, vars: &Vars, problems: &Problems) -> WaysBack {
    let name = "SCALEKIT_REDIRECT_URI";
    let redirect_uri = vars.get(&[name], problems);
    if let Some(found) = &redirect_uri
        && !app_url.is_empty()
        && !url::Url::parse(found).is_ok_and(|url| url.as_str() == format!("{app_url}/auth/callback"))
    {
        // The cookies of a sign-in are of our own site, and no other path is served.
        problems.add(name, format!("is `{found}`: {app_url}/auth/callback is wanted"));
    }
    let name = "SCALEKIT_POST_LOGOUT_REDIRECT_URI";
    let post_logout_redirect_uri = vars.get(&[name], problems);
    let parsed = post_logout_redirect_uri.as_deref().map(|found| (found, url::Url::parse(found).ok()));
    if let Some((found, url)) = parsed
        && !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        problems.add(name, format!("is `{found}`: an address such as https://app.example.com/ is wanted"));
    }
    WaysBack { redirect_uri, post_logout_redirect_uri }
}

/// Whether an address is on this machine.
pub(super) fn is_loopback(text: &str) -> bool {
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

/// `DATABASE_URL`.
pub(super) fn database(vars: &Vars, problems: &Problems) -> String {
    let url = vars.get(&["DATABASE_URL"], problems).unwrap_or_else(|| "sqlite:tollkeeper.db".to_owned());
    // The cookbooks write `file:`.
    let url = url.strip_prefix("file:").map_or(url.clone(), |path| format!("sqlite:{path}"));
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        problems.add("DATABASE_URL", "must start with sqlite:, file: or postgres:");
    }
    url
}

/// `TOLLKEEPER_CLOCK_URL`.
pub(super) fn clock(vars: &Vars, problems: &Problems) -> Option<String> {
    let url = vars.get(&["TOLLKEEPER_CLOCK_URL"], problems)?;
    if !is_loopback(&url) {
        problems.add("TOLLKEEPER_CLOCK_URL", "must be a loopback address: only a sandbox may move the clock");
    }
    Some(url)
}
