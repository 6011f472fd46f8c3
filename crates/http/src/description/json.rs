//! JSON whose members stay in the order in which they were written: a description is read by people too.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};

/// Characters of a line.
const LINE: usize = 120;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Whole(i64),
    Text(Cow<'static, str>),
    List(Vec<Self>),
    Object(Members),
}

/// The members of an object, in their order.
pub(crate) type Members = Vec<(Cow<'static, str>, Json)>;

impl Json {
    /// An object with these members.
    pub(crate) fn object<Name: Into<Cow<'static, str>>>(members: impl IntoIterator<Item = (Name, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// A list of texts.
    pub(crate) fn texts(texts: impl IntoIterator<Item = &'static str>) -> Self {
        Self::List(texts.into_iter().map(Self::from).collect())
    }

    /// Reads what is written in the code.
    ///
    /// # Panics
    /// When it is no JSON: a test reads all of it.
    pub(crate) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// With line breaks, for people: what fits into a line is on one.
    pub(crate) fn pretty(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, depth: usize) {
        let flat = self.flat();
        let begin = |text: &mut String, depth: usize| {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", depth));
        };
        let line = text.rsplit('\n').next().map_or(0, str::len);
        match self {
            _ if line + flat.len() <= LINE => text.push_str(&flat),
            Self::List(entries) => {
                text.push('[');
                let mut room = 0;
                for (place, entry) in entries.iter().enumerate() {
                    text.push_str(if place > 0 { "," } else { "" });
                    // Words stand beside each other.
                    let word = if let Self::Text(word) = entry { word.len() + 4 } else { LINE };
                    if word > room {
                        begin(text, depth + 1);
                        room = LINE.saturating_sub(2 * (depth + 1));
                    } else {
                        text.push(' ');
                    }
                    room = room.saturating_sub(word);
                    entry.write(text, depth + 1);
                }
                begin(text, depth);
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    text.push_str(if place > 0 { "," } else { "" });
                    begin(text, depth + 1);
                    text.push_str(&Self::from(name.to_string()).flat());
                    text.push_str(": ");
                    value.write(text, depth + 1);
                }
                begin(text, depth);
                text.push('}');
            }
            Self::Null | Self::Bool(_) | Self::Whole(_) | Self::Text(_) => text.push_str(&flat),
        }
    }

    fn flat(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers have a JSON form")
    }
}

impl From<&'static str> for Json {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Json {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(entries) => serializer.collect_seq(entries),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Json, E> {
        Ok(Json::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Whole(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
        number.try_into().map(Json::Whole).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Members::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            members.push((name.into(), value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn members_stay_in_their_order() {
        let text = r#"{"b":[1,-2,null,true],"a":{"z":"ü","y":{}}}"#;
        assert_eq!(serde_json::to_string(&Json::of(text)).unwrap(), text);
    }
}
