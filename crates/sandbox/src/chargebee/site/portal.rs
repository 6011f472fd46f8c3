//! Sessions of the self-serve portal.
//!
//! Source: Chargebee API docs, "Portal sessions": the access URL lives for an hour and works once.

use super::model::PortalSession;
use super::{Act, Outcome, Site};

const ACCESS_SECONDS: i64 = 3_600;

impl Site {
    pub(crate) fn create_portal_session(
        &mut self,
        customer_id: &str,
        redirect_url: Option<String>,
        act: Act,
    ) -> Outcome<usize> {
        self.live_customer(customer_id)?;
        let now = act.secs();
        let session = PortalSession {
            id: self.ids.alphanumeric("portal_", 17),
            token: self.ids.alphanumeric("cd_", 32),
            browser_key: self.ids.alphanumeric("", 32),
            customer_id: customer_id.to_owned(),
            redirect_url,
            status: "created",
            created_at: now,
            expires_at: now.saturating_add(ACCESS_SECONDS),
            login_at: None,
            logout_at: None,
        };
        Ok(self.portal_sessions.insert(session))
    }

    /// Spends the single-use token; `None` when it is unknown, spent or too old.
    pub(crate) fn enter_portal(&mut self, token: &str, act: Act) -> Option<usize> {
        let position = self.portal_sessions.iter().position(|session| session.token == token)?;
        let session = &mut self.portal_sessions[position];
        if session.status != "created" || session.expires_at <= act.secs() {
            return None;
        }
        session.status = "logged_in";
        session.login_at = Some(act.secs());
        Some(position)
    }

    /// The session of a browser that is signed in.
    pub(crate) fn portal_of_browser(&self, browser_key: &str) -> Option<usize> {
        self.portal_sessions
            .iter()
            .position(|session| session.browser_key == browser_key && session.status == "logged_in")
    }

    pub(crate) fn leave_portal(&mut self, position: usize, act: Act) {
        let session = &mut self.portal_sessions[position];
        session.status = "logged_out";
        session.logout_at = Some(act.secs());
    }

    /// The address that is given out once.
    pub(crate) fn portal_access_url(&self, position: usize) -> String {
        format!("{}/portal/v2/authenticate?token={}", self.base_url, self.portal_sessions[position].token)
    }
}
