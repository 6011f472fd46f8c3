//! Money, dates and names as people read them, in plain English and in UTC.

use tollkeeper_core::{
    catalog::{Catalog, Grant, Interval, Plan, Price},
    ids::{PlanName, Provider},
    money::Currency,
    time::{DAY, Timestamp},
};

/// An amount in minor units as the provider counts them: `$49.00`, `-€3.50`, `¥1,200`, `CHF 49.00`.
pub(crate) fn money(amount: i64, currency: Currency, provider: &Provider) -> String {
    let digits = decimals(currency.as_str(), provider);
    let whole = 10_u64.pow(digits);
    let (units, rest) = (amount.unsigned_abs() / whole, amount.unsigned_abs() % whole);
    let sign = if amount < 0 { "-" } else { "" };
    let unit = match currency.as_str() {
        "USD" => "$".to_owned(),
        "EUR" => "€".to_owned(),
        "GBP" => "£".to_owned(),
        "JPY" => "¥".to_owned(),
        "INR" => "₹".to_owned(),
        other => format!("{other}\u{a0}"),
    };
    let fraction = if digits == 0 { String::new() } else { format!(".{rest:0width$}", width = digits as usize) };
    format!("{sign}{unit}{}{fraction}", number(units))
}

/// How many digits the minor unit of a currency has.
///
/// Sources: ISO 4217, list one; for Stripe, which never changed what it once took, its documentation, "Supported
/// currencies", "Zero-decimal currencies" and "Special cases".
fn decimals(currency: &str, provider: &Provider) -> u32 {
    match currency {
        "MGA" if provider.as_str() == "stripe" => 0,
        "ISK" | "UGX" if provider.as_str() == "stripe" => 2,
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// `100,000`
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 March 2026`
pub(crate) fn date(at: Timestamp) -> String {
    spelled(at, "%-d %B %Y")
}

/// `1 March – 1 April 2026`
pub(crate) fn span(start: Timestamp, end: Timestamp) -> String {
    let same_year = spelled(start, "%Y") == spelled(end, "%Y");
    let first = spelled(start, if same_year { "%-d %B" } else { "%-d %B %Y" });
    format!("{first} – {}", date(end))
}

/// `12 March 2026, 14:05 UTC`
pub(crate) fn moment(at: Timestamp) -> String {
    spelled(at, "%-d %B %Y, %H:%M UTC")
}

fn spelled(at: Timestamp, how: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(instant) => instant.to_zoned(jiff::tz::TimeZone::UTC).strftime(how).to_string(),
        Err(_) => at.to_string(),
    }
}

/// How far away an instant is, by days of the calendar: `today`, `tomorrow`, `in 13 days`; nothing for what has passed.
pub(crate) fn away(at: Timestamp, now: Timestamp) -> Option<String> {
    let day = |at: Timestamp| at.as_unix_seconds().div_euclid(DAY.as_secs().cast_signed());
    match day(at) - day(now) {
        _ if at < now => None,
        0 => Some("today".to_owned()),
        1 => Some("tomorrow".to_owned()),
        days => Some(format!("in {days} days")),
    }
}

/// `1 seat`, `5 seats`
pub(crate) fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// `a month`, `a year`
pub(crate) const fn per(interval: Interval) -> &'static str {
    match interval {
        Interval::Month => "a month",
        Interval::Year => "a year",
        Interval::Once => "once",
    }
}

/// What a price is paid for: `per seat, a month`, `a year`.
pub(crate) fn each(price: &Price) -> String {
    let per = per(price.interval);
    if price.per_seat { format!("per seat, {per}") } else { per.to_owned() }
}

/// The name of a feature as people read it: `api_calls` is `API calls`, `sso` is `SSO`.
pub(crate) fn feature(name: &str) -> String {
    let words = name.split(['_', '-']).filter(|word| !word.is_empty()).enumerate().map(|(place, word)| {
        if matches!(word, "api" | "sso" | "scim" | "saml" | "sla" | "ip" | "ai" | "csv" | "pdf" | "mfa") {
            word.to_uppercase()
        } else if place == 0 {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What a plan grants of a feature: `SSO`, `10 projects`, `Unlimited projects`, `100,000 API calls each period`.
pub(crate) fn granted(name: &str, grant: Grant) -> String {
    let title = feature(name);
    // Only the first letter was raised for the beginning of a line.
    let inner = match title.char_indices().nth(1) {
        Some((second, letter)) if letter.is_lowercase() => title[..second].to_lowercase() + &title[second..],
        _ => title.clone(),
    };
    match grant {
        Grant::Switch => title,
        Grant::Limit(None) => format!("Unlimited {inner}"),
        Grant::Limit(Some(most)) => format!("{} {inner}", number(most)),
        Grant::Metered(None) => format!("Unlimited {inner}"),
        Grant::Metered(Some(most)) => format!("{} {inner} each period", number(most)),
    }
}

/// Everything that a plan grants, line by line.
pub(crate) fn grants(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<_> = plan.features.iter().map(|(name, grant)| granted(name.as_str(), *grant)).collect();
    if let Some(seats) = plan.seats {
        lines.push(format!("Up to {}", count(seats, "seat", "seats")));
    }
    lines
}

/// A plan as people call it.
pub(crate) fn plan_title(catalog: &Catalog, name: Option<&PlanName>) -> String {
    match name {
        Some(name) => catalog.plan(name).map_or_else(|| feature(name.as_str()), |plan| plan.title.clone()),
        None => "A plan we do not know".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_spelled_with_the_digits_of_its_currency() {
        for (amount, currency, words) in [
            (4900, "USD", "$49.00"),
            (-350, "EUR", "-€3.50"),
            (5, "GBP", "£0.05"),
            (120_000_000, "USD", "$1,200,000.00"),
            (1200, "JPY", "¥1,200"),
            (1234, "KWD", "KWD\u{a0}1.234"),
            (0, "CHF", "CHF\u{a0}0.00"),
            (i64::MIN, "USD", "-$92,233,720,368,547,758.08"),
        ] {
            assert_eq!(money(amount, currency.parse().unwrap(), &"chargebee".into()), words);
        }
    }

    #[test]
    fn a_provider_counts_some_currencies_in_its_own_way() {
        for (amount, currency, at_stripe, at_chargebee) in [
            (490_000, "ISK", "ISK\u{a0}4,900.00", "ISK\u{a0}490,000"),
            (490_000, "UGX", "UGX\u{a0}4,900.00", "UGX\u{a0}490,000"),
            (1200, "MGA", "MGA\u{a0}1,200", "MGA\u{a0}12.00"),
            (1200, "JPY", "¥1,200", "¥1,200"),
        ] {
            let at = |provider: &str| money(amount, currency.parse().unwrap(), &provider.into());
            assert_eq!((at("stripe").as_str(), at("chargebee").as_str()), (at_stripe, at_chargebee));
        }
    }

    #[test]
    fn dates_are_those_of_utc_and_days_those_of_the_calendar() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(date(at("2026-03-12T23:59:59Z")), "12 March 2026");
        assert_eq!(moment(at("2026-03-02T04:05:06Z")), "2 March 2026, 04:05 UTC");
        assert_eq!(span(at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z")), "1 March – 1 April 2026");
        assert_eq!(span(at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z")), "1 December 2026 – 1 January 2027");
        assert_eq!(date(Timestamp::from_micros(i64::MAX)), format!("{}us", i64::MAX));
        let now = at("2026-03-12T22:00:00Z");
        for (then, words) in [
            ("2026-03-12T21:59:59Z", None),
            ("2026-03-12T22:00:00Z", Some("today")),
            ("2026-03-13T01:00:00Z", Some("tomorrow")),
            ("2026-03-25T01:00:00Z", Some("in 13 days")),
        ] {
            assert_eq!(away(at(then), now).as_deref(), words, "{then}");
        }
    }

    #[test]
    fn features_read_like_words() {
        for (name, grant, words) in [
            ("sso", Grant::Switch, "SSO"),
            ("audit_log", Grant::Switch, "Audit log"),
            ("projects", Grant::Limit(Some(3)), "3 projects"),
            ("projects", Grant::Limit(None), "Unlimited projects"),
            ("api_calls", Grant::Metered(Some(100_000)), "100,000 API calls each period"),
            ("übersicht", Grant::Switch, "Übersicht"),
            ("übersicht", Grant::Limit(Some(1)), "1 übersicht"),
            ("", Grant::Limit(Some(1)), "1 "),
        ] {
            assert_eq!(granted(name, grant), words);
        }
        assert_eq!(count(1, "seat", "seats"), "1 seat");
        assert_eq!(count(1000, "seat", "seats"), "1,000 seats");
    }
}
