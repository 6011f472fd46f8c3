//! Parameters of a request, read by name and type. What nobody read is unknown, and refused.
//!
//! Source: Stripe API reference, "Errors" and "Request bodies": an empty value unsets, times are Unix seconds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::form::Node;
use super::problem;
use crate::stripe::account::model::{Metadata, Patch};
use crate::stripe::account::refusal::Refusal;

/// The members of an object of the request. Reading one takes it away.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    /// What comes before the names, as `items[0]`; empty at the top.
    path: String,
    members: Vec<(String, Node)>,
}

type Read<T> = Result<T, Refusal>;

impl Params {
    pub(crate) fn new(members: Vec<(String, Node)>) -> Self {
        Self { path: String::new(), members }
    }

    /// The name of a member, as the client wrote it.
    pub(crate) fn name_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.path) }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, _)| known == name)
    }

    /// The names that nobody read yet.
    pub(crate) fn names(&self) -> Vec<String> {
        self.members.iter().map(|(name, _)| name.clone()).collect()
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        let position = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(position).1)
    }

    /// Takes what is understood but has no effect here.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        self.members.retain(|(name, _)| !names.contains(&name.as_str()));
    }

    /// Puts members whose names begin with `prefix` into an object, without it.
    pub(crate) fn nest(&mut self, prefix: &str, name: &str) {
        let (inside, outside): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.members).into_iter().partition(|(member, _)| member.starts_with(prefix));
        self.members = outside;
        if !inside.is_empty() {
            let inside = inside.into_iter().map(|(member, node)| (member[prefix.len()..].to_owned(), node));
            self.members.push((name.to_owned(), Node::Branch(inside.collect())));
        }
    }

    /// Refuses what nobody read.
    pub(crate) fn done(self) -> Read<()> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => Err(problem::unknown(&self.name_of(name))),
        }
    }

    /// A text that can be unset.
    pub(crate) fn patch(&mut self, name: &str) -> Read<Patch<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Node::Text(text)) if text.is_empty() => Ok(Some(None)),
            Some(Node::Text(text)) => Ok(Some(Some(text))),
            Some(Node::Branch(_)) => Err(problem::invalid(&self.name_of(name), "Invalid string")),
        }
    }

    /// A text; an empty one counts as none.
    pub(crate) fn text(&mut self, name: &str) -> Read<Option<String>> {
        Ok(self.patch(name)?.flatten())
    }

    /// A text that must be there and may not be empty.
    pub(crate) fn required(&mut self, name: &str) -> Read<String> {
        match self.patch(name)? {
            Some(Some(text)) => Ok(text),
            Some(None) => Err(problem::empty(&self.name_of(name))),
            None => Err(problem::missing(&self.name_of(name))),
        }
    }

    /// One of these words.
    pub(crate) fn word(&mut self, name: &str, words: &[&'static str]) -> Read<Option<&'static str>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let word = words.iter().find(|word| **word == text);
        word.map(|word| Some(*word)).ok_or_else(|| problem::not_among(&self.name_of(name), words))
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Read<Option<bool>> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(problem::invalid(&self.name_of(name), &format!("Invalid boolean: {other}"))),
        }
    }

    /// A whole number that can be unset.
    pub(crate) fn integer_patch(&mut self, name: &str) -> Read<Patch<i64>> {
        match self.patch(name)? {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(text)) => {
                text.parse().map(|number| Some(Some(number))).map_err(|_| problem::integer(&self.name_of(name), &text))
            }
        }
    }

    pub(crate) fn integer(&mut self, name: &str) -> Read<Option<i64>> {
        Ok(self.integer_patch(name)?.flatten())
    }

    /// A number of at least `least`.
    pub(crate) fn at_least(&mut self, name: &str, least: i64) -> Read<Option<i64>> {
        let number = self.integer(name)?;
        if number.is_some_and(|number| number < least) {
            let message = format!("This value must be greater than or equal to {least}.");
            return Err(problem::invalid(&self.name_of(name), &message));
        }
        Ok(number)
    }

    /// The members of an object; `None` where it is not there or is empty.
    pub(crate) fn branch(&mut self, name: &str) -> Read<Option<Params>> {
        Ok(self.branch_patch(name)?.flatten())
    }

    /// The members of an object that can be unset.
    pub(crate) fn branch_patch(&mut self, name: &str) -> Read<Patch<Params>> {
        let path = self.name_of(name);
        match self.take(name) {
            None => Ok(None),
            Some(node) if node.is_empty() => Ok(Some(None)),
            Some(Node::Branch(members)) => Ok(Some(Some(Params { path, members }))),
            Some(Node::Text(_)) => Err(problem::invalid(&path, "Invalid object")),
        }
    }

    /// The entries of a list of objects, by their index; `None` where there is none, no entries where it is empty.
    pub(crate) fn branches(&mut self, name: &str) -> Read<Option<Vec<Params>>> {
        let Some(entries) = self.entries(name)? else { return Ok(None) };
        let as_branch = |(path, node): (String, Node)| match node {
            Node::Branch(members) => Ok(Params { path, members }),
            Node::Text(_) => Err(problem::invalid(&path, "Invalid object")),
        };
        entries.into_iter().map(as_branch).collect::<Read<Vec<_>>>().map(Some)
    }

    /// The texts of a list.
    pub(crate) fn texts(&mut self, name: &str) -> Read<Option<Vec<String>>> {
        let Some(entries) = self.entries(name)? else { return Ok(None) };
        let as_text = |(path, node): (String, Node)| match node {
            Node::Text(text) => Ok(text),
            Node::Branch(_) => Err(problem::invalid(&path, "Invalid string")),
        };
        entries.into_iter().map(as_text).collect::<Read<Vec<_>>>().map(Some)
    }

    fn entries(&mut self, name: &str) -> Read<Option<Vec<(String, Node)>>> {
        let path = self.name_of(name);
        let members = match self.take(name) {
            None => return Ok(None),
            Some(node) if node.is_empty() => return Ok(Some(Vec::new())),
            Some(Node::Text(_)) => return Err(problem::invalid(&path, "Invalid array")),
            Some(Node::Branch(members)) => members,
        };
        let mut entries = Vec::with_capacity(members.len());
        for (index, node) in members {
            let number: usize = index.parse().map_err(|_| problem::invalid(&path, "Invalid array"))?;
            entries.push((number, (format!("{path}[{index}]"), node)));
        }
        entries.sort_by_key(|(number, _)| *number);
        Ok(Some(entries.into_iter().map(|(_, entry)| entry).collect()))
    }

    /// Metadata: `None` inside unsets a key, `Some(None)` outside unsets all.
    ///
    /// Source: Stripe API reference, "Metadata": 50 keys of 40 characters with values of 500.
    pub(crate) fn metadata(&mut self) -> Read<Patch<Metadata>> {
        let Some(branch) = self.branch_patch("metadata")? else { return Ok(None) };
        let Some(branch) = branch else { return Ok(Some(None)) };
        let mut metadata = Metadata::new();
        for (key, node) in branch.members {
            let path = format!("{}[{key}]", branch.path);
            let Node::Text(text) = node else { return Err(problem::invalid(&path, "Invalid string")) };
            if key.chars().count() > 40 || text.chars().count() > 500 {
                let message = "Metadata keys have up to 40 characters, and values up to 500.";
                return Err(problem::invalid(&path, message));
            }
            metadata.insert(key, text);
        }
        if metadata.len() > 50 {
            return Err(problem::invalid(&branch.path, "Metadata has up to 50 keys."));
        }
        Ok(Some(Some(metadata)))
    }

    /// The metadata of something new.
    pub(crate) fn new_metadata(&mut self) -> Read<Metadata> {
        let mut metadata = self.metadata()?.flatten().unwrap_or_default();
        metadata.retain(|_, value| !value.is_empty());
        Ok(metadata)
    }

    /// Everything that is left, as pairs of a flat object.
    pub(crate) fn rest(self) -> Read<BTreeMap<String, String>> {
        let path = self.path;
        let as_pair = |(name, node): (String, Node)| match node {
            Node::Text(text) => Ok((name, text)),
            Node::Branch(_) => Err(problem::invalid(&format!("{path}[{name}]"), "Invalid string")),
        };
        self.members.into_iter().map(as_pair).collect()
    }

    /// What is kept as it was given: objects of texts, lists where all names are indexes.
    pub(crate) fn given(&mut self, name: &str) -> Patch<Value> {
        let node = self.take(name)?;
        Some((!node.is_empty()).then(|| as_json(node)))
    }
}

