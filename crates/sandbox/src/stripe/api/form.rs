//! The form encoding of requests: `a[b][c]=1`, lists as `a[]=1` or `a[0]=1`.
//!
//! Brackets may be percent-encoded or not. A branch keeps its members in the order in which they came.
//!
//! Source: Stripe API reference, "Request bodies"; what the official Node client and curl send.

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    /// Members of an object, or of a list by their index.
    Branch(Vec<(String, Node)>),
}

impl Node {
    /// Whether it says that something is to be unset.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Node::Text(text) if text.is_empty())
    }

    fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Text(_) => None,
            Node::Branch(members) => members.iter().find(|(known, _)| known == name).map(|(_, node)| node),
        }
    }
}

/// The decoded pairs of a form or a query, and what they mean together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self { pairs: url::form_urlencoded::parse(encoded).into_owned().collect() }
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The members of both forms as one tree; the second one wins where both name something.
    pub(crate) fn tree(&self, and: &Form) -> Vec<(String, Node)> {
        let mut root = Vec::new();
        for (name, value) in self.pairs.iter().chain(&and.pairs) {
            insert(&mut root, &segments(name), value);
        }
        root
    }
}

/// `a[b][]` as `a`, `b` and an empty text. A name that is not well formed is one segment.
fn segments(name: &str) -> Vec<&str> {
    let whole = || vec![name];
    let Some((first, rest)) = name.split_once('[') else { return whole() };
    let Some(rest) = rest.strip_suffix(']') else { return whole() };
    if first.is_empty() {
        return whole();
    }
    let mut segments = vec![first];
    segments.extend(rest.split("]["));
    segments
}

fn insert(members: &mut Vec<(String, Node)>, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else { return };
    let name = if first.is_empty() { next_index(members, rest) } else { (*first).to_owned() };
    let position = members.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
        members.push((name, Node::Text(String::new())));
        members.len() - 1
    });
    let node = &mut members[position].1;
    if rest.is_empty() {
        *node = Node::Text(value.to_owned());
        return;
    }
    if let Node::Text(_) = node {
        *node = Node::Branch(Vec::new());
    }
    if let Node::Branch(members) = node {
        insert(members, rest, value);
    }
}

/// Where `[]` points: behind the last entry, or to it where it does not have that member yet.
///
/// `a[][x]=1&a[][y]=2&a[][x]=3` are two entries.
fn next_index(members: &[(String, Node)], rest: &[&str]) -> String {
    let open = members.last().filter(|(_, last)| {
        let mut at = Some(last);
        for segment in rest {
            at = at.and_then(|node| node.get(segment));
        }
        !rest.is_empty() && at.is_none()
    });
    open.map_or_else(|| members.len().to_string(), |(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(encoded: &str) -> Vec<(String, Node)> {
        Form::parse(encoded.as_bytes()).tree(&Form::default())
    }

    fn text(value: &str) -> Node {
        Node::Text(value.into())
    }

    fn branch(members: &[(&str, Node)]) -> Node {
        Node::Branch(members.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect())
    }

    #[test]
    fn brackets_are_members_and_indexes() {
        let expected = vec![
            ("a".to_owned(), branch(&[("b", branch(&[("c", text("1"))])), ("d", text(""))])),
            ("e".to_owned(), branch(&[("0", text("x")), ("1", text("y"))])),
        ];
        assert_eq!(tree("a[b][c]=1&a[d]=&e[0]=x&e[1]=y"), expected);
        assert_eq!(tree("a%5Bb%5D%5Bc%5D=1&a%5Bd%5D=&e%5B%5D=x&e%5B%5D=y"), expected);
    }

    #[test]
    fn a_repeated_member_begins_the_next_entry() {
        let entry = |price, quantity| branch(&[("price", text(price)), ("quantity", text(quantity))]);
        let expected = vec![("items".to_owned(), branch(&[("0", entry("p", "1")), ("1", entry("q", "2"))]))];
        assert_eq!(tree("items[][price]=p&items[][quantity]=1&items[][price]=q&items[][quantity]=2"), expected);
    }

    #[test]
    fn the_last_one_wins_and_odd_names_stay_whole() {
        assert_eq!(tree("a=1&a=2"), vec![("a".to_owned(), text("2"))]);
        assert_eq!(tree("a[b=1&[c]=2"), vec![("a[b".to_owned(), text("1")), ("[c]".to_owned(), text("2"))]);
        assert_eq!(tree("a=&a[b]=1"), vec![("a".to_owned(), branch(&[("b", text("1"))]))]);
    }
}
