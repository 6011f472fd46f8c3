use proptest::prelude::*;
use tollkeeper_core::time::Timestamp;
use tollkeeper_stripe::form::Form;

use crate::fake::decode;

proptest! {
    #[test]
    fn what_is_written_reads_back(pairs in proptest::collection::vec(any::<(String, String, i32)>(), 0..6)) {
        let form = pairs.iter().fold(Form::new(), |form, (name, value, seconds)| {
            form.set(name, value)
                .unset(format!("metadata[{name}]"))
                .instant("at", Timestamp::from_unix_seconds(i64::from(*seconds)))
                .list("expand", &[value, name])
        });
        let expected: Vec<_> = pairs.iter().flat_map(|(name, value, seconds)| [
            (name.clone(), value.clone()),
            (format!("metadata[{name}]"), String::new()),
            ("at".to_owned(), seconds.to_string()),
            ("expand[0]".to_owned(), value.clone()),
            ("expand[1]".to_owned(), name.clone()),
        ]).collect();
        prop_assert_eq!(decode(form.as_str()), expected);
        prop_assert!(form.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
