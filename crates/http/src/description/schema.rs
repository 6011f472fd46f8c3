//! What a value looks like, as plain data: written as JSON Schema (2020-12), and shown to people.

use super::json::{Json, Members};

/// What a value looks like.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    /// A sentence, or nothing.
    pub(crate) says: &'static str,
    /// Whether it may be null too.
    pub(crate) nullable: bool,
    /// One that is possible, as JSON.
    pub(crate) example: Option<&'static str>,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Any,
    Text {
        format: Option<&'static str>,
        longest: Option<usize>,
    },
    Words(Vec<&'static str>),
    Whole {
        least: Option<i64>,
        most: Option<i64>,
    },
    Bool,
    List {
        of: Box<Schema>,
        most: Option<usize>,
    },
    Object {
        members: Vec<Member>,
        open: bool,
    },
    /// Names of somebody's own, each with a value.
    Map(Box<Schema>),
    OneOf(Vec<Schema>),
    /// A component of this name.
    Named(&'static str),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) schema: Schema,
    /// Whether it is always there.
    pub(crate) always: bool,
}

impl Schema {
    fn new(kind: Kind) -> Self {
        Self { kind, says: "", nullable: false, example: None }
    }

    /// With a sentence about it.
    pub(crate) fn says(mut self, sentence: &'static str) -> Self {
        self.says = sentence;
        self
    }

    /// Null too.
    pub(crate) fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// With one that is possible, as JSON.
    pub(crate) fn example(mut self, json: &'static str) -> Self {
        self.example = Some(json);
        self
    }

    /// A text of at most so many characters.
    pub(crate) fn up_to(mut self, characters: usize) -> Self {
        match &mut self.kind {
            Kind::Text { longest, .. } => *longest = Some(characters),
            Kind::List { most, .. } => *most = Some(characters),
            _ => unreachable!("only texts and lists have a length"),
        }
        self
    }

    /// A member that is always there.
    pub(crate) fn has(self, name: &'static str, schema: Self) -> Self {
        self.member(Member { name, schema, always: true })
    }

    /// A member that may be left out.
    pub(crate) fn may_have(self, name: &'static str, schema: Self) -> Self {
        self.member(Member { name, schema, always: false })
    }

    fn member(mut self, member: Member) -> Self {
        match &mut self.kind {
            Kind::Object { members, .. } => members.push(member),
            _ => unreachable!("only objects have members"),
        }
        self
    }

    /// The same as JSON Schema.
    pub(crate) fn json(&self) -> Json {
        let mut members = match (&self.kind, self.nullable) {
            (Kind::Named(name), false) => vec![("$ref".into(), reference(name))],
            (Kind::Named(_) | Kind::OneOf(_), true) => {
                let one = Self { says: "", nullable: false, example: None, ..self.clone() };
                let null = Json::object([("type", Json::from("null"))]);
                let choices = match one.kind {
                    Kind::OneOf(some) => some.iter().map(Self::json).chain([null]).collect(),
                    _ => vec![one.json(), null],
                };
                vec![("anyOf".into(), Json::List(choices))]
            }
            (kind, nullable) => kind.members(nullable),
        };
        if !self.says.is_empty() {
            members.push(("description".into(), self.says.into()));
        }
        if let Some(example) = self.example {
            members.push(("examples".into(), Json::List(vec![Json::of(example)])));
        }
        Json::Object(members)
    }
}

impl Kind {
    fn members(&self, nullable: bool) -> Members {
        let kind = |name: &'static str| -> Json { if nullable { Json::texts([name, "null"]) } else { name.into() } };
        let mut members = Members::new();
        let mut put = |name: &'static str, value: Json| members.push((name.into(), value));
        match self {
            Self::Any => {}
            Self::Text { format, longest } => {
                put("type", kind("string"));
                if let Some(format) = format {
                    put("format", (*format).into());
                }
                if let Some(longest) = longest {
                    put("maxLength", number(*longest));
                }
            }
            Self::Words(words) => {
                put("type", kind("string"));
                let null = nullable.then_some(Json::Null);
                put("enum", Json::List(words.iter().map(|word| Json::from(*word)).chain(null).collect()));
            }
            Self::Whole { least, most } => {
                put("type", kind("integer"));
                if let Some(least) = least {
                    put("minimum", (*least).into());
                }
                if let Some(most) = most {
                    put("maximum", (*most).into());
                }
            }
            Self::Bool => put("type", kind("boolean")),
            Self::List { of, most } => {
                put("type", kind("array"));
                put("items", of.json());
                if let Some(most) = most {
                    put("maxItems", number(*most));
                }
            }
            Self::Map(of) => {
                put("type", kind("object"));
                put("additionalProperties", of.json());
            }
            Self::Object { members, open } => {
                put("type", kind("object"));
                let always: Vec<_> = members.iter().filter(|member| member.always).map(|member| member.name).collect();
                if !always.is_empty() {
                    put("required", Json::texts(always));
                }
                if !members.is_empty() {
                    put("properties", Json::object(members.iter().map(|member| (member.name, member.schema.json()))));
                }
                if !open {
                    put("additionalProperties", false.into());
                }
            }
            Self::OneOf(some) => put("anyOf", Json::List(some.iter().map(Schema::json).collect())),
            Self::Named(name) => put("$ref", reference(name)),
        }
        members
    }
}

fn reference(name: &str) -> Json {
    format!("#/components/schemas/{name}").into()
}

fn number(count: usize) -> Json {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

/// Anything.
pub(crate) fn any() -> Schema {
    Schema::new(Kind::Any)
}

/// A text.
pub(crate) fn text() -> Schema {
    Schema::new(Kind::Text { format: None, longest: None })
}

/// An instant, RFC 3339.
pub(crate) fn instant() -> Schema {
    Schema::new(Kind::Text { format: Some("date-time"), longest: None })
}

/// One of a few words.
pub(crate) fn words(words: impl IntoIterator<Item = &'static str>) -> Schema {
    Schema::new(Kind::Words(words.into_iter().collect()))
}

/// A whole number.
pub(crate) fn whole() -> Schema {
    Schema::new(Kind::Whole { least: None, most: None })
}

/// A whole number of at least this.
pub(crate) fn from(least: i64) -> Schema {
    Schema::new(Kind::Whole { least: Some(least), most: None })
}

/// A whole number in a range.
pub(crate) fn between(least: i64, most: i64) -> Schema {
    Schema::new(Kind::Whole { least: Some(least), most: Some(most) })
}

/// True or false.
pub(crate) fn yes_or_no() -> Schema {
    Schema::new(Kind::Bool)
}

/// A list.
pub(crate) fn list(of: Schema) -> Schema {
    Schema::new(Kind::List { of: Box::new(of), most: None })
}

/// An object of ours: what it has is all that it has.
pub(crate) fn object() -> Schema {
    Schema::new(Kind::Object { members: Vec::new(), open: false })
}

/// An object of somebody else: it may have more than is said here.
pub(crate) fn open_object() -> Schema {
    Schema::new(Kind::Object { members: Vec::new(), open: true })
}

/// Values by names.
pub(crate) fn map(of: Schema) -> Schema {
    Schema::new(Kind::Map(Box::new(of)))
}

/// One of several.
pub(crate) fn one_of(some: impl IntoIterator<Item = Schema>) -> Schema {
    Schema::new(Kind::OneOf(some.into_iter().collect()))
}

/// The component of this name.
pub(crate) fn named(name: &'static str) -> Schema {
    Schema::new(Kind::Named(name))
}
