//! Signing in at a provider that is played. Codes and refresh tokens are good once there, as at the real one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tollkeeper_core::{
    ports::{
        AuthError, ErrorKind, Identified, ProviderError, Session, SignIn, SignInCode, SignInError, SignInStart, Tokens,
    },
    time::{Clock as _, MachineTime},
};

use super::{Clocks, Stop};

/// Who has chosen to sign in, and what their browser left with.
#[derive(Clone)]
struct Person {
    user: String,
    organization: String,
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

/// What comes instead of tokens.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    Refused,
    Of(ErrorKind),
}

pub(crate) struct PlayedSignIn {
    clock: Arc<Clocks>,
    state: Mutex<State>,
    /// Whoever asks for tokens is held up when all is done, and before it is answered.
    pub(crate) answer: Stop,
    holds: AtomicBool,
    proofs: Mutex<VecDeque<Arc<Stop>>>,
}

struct State {
    asked: Vec<&'static str>,
    codes: HashMap<String, Person>,
    refresh_tokens: HashMap<String, Person>,
    made: usize,
    failing: Option<Failure>,
    lifetime: Duration,
    takes: Duration,
    swap_id_token: Option<fn(&str) -> Option<String>>,
}

impl PlayedSignIn {
    pub(super) fn new(clock: Arc<Clocks>) -> Self {
        let state = State {
            asked: Vec::new(),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            made: 0,
            failing: None,
            lifetime: Duration::from_secs(300),
            takes: Duration::ZERO,
            swap_id_token: None,
        };
        Self {
            clock,
            state: Mutex::new(state),
            answer: Stop::default(),
            holds: AtomicBool::new(false),
            proofs: Mutex::default(),
        }
    }

    /// What a person does at the page that a browser was sent to; answers the state and a code.
    pub(crate) fn choose(&self, page: &str, user: &str, organization: &str) -> (String, String) {
        let parts: Vec<_> = page.split(['?', '&']).map(ToOwned::to_owned).collect();
        let [_, state, nonce, challenge, redirect_uri] = &parts[..] else { panic!("{page}") };
        let person = Person {
            user: user.into(),
            organization: organization.into(),
            nonce: nonce.clone(),
            challenge: challenge.clone(),
            redirect_uri: redirect_uri.clone(),
        };
        let mut played = self.state();
        played.made += 1;
        let code = format!("code_{}", played.made);
        played.codes.insert(code.clone(), person);
        (state.clone(), code)
    }

    /// Until it is told otherwise, it gives no tokens.
    pub(crate) fn fail(&self, failure: Option<Failure>) {
        self.state().failing = failure;
    }