/// A tree as JSON. Everything that is not nested is text.
fn as_json(node: Node) -> Value {
    match node {
        Node::Text(text) => text.into(),
        Node::Branch(members) if members.iter().all(|(name, _)| name.parse::<usize>().is_ok()) => {
            members.into_iter().map(|(_, node)| as_json(node)).collect()
        }
        Node::Branch(members) => members.into_iter().map(|(name, node)| (name, as_json(node))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::*;

    fn params(encoded: &str) -> Params {
        Params::new(Form::parse(encoded.as_bytes()).tree(&Form::default()))
    }

    fn code(refusal: &Refusal) -> (&str, &str) {
        (refusal.code.unwrap_or_default(), refusal.param.as_deref().unwrap_or_default())
    }

    #[test]
    fn what_nobody_read_is_unknown() {
        let mut given = params("items[0][price]=p&items[0][colour]=red&x=1");
        let mut items = given.branches("items").unwrap().unwrap();
        assert_eq!(items[0].text("price").unwrap().as_deref(), Some("p"));
        let refusal = items.remove(0).done().unwrap_err();
        assert_eq!(code(&refusal), ("parameter_unknown", "items[0][colour]"));
        assert_eq!(code(&given.done().unwrap_err()), ("parameter_unknown", "x"));
    }

    #[test]
    fn an_empty_value_unsets_and_wrong_ones_are_named() {
        let mut given = params("a=&b=x&metadata[k]=&c=2&m[1]=y&m[0]=x");
        assert_eq!(given.patch("a").unwrap(), Some(None));
        assert_eq!(given.patch("z").unwrap(), None);
        assert_eq!(code(&given.integer("b").unwrap_err()), ("parameter_invalid_integer", "b"));
        assert_eq!(given.metadata().unwrap(), Some(Some(Metadata::from([("k".into(), String::new())]))));
        assert_eq!(code(&given.required("q").unwrap_err()), ("parameter_missing", "q"));
        assert_eq!(given.integer("c").unwrap(), Some(2));
        assert_eq!(given.texts("m").unwrap().unwrap(), ["x", "y"]);
    }
}
