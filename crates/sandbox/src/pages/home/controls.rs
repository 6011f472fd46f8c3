//! Time, faults, and starting over.

use super::{Notes, Section};
use crate::moment::Moment;
use crate::pages::layout::{escape, instant};
use crate::pages::parts;
use crate::world::World;

const STEPS: [(i64, &str); 4] =
    [(3_600, "1 hour"), (86_400, "1 day"), (14 * 86_400, "14 days"), (31 * 86_400, "31 days")];

/// The settings as the control API names them, in words, with what is allowed.
const SETTINGS: [(&str, &str, &str); 9] = [
    ("dropRate", "Deliveries that never arrive", "0 to 1"),
    ("duplicateRate", "Deliveries that come twice", "0 to 1"),
    ("reorderRate", "Deliveries that come out of order", "0 to 1"),
    ("delayMs", "How late deliveries are", "ms"),
    ("apiErrorRate", "Requests that fail", "0 to 1"),
    ("apiErrorAfterCommitRate", "Requests that fail after all was done", "0 to 1"),
    ("apiLatencyMs", "How slow answers are", "ms"),
    ("apiRateLimitPerMinute", "Requests a minute", "0: no limit"),
    ("seed", "Seed of the choices", "a number"),
];

pub(super) fn clock(world: &World, now: Moment, notes: &Notes) -> String {
    let mut facts = parts::fact("Business time", &format!("<strong>{}</strong>", instant(now.secs())));
    facts.push_str(&parts::fact("Ahead of the machine", &span(world.offset / 1_000_000)));
    if let Some(due) = world.next_due() {
        facts.push_str(&parts::fact("Next thing to happen", &instant(due.secs())));
    }
    let steps: String = STEPS
        .iter()
        .map(|(seconds, text)| format!("<button name=\"seconds\" value=\"{seconds}\">{text}</button>"))
        .collect();
    let content = format!(
        "<dl class=\"facts\">{facts}</dl>\
         {quick}<fieldset><legend>Move on by</legend><div class=\"row\">{steps}</div></fieldset></form>\
         {exact}<div class=\"field short\"><label for=\"amount\">Amount</label>\
         <input type=\"number\" id=\"amount\" name=\"amount\" min=\"1\" max=\"3650\" value=\"7\" required></div>\
         <div class=\"field short\"><label for=\"unit\">Unit</label><select id=\"unit\" name=\"unit\">\
         <option value=\"60\">minutes</option><option value=\"3600\">hours</option>\
         <option value=\"86400\" selected>days</option></select></div>\
         <button name=\"action\" value=\"advance\">Move on</button></form>\
         <p class=\"hint\">Whatever is due on the way happens: trials end, periods renew, payments are tried again. \
         Time never goes back.</p>",
        quick = Section::Clock.form("stack"),
        exact = Section::Clock.form("row"),
    );
    Section::Clock.panel(notes, "<a class=\"small\" href=\"/sandbox/clock\">as JSON</a>", &content)
}

/// A span of time in days, hours and minutes.
fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min")];
    let parts: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { "not at all".into() } else { parts.join(" ") }
}

pub(super) fn faults(world: &World, notes: &Notes) -> String {
    let setting = world.chaos.setting();
    let state = if setting.is_off() {
        "<span class=\"badge\">off</span>"
    } else {
        "<span class=\"badge bad\">switched on</span>"
    };
    let values = setting.render();
    let fields: String = SETTINGS
        .iter()
        .map(|(name, text, unit)| {
            format!(
                "<div class=\"field\"><label for=\"{name}\">{text} <span class=\"hint\">{unit}</span></label>\
                 <input type=\"number\" id=\"{name}\" name=\"{name}\" value=\"{value}\" min=\"0\" step=\"any\"></div>",
                value = escape(&values[*name].to_string()),
            )
        })
        .collect();
    let content = format!(
        "<p>Webhooks and the two billing APIs can be made unreliable, in a way that the seed repeats.</p>\
         <details{open}><summary>Choose faults</summary>{form}<div class=\"fields\">{fields}</div>\
         <div class=\"row\"><button class=\"main\" name=\"action\" value=\"faults\">Set</button>\
         <button name=\"action\" value=\"calm\">Switch all off</button></div></form></details>",
        open = if setting.is_off() { "" } else { " open" },
        form = Section::Faults.form("drawer"),
    );
    Section::Faults.panel(notes, state, &content)
}

pub(super) fn reset(notes: &Notes) -> String {
    let content = format!(
        "<details><summary>Empty the sandbox</summary>{form}\
         <p>Organizations, people, customers, subscriptions, deliveries and requests are forgotten, and the catalog is \
         the demo's again. The clock stays.</p>\
         <div class=\"choices\"><label><input type=\"checkbox\" name=\"sure\" value=\"yes\" required>\
         <span>Yes, forget everything</span></label></div>\
         <div class=\"row\"><button class=\"danger\" name=\"action\" value=\"reset\">Empty it</button></div></form></details>\
         <p class=\"small\">Elsewhere: <a href=\"/sandbox/truth\">what the providers hold, as JSON</a>, \
         <a href=\"/.well-known/openid-configuration\">OpenID configuration</a>, <a href=\"/keys\">signing keys</a>.</p>",
        form = Section::Reset.form("drawer"),
    );
    Section::Reset.panel(notes, "", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::Setting;

    #[test]
    fn every_setting_has_a_field() {
        let names = Setting::default().render();
        let names: Vec<&String> = names.as_object().unwrap().keys().collect();
        assert_eq!(names.len(), SETTINGS.len());
        assert!(names.iter().all(|name| SETTINGS.iter().any(|(known, ..)| known == name)), "{names:?}");
    }

    #[test]
    fn spans_are_said_as_people_say_them() {
        assert_eq!(span(0), "not at all");
        assert_eq!(span(86_400 * 3 + 60 * 5), "3 d 5 min");
        assert_eq!(span(7_200), "2 h");
    }
}
