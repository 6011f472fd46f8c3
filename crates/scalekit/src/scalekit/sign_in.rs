//! How people sign in: the browser goes to `/oauth/authorize` and comes back with a code, `/oauth/token` takes the code and
//! later the refresh token, `/oidc/logout` ends the provider's own session.
//!
//! Source: Scalekit docs, "Implement login", "Complete login", "Manage user sessions", "Logout"; its official Node library
//! sends the credentials in the form too.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use tollkeeper_core::{
    ports::{AuthError, Identified, SignIn, SignInCode, SignInError, SignInStart, Tokens},
    time::MachineTime,
};

use super::{Scalekit, wire::TokenAnswer};

/// A refresh token only comes with `offline_access`, the e-mail only with `email`.
const SCOPE: &str = "openid profile email offline_access";

#[async_trait]
impl SignIn for Scalekit {
    fn begin(&self, start: &SignInStart) -> String {
        let mut url = self.rest.below(&["oauth", "authorize"]);
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.client_id)
                .append_pair("redirect_uri", &start.redirect_uri)
                .append_pair("scope", SCOPE)
                .append_pair("state", &start.state)
                .append_pair("nonce", &start.nonce)
                .append_pair("code_challenge", &start.code_challenge)
                .append_pair("code_challenge_method", "S256");
            if let Some(organization) = &start.organization_id {
                query.append_pair("organization_id", organization.as_str());
            }
            if let Some(prompt) = &start.prompt {
                query.append_pair("prompt", prompt);
            }
        }
        url.into()
    }

    async fn redeem(&self, code: &SignInCode) -> Result<Tokens, SignInError> {
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.code.expose_secret()),
            ("code_verifier", code.verifier.expose_secret()),
            ("redirect_uri", &code.redirect_uri),
        ];
        Ok(tokens(self.rest.grant("redeem authorization code", &grant).await?))
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, SignInError> {
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        Ok(tokens(self.rest.grant("refresh tokens", &grant).await?))
    }

    /// The e-mail proves who may do what, so that it takes a plain yes: that it is verified is an optional claim, and
    /// whatever else stands there is no yes. Where an e-mail is only of use, the directory's is used instead.
    ///
    /// Source: Scalekit docs, "ID token claims".
    async fn prove(
        &self,
        id_token: &SecretString,
        nonce: Option<&str>,
        now: MachineTime,
    ) -> Result<Identified, AuthError> {
        let claims = self.validator.id_token(id_token.expose_secret(), &self.client_id, nonce, now).await?;
        let user_id = claims.text("sub").ok_or(AuthError::Invalid("there is no subject"))?.into();
        Ok(Identified { user_id, email: claims.verified_email().map(str::to_owned) })
    }

    fn logout_url(&self, id_token_hint: Option<&SecretString>, post_logout_redirect_uri: &str) -> String {
        let mut url = self.rest.below(&["oidc", "logout"]);
        {
            let mut query = url.query_pairs_mut();
            if let Some(hint) = id_token_hint {
                query.append_pair("id_token_hint", hint.expose_secret());
            }
            query.append_pair("post_logout_redirect_uri", post_logout_redirect_uri);
        }
        url.into()
    }

    fn origin(&self) -> String {
        self.rest.below(&[]).origin().ascii_serialization()
    }
}

fn tokens(answer: TokenAnswer) -> Tokens {
    let filled = |token: Option<SecretString>| token.filter(|token| !token.expose_secret().is_empty());
    Tokens {
        access_token: answer.access_token,
        refresh_token: filled(answer.refresh_token),
        id_token: filled(answer.id_token),
    }
}