    /// How long access tokens live from now on.
    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.state().lifetime = lifetime;
    }

    /// How long it takes to give tokens, in machine time.
    pub(crate) fn take(&self, time: Duration) {
        self.state().takes = time;
    }

    /// Every refresh token is somebody else's from now on.
    pub(crate) fn mix_up(&self) {
        self.state().refresh_tokens.values_mut().for_each(|person| person.user = "usr_mallory".into());
    }

    /// ID tokens are these instead, or missing.
    pub(crate) fn swap_id_token(&self, with: fn(&str) -> Option<String>) {
        self.state().swap_id_token = Some(with);
    }

    pub(crate) fn hold(&self, on: bool) {
        self.holds.store(on, Ordering::SeqCst);
    }

    /// Where the next access token is held up before it is proven.
    pub(crate) fn hold_proof(&self) -> Arc<Stop> {
        let stop = Arc::<Stop>::default();
        self.proofs.lock().unwrap().push_back(stop.clone());
        stop
    }

    /// How often it was asked for this.
    pub(crate) fn asked(&self, what: &str) -> usize {
        self.state().asked.iter().filter(|asked| **asked == what).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What an access token of the play says; `None` for any other.
    pub(super) async fn session(&self, token: &str, now: MachineTime) -> Option<Result<Session, AuthError>> {
        let parts: Vec<_> = token.strip_prefix("at|")?.split('|').collect();
        let held = self.proofs.lock().unwrap().pop_front();
        if let Some(held) = held {
            held.pass().await;
        }
        let [user, organization, from, until, _] = parts[..] else { panic!("{token}") };
        let at = |text: &str| MachineTime::from_micros(text.parse().unwrap());
        Some(match (at(from), at(until)) {
            (from, _) if now < from => Err(AuthError::Invalid("it is not good yet")),
            (_, until) if now >= until => Err(AuthError::Expired),
            (_, expires_at) => Ok(Session {
                user_id: user.into(),
                organization_id: Some(organization).filter(|it| !it.is_empty()).map(Into::into),
                session_id: Some("ses_1".into()),
                roles: vec!["admin".into()],
                permissions: Vec::new(),
                email: None,
                expires_at,
                is_own_organization: false,
            }),
        })
    }

    async fn grant(
        &self,
        what: &'static str,
        take: impl FnOnce(&mut State) -> Option<Person>,
    ) -> Result<Tokens, SignInError> {
        let tokens = {
            let mut state = self.state();
            state.asked.push(what);
            self.clock.advance_machine(state.takes);
            match state.failing {
                Some(Failure::Refused) => Err(SignInError::Refused),
                Some(Failure::Of(kind)) => Err(SignInError::Provider(ProviderError {
                    kind,
                    source_name: "scalekit".into(),
                    operation: what,
                    code: None,
                    message: "played".into(),
                    request_id: None,
                    cause: None,
                })),
                None => match take(&mut state) {
                    Some(person) => Ok(self.tokens(&mut state, person)),
                    None => Err(SignInError::Refused),
                },
            }
        };
        if self.holds.load(Ordering::SeqCst) {
            self.answer.pass().await;
        }
        tokens
    }

    fn tokens(&self, state: &mut State, person: Person) -> Tokens {
        state.made += 1;
        let (now, count) = (self.clock.machine_now(), state.made);
        let (user, organization) = (&person.user, &person.organization);
        let end = now.plus(state.lifetime).as_micros();
        let access = format!("at|{user}|{organization}|{}|{end}|{count}", now.as_micros());
        let id = format!("id|{user}|{user}@example.com|{}", person.nonce);
        let id = state.swap_id_token.map_or(Some(id.clone()), |swap| swap(&id));
        let refresh = format!("rt_{count}");
        state.refresh_tokens.insert(refresh.clone(), person);
        Tokens { access_token: access.into(), refresh_token: Some(refresh.into()), id_token: id.map(Into::into) }
    }
}

#[async_trait]
impl SignIn for PlayedSignIn {
    fn begin(&self, start: &SignInStart) -> String {
        let SignInStart { state, nonce, code_challenge, redirect_uri, .. } = start;
        format!("https://id.example.com/authorize?{state}&{nonce}&{code_challenge}&{redirect_uri}")
    }

    async fn redeem(&self, code: &SignInCode) -> Result<Tokens, SignInError> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(code.verifier.expose_secret()));
        let take = |state: &mut State| {
            let person = state.codes.remove(code.code.expose_secret())?;
            (person.challenge == challenge && person.redirect_uri == code.redirect_uri).then_some(person)
        };
        self.grant("redeem", take).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, SignInError> {
        self.grant("refresh", |state| state.refresh_tokens.remove(refresh_token.expose_secret())).await
    }

    async fn prove(
        &self,
        id_token: &SecretString,
        nonce: Option<&str>,
        _now: MachineTime,
    ) -> Result<Identified, AuthError> {
        let parts: Vec<_> = id_token.expose_secret().split('|').collect();
        let ["id", user, email, found] = parts[..] else { return Err(AuthError::Invalid("no ID token")) };
        if nonce.is_some_and(|nonce| nonce != found) {
            return Err(AuthError::Invalid("another nonce"));
        }
        Ok(Identified { user_id: user.into(), email: Some(email.to_owned()) })
    }

    fn logout_url(&self, id_token_hint: Option<&SecretString>, post_logout_redirect_uri: &str) -> String {
        let hint = id_token_hint.map_or("", |hint| hint.expose_secret());
        format!("https://id.example.com/logout?{hint}&{post_logout_redirect_uri}")
    }

    fn origin(&self) -> String {
        "https://id.example.com".into()
    }
}
