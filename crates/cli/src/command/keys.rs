//! `tollkeeper keys`: what a product's backend identifies itself with.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use tollkeeper::{Key, Scope, ids::OrganizationId};

use super::{organization, say, table, visible, with_engine};

/// What to do with API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keys {
    /// Make a key and print its secret, which nobody can show again
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it may do; several are possible
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope())]
        scope: Vec<Scope>,
        /// The only organization it may act for; any unless given
        #[arg(long, value_parser = organization)]
        organization: Option<OrganizationId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show every key, also revoked ones; never a secret
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End a key: it opens nothing within five seconds
    Revoke {
        /// The key's id, key_…
        id: String,
    },
}

fn scope() -> impl TypedValueParser<Value = Scope> {
    let words = Scope::ALL.map(Scope::as_str);
    PossibleValuesParser::new(words).map(|word| Scope::parse(&word).expect("only these words are let through"))
}

/// Does it.
pub(crate) async fn run(command: Keys) -> anyhow::Result<()> {
    match command {
        Keys::Create { name, scope, organization, json } => {
            let (key, secret) =
                with_engine(async |engine| Ok(engine.create_key(&name, &scope, organization).await?)).await?;
            if json {
                let mut told = serde_json::to_value(&key)?;
                told["secret"] = Value::from(secret);
                return say(&format!("{told:#}"));
            }
            let (scopes, whose) = (scopes(&key), whose(&key));
            say(&format!(
                "{}: `{}` may do {scopes} for {whose}. Its secret, which nobody can show again:\n\n  {secret}\n",
                key.id,
                visible(&key.name)
            ))
        }
        Keys::List { json } => {
            let keys = with_engine(async |engine| Ok(engine.keys().await?)).await?;
            if json {
                return say(&format!("{:#}", json!({ "keys": keys })));
            }
            if keys.is_empty() {
                return say("There are no keys: `tollkeeper keys create` makes one.");
            }
            let row = |key: &Key| {
                let state = match (key.revoked_at, key.last_used_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => format!("last used {at}"),
                    (None, None) => "never used".to_owned(),
                };
                vec![key.id.clone(), key.name.clone(), scopes(key), whose(key), state]
            };
            say(&table(&keys.iter().map(row).collect::<Vec<_>>()))
        }
        Keys::Revoke { id } => {
            if !with_engine(async |engine| Ok(engine.revoke_key(&id).await?)).await? {
                anyhow::bail!("there is no key `{}` that works: `tollkeeper keys list` shows them all", visible(&id));
            }
            say(&format!("{} opens nothing any more.", visible(&id)))
        }
    }
}

fn scopes(key: &Key) -> String {
    key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn whose(key: &Key) -> String {
    key.organization_id.as_ref().map_or_else(|| "any organization".to_owned(), ToString::to_string)
}
