//! Who is signed in: sessions, the codes that begin them and the refresh tokens that carry them on.
//!
//! All of it ends in machine time, as tokens do. Codes and refresh tokens are as unpredictable as every other id here,
//! which is enough for a sandbox and for nothing else.
//!
//! Source: Scalekit docs, "Complete login", "Manage sessions"; the lifetimes are those of its sample of `user.login`.

use std::collections::HashMap;

use super::authorize::Asked;
use crate::ids::Ids;
use crate::moment::Moment;

const CODE_SECONDS: i64 = 600;
/// How long a session lives that nobody refreshes.
const IDLE_SECONDS: i64 = 7 * 86_400;
/// How long a session lives at most.
const ABSOLUTE_SECONDS: i64 = 30 * 86_400;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) organization_id: Option<String>,
    pub(crate) scope: String,
    /// In machine time, like the next two.
    pub(crate) began: Moment,
    pub(crate) last_active: Moment,
    pub(crate) ended: Option<Moment>,
}

impl Session {
    pub(crate) fn has_scope(&self, name: &str) -> bool {
        self.scope.split(' ').any(|scope| scope == name)
    }

    pub(crate) fn idle_end(&self) -> Moment {
        self.last_active.plus_secs(IDLE_SECONDS)
    }

    pub(crate) fn absolute_end(&self) -> Moment {
        self.began.plus_secs(ABSOLUTE_SECONDS)
    }

    fn is_open(&self, machine_now: Moment) -> bool {
        self.ended.is_none() && machine_now < self.idle_end() && machine_now < self.absolute_end()
    }
}

#[derive(Debug, Clone)]
struct Code {
    session: usize,
    redirect_uri: String,
    challenge: Option<String>,
    nonce: Option<String>,
    ends: Moment,
    is_spent: bool,
}

#[derive(Debug, Clone)]
struct RefreshToken {
    session: usize,
    is_spent: bool,
}

/// Why a code or a refresh token buys nothing: a sentence for the developer.
pub(super) type NotGranted = &'static str;

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    rows: Vec<Session>,
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, RefreshToken>,
}

impl Sessions {
    /// Begins a session and returns its position.
    pub(super) fn begin(
        &mut self,
        user_id: &str,
        organization_id: Option<&str>,
        scope: &str,
        ids: &mut Ids,
        machine_now: Moment,
    ) -> usize {
        self.rows.push(Session {
            id: ids.numeric("ses_"),
            user_id: user_id.to_owned(),
            organization_id: organization_id.map(str::to_owned),
            scope: scope.to_owned(),
            began: machine_now,
            last_active: machine_now,
            ended: None,
        });
        self.rows.len() - 1
    }

    pub(super) fn row(&self, position: usize) -> &Session {
        &self.rows[position]
    }

    /// The position of a session that has not ended.
    pub(super) fn open(&self, id: &str, machine_now: Moment) -> Option<usize> {
        // The newest are asked for most.
        let position = self.rows.iter().rposition(|row| row.id == id)?;
        self.rows[position].is_open(machine_now).then_some(position)
    }

    /// Ends a session; whether it was still open. Its refresh tokens are worth nothing from then on.
    pub(super) fn end(&mut self, position: usize, machine_now: Moment) -> bool {
        let was_open = self.rows[position].is_open(machine_now);
        self.rows[position].ended.get_or_insert(machine_now);
        was_open
    }

    /// Makes the code that a session begins with.
    pub(super) fn issue_code(&mut self, session: usize, asked: &Asked, ids: &mut Ids, machine_now: Moment) -> String {
        let code = ids.alphanumeric("", 43);
        let row = Code {
            session,
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            nonce: asked.nonce.clone(),
            ends: machine_now.plus_secs(CODE_SECONDS),
            is_spent: false,
        };
        self.codes.insert(code.clone(), row);
        code
    }

    /// Takes a code: the position of its session, and the nonce of the request.
    ///
    /// `verifies` compares the verifier with the challenge. A code that comes twice ends its session, since one of the
    /// two who have it should not.
    ///
    /// Source: RFC 6749, section 4.1.2.
    pub(super) fn redeem_code(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifies: impl FnOnce(Option<&str>) -> bool,
        machine_now: Moment,
    ) -> Result<(usize, Option<String>), NotGranted> {
        let row = self.codes.get_mut(code).ok_or("the code is unknown")?;
        if row.is_spent {
            let session = row.session;
            self.end(session, machine_now);
            return Err("the code was used already; its session has ended");
        }
        if machine_now >= row.ends {
            return Err("the code has expired");
        }
        if row.redirect_uri != redirect_uri {
            return Err("redirect_uri is not that of the authorization request");
        }
        if !verifies(row.challenge.as_deref()) {
            return Err("code_verifier does not answer the code_challenge");
        }
        row.is_spent = true;
        let (session, nonce) = (row.session, row.nonce.clone());
        if !self.rows[session].is_open(machine_now) {
            return Err("the session has ended");
        }
        Ok((session, nonce))
    }

    pub(super) fn issue_refresh_token(&mut self, session: usize, ids: &mut Ids) -> String {
        let token = ids.alphanumeric("", 64);
        self.refresh_tokens.insert(token.clone(), RefreshToken { session, is_spent: false });
        token
    }

    /// Takes a refresh token: the position of its session, which goes on. One that comes twice ends it.
    pub(super) fn redeem_refresh_token(&mut self, token: &str, machine_now: Moment) -> Result<usize, NotGranted> {
        let row = self.refresh_tokens.get_mut(token).ok_or("the refresh token is unknown")?;
        let session = row.session;
        if row.is_spent {
            self.end(session, machine_now);
            return Err("the refresh token was used already; its session has ended");
        }
        if !self.rows[session].is_open(machine_now) {
            return Err("the session has ended");
        }
        row.is_spent = true;
        self.rows[session].last_active = machine_now;
        Ok(session)
    }
}
