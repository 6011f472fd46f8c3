//! What several pages show: notes, states, amounts, and the choice of a test card.

use axum::response::Response;
use http::StatusCode;

use super::layout::{Width, escape, page};

/// The value of the radio button that goes with the free field.
const OTHER: &str = "other";

/// A note that something was not done, read out at once.
pub(super) fn problem(title: &str, text: &str) -> String {
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("<div class=\"note bad\" role=\"alert\"><strong>{}:</strong> {}{stop}</div>", escape(title), escape(text))
}

/// A state in a word, coloured by what it means for whoever pays.
pub(super) fn badge(state: &str) -> String {
    let tone = match state {
        "active" | "paid" | "succeeded" | "delivered" | "live" => " good",
        "past_due" | "unpaid" | "not_paid" | "payment_due" | "failed" | "dropped" | "uncollectible" => " bad",
        "in_trial" | "trialing" | "non_renewing" | "paused" | "pending" | "open" | "incomplete" => " wait",
        _ => "",
    };
    format!("<span class=\"badge{tone}\">{}</span>", escape(&state.replace('_', " ")))
}

/// A line of a summary: what, and how much.
pub(super) fn line(name: &str, amount: &str) -> String {
    format!("<div><dt>{}</dt><dd>{amount}</dd></div>", escape(name))
}

/// The last line of a summary.
pub(super) fn sum(name: &str, amount: &str) -> String {
    format!("<div class=\"sum\"><dt>{}</dt><dd>{amount}</dd></div>", escape(name))
}

/// A name with its value, for lists of facts; the value is HTML already.
pub(super) fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
}

/// One subscription in a portal; `items`, `facts` and `change` are HTML, `buttons` are actions with their words.
pub(super) fn subscription(
    (title, id): (&str, &str),
    items: &str,
    facts: &str,
    change: &str,
    buttons: &[(&str, &str)],
) -> String {
    let (title, id) = (escape(title), escape(id));
    let buttons: String = buttons
        .iter()
        .map(|(action, words)| {
            let class = if action.starts_with("cancel") { " class=\"danger\"" } else { "" };
            format!("<button name=\"action\" value=\"{action}\"{class}>{words}</button>")
        })
        .collect();
    let buttons = match buttons.as_str() {
        "" => String::new(),
        buttons => format!(
            "<form method=\"post\" class=\"row foot\"><input type=\"hidden\" name=\"subscription\" value=\"{id}\">{buttons}</form>"
        ),
    };
    format!(
        "<section class=\"panel\" aria-labelledby=\"s-{id} i-{id}\"><div><h2 id=\"s-{id}\">{title}</h2>\
         <p class=\"soft small\" id=\"i-{id}\">Subscription <code>{id}</code></p></div><ul class=\"small\">{items}</ul>\
         <dl class=\"facts\">{facts}</dl>{change}{buttons}</section>"
    )
}

/// The form for another plan and other seats; `offered` are prices with their names.
pub(super) fn plan_form<'a>(
    id: &str,
    offered: impl Iterator<Item = (&'a str, &'a str)>,
    plan: &str,
    seats: i64,
) -> String {
    let id = escape(id);
    let options: String = offered
        .map(|(price, name)| {
            let selected = if price == plan { " selected" } else { "" };
            format!("<option value=\"{}\"{selected}>{}</option>", escape(price), escape(name))
        })
        .collect();
    format!(
        "<form method=\"post\" class=\"row\"><input type=\"hidden\" name=\"subscription\" value=\"{id}\">\
         <div class=\"field\"><label for=\"plan-{id}\">Plan</label><select id=\"plan-{id}\" name=\"price\">{options}</select></div>\
         <div class=\"field short\"><label for=\"seats-{id}\">Seats</label>\
         <input type=\"number\" id=\"seats-{id}\" name=\"seats\" value=\"{seats}\" min=\"1\" required></div>\
         <button class=\"main\" name=\"action\" value=\"update\">Change</button></form>"
    )
}

/// The form for another card. `dues` is how many invoices are open, which a good card pays.
pub(super) fn payment_method(card: Option<&str>, dues: usize, cards: &str) -> String {
    let due = match dues {
        0 => String::new(),
        open => {
            format!("<p class=\"note wait\"><strong>{open} unpaid.</strong> A card that pays settles it at once.</p>")
        }
    };
    let card = card.map_or_else(|| "none yet".to_owned(), escape);
    let open = if dues > 0 { " open" } else { "" };
    format!(
        "<section class=\"panel\" aria-labelledby=\"method\"><h2 id=\"method\">Payment method</h2>{due}\
         <p>Now: <strong>{card}</strong></p><details{open}><summary>Another card</summary><form method=\"post\">{cards}\
         <button class=\"main block\" name=\"action\" value=\"card\">Use this card</button></form></details></section>"
    )
}

