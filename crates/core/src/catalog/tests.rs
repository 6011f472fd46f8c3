//! What a catalog may say: which ids twice, and which of their entries is meant then; which names not at all.

use super::*;

fn price(id: &str, currency: &str, amount: i64) -> Price {
    Price {
        id: id.into(),
        provider: "stripe".into(),
        interval: Interval::Month,
        currency: currency.parse().unwrap(),
        amount,
        per_seat: false,
    }
}

fn plan(name: &str, prices: Vec<Price>) -> Plan {
    Plan {
        name: name.into(),
        title: name.into(),
        group: DEFAULT_GROUP.into(),
        version: 1,
        features: BTreeMap::new(),
        seats: None,
        trial_days: 0,
        credits: None,
        prices,
        past_due_grace: None,
    }
}

fn addon(name: &str, prices: Vec<Price>) -> Addon {
    let features = BTreeMap::new();
    Addon { name: name.into(), title: name.into(), item_type: ItemType::Addon, features, prices }
}

fn catalog(plans: Vec<Plan>, addons: Vec<Addon>) -> Result<Catalog, Vec<String>> {
    let told = |problems: Vec<CatalogProblem>| problems.iter().map(ToString::to_string).collect();
    Catalog::new(plans, addons, None, Policy::default()).map_err(told)
}

#[test]
fn one_id_is_sold_in_several_currencies() {
    let amounts = [("USD", 4_900), ("EUR", 4_500), ("GBP", 3_900)];
    let prices = |id: &str| amounts.map(|(currency, amount)| price(id, currency, amount)).to_vec();
    let catalog = catalog(vec![plan("growth", prices("growth"))], vec![addon("extra", prices("extra"))]).unwrap();
    let provider = "stripe".into();
    for id in ["growth", "extra"] {
        let id = id.into();
        assert_eq!(catalog.sold(&provider, &id).unwrap().price().amount, 4_900, "the first entry");
        for (currency, amount) in amounts {
            let sold = catalog.sold_in(&provider, &id, currency.parse().unwrap()).unwrap();
            assert_eq!((sold.price().currency.as_str(), sold.price().amount), (currency, amount));
        }
        let elsewhere = catalog.sold_in(&provider, &id, "CHF".parse().unwrap()).unwrap();
        assert_eq!(elsewhere.price().currency.as_str(), "USD", "not sold in that: the first entry");
    }
    assert_eq!(catalog.plan_of(&provider, &"growth".into()).unwrap().name.as_str(), "growth");
    assert_eq!(catalog.plan_of(&provider, &"extra".into()), None);
    assert_eq!(catalog.sold_in(&"chargebee".into(), &"growth".into(), "USD".parse().unwrap()), None);
    assert_eq!(catalog.plans()[0].prices.len(), 3, "each of them is shown");
}

#[test]
fn whatever_else_is_listed_twice_is_refused_with_the_cure() {
    let dollars = || price("p", "USD", 1);
    let euros = || price("p", "EUR", 1);
    let words = "`p` is used twice: a price sells one thing; list it again in the same plan or add-on only, with another \
                 currency";
    for (what, plans, addons, path) in [
        ("one currency twice", vec![plan("a", vec![dollars(), dollars()])], vec![], "plans.a.prices[1].id"),
        (
            "one currency twice, further down",
            vec![plan("a", vec![dollars(), euros(), price("p", "EUR", 2)])],
            vec![],
            "plans.a.prices[2].id",
        ),
        (
            "another interval",
            vec![plan("a", vec![dollars(), Price { interval: Interval::Year, ..euros() }])],
            vec![],
            "plans.a.prices[1].id",
        ),
        (
            "another way to count",
            vec![plan("a", vec![dollars(), Price { per_seat: true, ..euros() }])],
            vec![],
            "plans.a.prices[1].id",
        ),
        ("another plan", vec![plan("a", vec![dollars()]), plan("b", vec![euros()])], vec![], "plans.b.prices[0].id"),
        (
            "another add-on",
            vec![],
            vec![addon("x", vec![dollars()]), addon("y", vec![euros()])],
            "addons.y.prices[0].id",
        ),
        (
            "a plan and an add-on",
            vec![plan("a", vec![dollars()])],
            vec![addon("x", vec![euros()])],
            "addons.x.prices[0].id",
        ),
    ] {
        assert_eq!(catalog(plans, addons).unwrap_err(), [format!("{path}: {words}")], "{what}");
    }
    let elsewhere = Price { provider: "chargebee".into(), ..dollars() };
    assert!(catalog(vec![plan("a", vec![dollars()]), plan("b", vec![elsewhere])], vec![]).is_ok(), "another provider");
}

#[test]
fn no_feature_is_called_like_something_else() {
    for name in ["subscription", "plan:pro", "price:pro", "snapshot"] {
        let mut pro = plan("pro", Vec::new());
        pro.features.insert(name.into(), Grant::Switch);
        let refused = catalog(vec![pro], Vec::new()).unwrap_err();
        let words = "is a reserved name: no feature of a catalog has it";
        assert_eq!(refused, [format!("plans.pro.features.{name}: {words}")]);
    }
}
