//! What every page must be, by a look at its text.

use std::collections::HashSet;

/// Looks at one page.
#[track_caller]
pub(super) fn at(name: &str, page: &str) {
    assert!(page.starts_with("<!doctype html>"), "{name}");
    assert_eq!(page.matches("<h1").count(), 1, "{name}: one h1");
    assert_eq!(page.matches("<main").count(), 1, "{name}: one main");
    assert!(page.contains("<html lang=\"en\">") && page.contains("name=\"viewport\""), "{name}");
    let title = between(page, "<title>", "</title>");
    assert!(title.len() > " · Tollkeeper".len(), "{name}: {title}");
    assert!(page.len() < 40_000, "{name}: {} bytes", page.len());

    let tags: Vec<_> = tags(page).collect();
    let mut ids = HashSet::new();
    for tag in &tags {
        let word = tag.split([' ', '>']).next().unwrap();
        for attribute in attributes(tag) {
            assert!(!attribute.starts_with("on") && attribute != "style", "{name}: <{tag}> has {attribute}");
        }
        match word {
            "style" => panic!("{name}: a style stands in the page"),
            "script" => assert!(value(tag, "src").is_some_and(|src| src.starts_with("/static/")), "{name}: <{tag}>"),
            "form" => {
                let action = value(tag, "action").unwrap_or_else(|| panic!("{name}: <{tag}> goes nowhere"));
                assert!(action.starts_with('/'), "{name}: <{tag}>");
            }
            "progress" | "meter" | "nav" => assert!(value(tag, "aria-label").is_some(), "{name}: <{tag}> has no name"),
            _ => {}
        }
        if let Some(id) = value(tag, "id") {
            assert!(ids.insert(id), "{name}: the id {id} is there twice");
        }
        if let Some(href) = value(tag, "href") {
            let scheme_is_known =
                href.starts_with(['/', '#']) || href.starts_with("https://") || href.starts_with("http://");
            assert!(scheme_is_known, "{name}: <{tag}>");
        }
    }
    let labelled: HashSet<_> =
        tags.iter().filter_map(|tag| tag.starts_with("label").then(|| value(tag, "for"))?).collect();
    for tag in tags.iter().filter(|tag| ["input", "select", "textarea"].iter().any(|kind| tag.starts_with(kind))) {
        let kind = value(tag, "type");
        // Radios stand inside of their labels.
        if matches!(kind, Some("hidden" | "radio")) {
            continue;
        }
        let id = value(tag, "id").unwrap_or_else(|| panic!("{name}: <{tag}> has no id"));
        assert!(labelled.contains(id), "{name}: <{tag}> has no label");
    }
    for tag in tags.iter().filter(|tag| tag.contains("aria-labelledby")) {
        assert!(ids.contains(value(tag, "aria-labelledby").unwrap()), "{name}: <{tag}>");
    }
    for (text, what) in [("{{", "braces"), ("Some(", "an option"), ("org_", "an id"), ("None", "an option")] {
        assert!(!page.contains(text), "{name}: {what} shown: {text}");
    }
}

fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<').skip(1).filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic())).map(|rest| {
        // An attribute may hold the sign: it is written as it is inside of quotes.
        let mut quoted = false;
        let end = rest.find(|letter| {
            quoted ^= letter == '"';
            letter == '>' && !quoted
        });
        &rest[..end.expect("tags end")]
    })
}

fn attributes(tag: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once("=\"") {
        names.push(before.rsplit(' ').next().unwrap());
        rest = after.split_once('"').expect("quotes end").1;
    }
    names
}

fn value<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let begin = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[begin..].split('"').next()
}

fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    page.split_once(begin).unwrap().1.split_once(end).unwrap().0
}