/// The customer's invoices, newest first: number, date, total, status and a link, all of them HTML.
pub(super) fn invoices(rows: impl Iterator<Item = [String; 5]>) -> String {
    let rows: String = rows
        .map(|[number, date, total, status, link]| {
            format!(
                "<tr><th scope=\"row\">{number}</th><td class=\"when\">{date}</td><td class=\"number\">{total}</td>\
                 <td>{status}</td><td>{link}</td></tr>"
            )
        })
        .collect();
    if rows.is_empty() {
        return "<section class=\"panel\"><h2>Invoices</h2><p class=\"soft\">None yet.</p></section>".into();
    }
    let heads = ["Number", "Date (UTC)", "Total", "Status", "Document"];
    format!("<section class=\"panel\"><h2>Invoices</h2>{}</section>", table("Invoices", &heads, &rows))
}

/// A table in a box of its own, which scrolls where it is too wide.
pub(super) fn table(name: &str, heads: &[&str], rows: &str) -> String {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table: {name}\"><table aria-label=\"{name}\">\
         <thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Radio buttons for the test cards, and a field for any other number. `sent` is the number that was tried before.
pub(super) fn cards(named: &[(&str, &str)], sent: Option<&str>) -> String {
    let sent = sent.map(str::trim).filter(|sent| !sent.is_empty());
    let known = sent.is_none_or(|sent| named.iter().any(|(number, _)| *number == sent));
    let checked = |is: bool| if is { " checked" } else { "" };
    let mut choices = String::new();
    for (index, (number, what)) in named.iter().enumerate() {
        let is = sent.map_or(index == 0, |sent| sent == *number);
        choices.push_str(&format!(
            "<label><input type=\"radio\" name=\"pick\" value=\"{number}\"{checked}>\
             <span class=\"two\"><span class=\"number\">{number}</span><span class=\"hint\">{what}</span></span></label>",
            checked = checked(is),
        ));
    }
    format!(
        "<fieldset class=\"cards stack\"><legend>Test card</legend><div class=\"choices\">{choices}\
         <label><input type=\"radio\" class=\"other\" name=\"pick\" value=\"{OTHER}\"{other}>\
         <span class=\"two\"><span>Another number</span><span class=\"hint\">to type one yourself</span></span></label></div>\
         <div class=\"field free\"><label for=\"card\">Card number</label>\
         <input type=\"text\" id=\"card\" name=\"card\" value=\"{value}\" inputmode=\"numeric\" autocomplete=\"off\"></div>\
         <p class=\"hint\">Any date in the future and any security code would do, so nobody asks for them.</p></fieldset>",
        other = checked(!known),
        value = escape(sent.filter(|_| !known).unwrap_or_default()),
    )
}

/// The number that was chosen with [`cards`], or was sent without a choice.
pub(super) fn card_of(pairs: &[(String, String)]) -> Option<&str> {
    let get = |name: &str| pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let number = get("pick").filter(|picked| *picked != OTHER).or_else(|| get("card"));
    number.filter(|number| !number.trim().is_empty())
}

/// What the customer's bank asks, with everything that was filled in before.
pub(super) fn challenge(of: &str, filled_in: &[(&str, Option<&str>)]) -> Response {
    let hidden: String = filled_in
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    let content = format!(
        "<form method=\"post\" class=\"panel\">{hidden}\
         <p>This stands in for the page of the customer's bank, which asks whether the payment is really theirs.</p>\
         <button class=\"main block\" name=\"challenge\" value=\"pass\">Pass: it is mine</button>\
         <button class=\"danger block\" name=\"challenge\" value=\"fail\">Fail: it is not</button></form>"
    );
    page(StatusCode::OK, of, "3-D Secure", Width::Narrow, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Option<String> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        card_of(&pairs).map(str::to_owned)
    }

    #[test]
    fn the_choice_decides_and_the_field_only_where_it_is_chosen() {
        assert_eq!(of(&[("pick", "1"), ("card", "2")]).as_deref(), Some("1"));
        assert_eq!(of(&[("pick", "other"), ("card", "2")]).as_deref(), Some("2"));
        assert_eq!(of(&[("card", "2")]).as_deref(), Some("2"));
        assert_eq!(of(&[("pick", "other"), ("card", " ")]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_was_tried_is_still_chosen() {
        let named = [("1", "one"), ("2", "two")];
        assert!(cards(&named, None).contains("value=\"1\" checked"));
        assert!(cards(&named, Some("2")).contains("value=\"2\" checked"));
        let typed = cards(&named, Some("\"3"));
        assert!(typed.contains("value=\"other\" checked") && typed.contains("value=\"&quot;3\""), "{typed}");
    }
}
