use proptest::prelude::*;
use tollkeeper_chargebee::form::Form;

use crate::{contracts::Contracts, fake::decode};

/// `a[b][0]` as `["a", "b", "0"]`.
fn path(name: &str) -> Vec<&str> {
    name.split('[').map(|part| part.strip_suffix(']').unwrap_or(part)).collect()
}

fn rebuilt(text: &str) -> String {
    let pairs = decode(text);
    let form = pairs.iter().fold(Form::new(), |form, (name, value)| form.pair(&path(name), value));
    form.as_str().to_owned()
}

#[test]
fn the_official_client_writes_the_same_bytes() {
    let Some(contracts) = Contracts::open("forms") else { return };
    let samples = contracts.json("sdk-wire-samples.json");
    let (mut bodies, mut queries) = (0, 0);
    for (name, sample) in samples.as_object().unwrap() {
        let body = sample["body"].as_str().unwrap();
        if !body.is_empty() && !body.starts_with('{') {
            assert_eq!(rebuilt(body), body, "{name}");
            bodies += 1;
        }
        if let Some((_, query)) = sample["target"].as_str().unwrap().split_once('?') {
            assert_eq!(rebuilt(query), query, "{name}");
            queries += 1;
        }
    }
    assert!(bodies >= 10 && queries >= 3, "{bodies} bodies and {queries} queries were compared");
}

proptest! {
    #[test]
    fn what_is_written_reads_back(pairs in proptest::collection::vec(any::<(String, String, u8, String)>(), 0..6)) {
        let form = pairs.iter().fold(Form::new(), |form, (name, column, index, value)| {
            form.cell(name, column, usize::from(*index), value).set(name, value).filter_list(name, column, &[value, name])
        });
        let expected: Vec<_> = pairs.iter().flat_map(|(name, column, index, value)| [
            (format!("{name}[{column}][{index}]"), value.clone()),
            (name.clone(), value.clone()),
            (format!("{name}[{column}]"), serde_json::json!([value, name]).to_string()),
        ]).collect();
        prop_assert_eq!(decode(form.as_str()), expected);
        prop_assert!(form.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
