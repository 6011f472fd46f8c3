//! Every page in every state, rendered with sample values.

mod console;
mod look;
mod samples;

use askama::Template as _;
use samples::{HOSTILE, all, catalog, frame};
use tollkeeper::Settings;

use super::pricing::{Look, PricingPage};

#[test]
fn every_page_in_every_state_is_well_made() {
    let pages = all();
    assert!(pages.len() > 30, "{}", pages.len());
    for (name, page) in &pages {
        look::at(name, page);
    }
}

#[test]
fn what_others_wrote_is_only_text() {
    let mut seen = 0;
    for (name, page) in all() {
        assert!(!page.contains(HOSTILE) && !page.contains("<img"), "{name}");
        seen += usize::from(page.contains("&#60;img"));
    }
    assert!(seen > 5, "hostile names are shown, and harmless: {seen}");
}

#[test]
fn each_status_is_said_in_words_of_its_own() {
    for (state, words) in [
        ("checkout open", "A checkout of Growth is open. It can be finished until 12 March 2026, 15:05 UTC."),
        ("starts later", "Growth starts on 22 March 2026, in 10 days."),
        ("incomplete", "Growth has not started: its first payment is not done."),
        ("trial", "The trial ends on 24 March 2026, in 12 days. The first payment is taken then."),
        ("trial that ends", "The trial ends on 24 March 2026, in 12 days, and with it everything."),
        ("active", "Renews on 1 April 2026."),
        ("active, pausing", "Active. It pauses on 1 April 2026, in 20 days."),
        ("active, collection paused", "does not collect its invoices at the moment; what you have goes on"),
        ("non_renewing", "Ends on 1 April 2026, in 20 days. Until then nothing changes."),
        ("past_due in grace", "Everything stays open until 1 April 2026, in 20 days."),
        ("past_due, closed", "What the plan includes is closed until it is paid."),
        ("past_due in grace", "It was tried 2 times."),
        ("past_due in grace", "It is tried again on 13 March 2026, 12:00 UTC."),
        ("unpaid", "An invoice is unpaid since 1 March 2026."),
        ("paused", "Nothing is charged, and what it includes is closed."),
        ("cancelled", "Ended on 1 March 2026."),
        ("plan unknown", "It sells a price that is not in the catalog"),
        ("twice", "It was paid although there is another one already."),
        ("nothing", "Nothing is paid for. This is what everybody has:"),
        ("scheduled", "From 1 April 2026 on: Starter with 3 seats."),
        ("too many people", "More people than seats"),
        ("several groups", "Support"),
        ("active", "$49.00 a month"),
        ("active", "7 of 25 in use"),
        ("member", "Changing it needs one of the roles admin, owner."),
    ] {
        let (_, page) = all().into_iter().find(|(name, _)| name == &format!("billing: {state}")).unwrap();
        assert!(page.contains(words), "{state}: {words}\n{page}");
    }
}

#[test]
fn what_sells_no_seats_shuts_nobody_out() {
    let page = &all().into_iter().find(|(name, _)| name == "billing: seats are not sold").unwrap().1;
    assert!(page.contains("Renews on 1 April 2026."), "{page}");
    assert!(!page.contains("in use") && !page.contains("More people than seats"), "{page}");
}

#[test]
fn what_one_has_can_be_kept_whether_it_is_sold_or_not() {
    let pages = all();
    for (state, kept) in [
        ("nothing chosen", "value=\"growth\" checked"),
        ("not sold any more", "value=\"free\" checked"),
        ("unknown", "value=\"\" checked"),
        ("unknown, seats", "value=\"\" checked"),
    ] {
        let page = &pages.iter().find(|(name, _)| name == &format!("change: {state}")).unwrap().1;
        assert!(page.contains(&format!("name=\"plan\" {kept}")), "{state}: {page}");
        assert_eq!(page.matches("Your plan").count(), 1, "{state}: {page}");
    }
}

#[test]
fn a_member_is_offered_nothing_that_changes() {
    for (name, page) in all().iter().filter(|(name, _)| name.contains("member")) {
        let main = page.split_once("<main").unwrap().1;
        let ways = ["<form", "/billing/change", "/billing/cancel", "/billing/pause"];
        assert!(ways.iter().all(|way| !main.contains(way)), "{name}");
    }
}

#[test]
fn every_form_says_whose_billing_it_shows() {
    let mut seen = 0;
    for (name, page) in all() {
        for form in page.split("<form ").skip(1).filter(|form| form.starts_with("method=\"post\" action=\"/billing")) {
            let form = form.split_once("</form>").unwrap().0;
            assert!(form.contains("name=\"referenceId\" value=\""), "{name}: {form}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn what_is_not_sold_in_the_usual_currency_is_sold_in_its_own() {
    let settings =
        Settings { default_currency: "GBP".parse().unwrap(), ..Settings::new("chargebee".into(), "https://a.test") };
    let page = PricingPage::of(frame("Plans"), &settings, &catalog(), None, &Look::default()).render().unwrap();
    assert!(page.contains("Choose Starter") && !page.contains("Not sold this way"), "{page}");
}

#[test]
fn plans_lead_to_no_change_that_is_impossible() {
    for (state, words) in [
        ("incomplete", "Finish the payment of yours first."),
        ("unpaid", "Pay what is due first."),
        ("paused", "Resume what you have first."),
    ] {
        let (_, page) = all().into_iter().find(|(name, _)| name == &format!("pricing: {state}")).unwrap();
        assert!(page.contains(words) && !page.contains("/billing/change"), "{state}: {page}");
    }
}

#[test]
fn nobody_is_told_that_something_is_paid_for_that_is_not() {
    let pages = all();
    let page = |wanted: &str| &pages.iter().find(|(name, _)| name == wanted).unwrap().1;
    for (name, words) in [
        ("cancel: active", "What is paid for stays until 1 April 2026."),
        ("cancel: past due", "A payment is due. What it includes stays open until 15 March 2026."),
        ("cancel: unpaid", "What it includes is closed already."),
        ("cancel: trial", "The trial goes on until 1 April 2026"),
        ("billing: active", "<dt>Paid period</dt>"),
        ("billing: past_due in grace", "<dt>Period</dt>"),
        ("billing: unpaid", "<dt>Period</dt>"),
    ] {
        let page = page(name);
        assert!(page.contains(words), "{name}: {page}");
        let paid = page.contains("paid for stays") || page.contains("Paid period");
        assert_eq!(paid, name.ends_with("active"), "{name}: {page}");
    }
}
