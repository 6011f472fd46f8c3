//! The identity provider: how to reach it, and whom to believe.

use std::time::Duration;

use tollkeeper_scalekit::scalekit::Config;

use super::{problems::Problems, section::Section, vars::Vars};

/// The identity provider's address, by both its names.
pub(super) const SCALEKIT_URL: [&str; 2] = ["SCALEKIT_ENV_URL", "SCALEKIT_ENVIRONMENT_URL"];

/// Everything that is known about the Scalekit environment.
pub(super) fn scalekit(identity: &Section<'_>, vars: &Vars, problems: &Problems) -> Config {
    let url = vars.need(&SCALEKIT_URL, "the environment's address, such as https://acme.scalekit.dev", problems);
    let id = vars.need(&["SCALEKIT_CLIENT_ID"], "the application's client id, skc_…", problems);
    let secret = vars.need(&["SCALEKIT_CLIENT_SECRET"], "the application's client secret", problems);
    let mut config = Config::new(url, id, secret.into());
    config.webhook_secrets = vars.list("SCALEKIT_WEBHOOK_SECRET", problems).into_iter().map(Into::into).collect();
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

/// Who may change billing; empty opens it to every member.
pub(super) fn billing_roles(identity: &Section<'_>, problems: &Problems) -> Option<Vec<String>> {
    let roles = identity.texts("billing_roles")?;
    let any = roles.iter().any(|role| role == "any");
    if roles.is_empty() || (any && roles.len() > 1) {
        problems
            .add("identity.billing_roles", "must name roles, or be \"any\" alone, which opens billing to every member");
    }
    Some(if any { Vec::new() } else { roles })
}
