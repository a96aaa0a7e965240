//! Walking a document: where we are in it, what is wrong so far.

use std::borrow::Cow;
use std::fmt::Write;

use poem_openapi::types::Type;

use crate::json::Json;
use crate::problem::{FieldProblem, Place, Problem};

/// A type that a strict body can hold. Its schema is what [`Type`] says, and it accepts nothing else.
pub(crate) trait FromJson: Type + Sized {
    /// The value, or `None` after saying to `reader` what is wrong.
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Self>;

    /// What a missing field of this type is.
    fn absent(reader: &mut Reader) -> Option<Self> {
        reader.fail("required", "This field is required.")
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Self> {
        match json {
            Json::Null => Some(None),
            json => T::from_json(json, reader).map(Some),
        }
    }

    fn absent(_reader: &mut Reader) -> Option<Self> {
        Some(None)
    }
}

/// One step from a value to one inside it.
#[derive(Debug, Clone)]
enum Step {
    Field(Cow<'static, str>),
    Item(usize),
}

/// The way to where we are, and all that was wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: Vec<Step>,
    problems: Vec<FieldProblem>,
}

impl Reader {
    /// Notes that the value we are at breaks a rule.
    pub(crate) fn fail<T>(&mut self, code: &'static str, detail: impl Into<String>) -> Option<T> {
        let at = Place::Pointer(self.pointer());
        self.problems.push(FieldProblem { at, code, detail: detail.into() });
        None
    }

    /// Notes that the value we are at is of another JSON type than `expected`, as in "a string".
    pub(crate) fn wrong_type<T>(&mut self, expected: &str, json: &Json<'_>) -> Option<T> {
        self.fail("wrong_type", format!("This must be {expected}, not {}.", json.described()))
    }

    /// Goes to a field for as long as `read` runs.
    pub(crate) fn in_field<T>(&mut self, name: impl Into<Cow<'static, str>>, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.within(Step::Field(name.into()), read)
    }

    /// Goes to an item of an array for as long as `read` runs.
    pub(crate) fn in_item<T>(&mut self, index: usize, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.within(Step::Item(index), read)
    }

    fn within<T>(&mut self, step: Step, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// The JSON Pointer of where we are.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Field(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Step::Item(index) => write!(pointer, "{index}").expect("writing to a string cannot fail"),
            }
        }
        pointer
    }

    /// The value if nothing was wrong, else the problem that names all that was.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.problems)),
        }
    }
}

/// The members of an object, taken out one by one; what is left at the end is unknown.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Option<Json<'a>>)>);

impl<'a> Members<'a> {
    /// The members of a value that must be an object.
    pub(crate) fn of(json: Json<'a>, reader: &mut Reader) -> Option<Members<'a>> {
        match json {
            Json::Object(members) => {
                Some(Members(members.into_iter().map(|(name, json)| (name, Some(json))).collect()))
            }
            other => reader.wrong_type("an object", &other),
        }
    }

    /// Reads one field.
    pub(crate) fn take<T: FromJson>(&mut self, name: &'static str, reader: &mut Reader) -> Option<T> {
        let found = self.0.iter_mut().find(|(key, _)| key == name).and_then(|(_, json)| json.take());
        reader.in_field(name, |reader| match found {
            Some(json) => T::from_json(json, reader),
            None => T::absent(reader),
        })
    }

    /// Refuses what no field took: unknown names, and repetitions of known ones.
    pub(crate) fn finish(self, known: &[&'static str], reader: &mut Reader) {
        for (name, _) in self.0.into_iter().filter(|(_, json)| json.is_some()) {
            let is_known = known.contains(&name.as_ref());
            reader.in_field(name.into_owned(), |reader| match is_known {
                true => reader.fail::<()>("duplicate_field", "This field is given more than once."),
                false => {
                    reader.fail("unknown_field", format!("There is no such field; there are {}.", known.join(", ")))
                }
            });
        }
    }
}
