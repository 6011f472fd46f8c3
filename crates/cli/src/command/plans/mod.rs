//! `tollkeeper plans`: what is sold here and at the billing providers.

mod catalog_toml;
mod list;
mod pull;
mod push;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tollkeeper::{Tollkeeper, ids::Provider};

/// What to do with plans.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Plans {
    /// Show the catalog as it is configured
    List(list::List),
    /// Make and change prices at a billing provider, so that it sells what the catalog says; shows what, and asks first
    Push(push::Push),
    /// Print, as lines of the catalog, what a billing provider sells and the catalog does not know
    Pull(pull::Pull),
}

/// Which billing provider.
#[derive(Debug, clap::Args)]
struct Where {
    /// The billing provider; the one of new organizations unless given
    #[arg(long, value_parser = provider())]
    provider: Option<Provider>,
}

impl Where {
    fn of(&self, engine: &Tollkeeper) -> Provider {
        self.provider.clone().unwrap_or_else(|| engine.settings().billing_provider.clone())
    }
}

fn provider() -> impl TypedValueParser<Value = Provider> {
    PossibleValuesParser::new([tollkeeper_chargebee::NAME, tollkeeper_stripe::NAME]).map(Provider::from)
}

/// Does it.
pub(crate) async fn run(command: Plans) -> anyhow::Result<()> {
    match command {
        Plans::List(which) => list::run(&which),
        Plans::Push(which) => push::run(which).await,
        Plans::Pull(which) => pull::run(which).await,
    }
}
