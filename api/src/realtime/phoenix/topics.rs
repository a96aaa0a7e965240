//! Which topics there are: who may join each, which events of the log it follows, by which names and in which shape they are pushed.
//!
//! The map is configuration, so that a front end that knows other names than ours needs no change: a file of JSON, read once at the
//! start. Without one, the topics are those of `topics/default.json`.

mod pattern;
mod shape;

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::access::scope::Scope;
use domain::events::log::LoggedEvent;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) use pattern::Pattern;
use shape::Shape;

/// The topics without a file.
const DEFAULT: &str = include_str!("topics/default.json");

/// Stands for the name that an event has in the log.
const OWN_NAME: &str = "*";

/// The topics that clients may join.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicMap(Vec<Topic>);

/// Topics of one pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Topic {
    pub(super) pattern: Pattern,
    /// Any of them.
    pub(super) who: Vec<Who>,
    /// What a token must allow besides.
    pub(super) scopes: Vec<Scope>,
    pub(super) has_presence: bool,
    follows: Vec<Pattern>,
    /// What is pushed of it, by the kind of event or as `transaction.*`; empty: every event, by its own name.
    events: BTreeMap<String, Push>,
    shape: Shape,
}

/// Who may join, if the token has the scopes that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    /// The user whose id it is, and staff.
    Owner,
    /// Whoever may see the transaction whose id it is.
    Transaction,
    /// Whoever may see the job whose id it is.
    Job,
    /// Operators and administrators.
    Staff,
    /// Every caller with a token.
    Anyone,
}

/// How an event is pushed.
#[derive(Debug, Clone, PartialEq)]
struct Push {
    event: String,
    shape: Shape,
}

impl Default for TopicMap {
    fn default() -> TopicMap {
        DEFAULT.parse().expect("a test holds the default map")
    }
}

impl TopicMap {
    /// The topics of this name, and the id in the name.
    pub(super) fn find<'a, 't>(&'a self, name: &'t str) -> Option<(&'a Topic, &'t str)> {
        self.0.iter().find_map(|topic| topic.pattern.id_in(name).map(|id| (topic, id)))
    }

    /// Every topic of clients that an event belongs to which the log has under this topic.
    pub(super) fn followers(&self, log_topic: &str) -> impl Iterator<Item = (&Topic, String)> {
        self.0.iter().flat_map(move |topic| {
            let ids = topic.follows.iter().filter_map(move |pattern| pattern.id_in(log_topic));
            ids.map(move |id| (topic, topic.pattern.with(id)))
        })
    }
}

impl Topic {
    /// The topics of the log that a topic with this id follows.
    pub(super) fn log_topics(&self, id: &str) -> Vec<String> {
        self.follows.iter().map(|pattern| pattern.with(id)).collect()
    }

    /// The name and the payload by which clients are told of an event; none if this topic does not tell of its kind.
    pub(super) fn render<'a>(&'a self, event: &'a LoggedEvent) -> Option<(&'a str, Box<RawValue>)> {
        if self.events.is_empty() {
            return Some((&event.kind, self.shape.render(event)));
        }
        let of_all = || self.events.get(&format!("{}.*", event.kind.split('.').next()?));
        let push = self.events.get(&event.kind).or_else(of_all)?;
        let name = if push.event == OWN_NAME { &event.kind } else { &push.event };
        Some((name, push.shape.render(event)))
    }
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    topics: Vec<WrittenTopic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTopic {
    topic: String,
    who: Whoever,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    follows: Vec<String>,
    #[serde(default)]
    presence: bool,
    payload: Option<Value>,
    #[serde(default)]
    events: BTreeMap<String, WrittenPush>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Whoever {
    One(Who),
    Any(Vec<Who>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPush {
    Named(String),
    Shaped { event: String, payload: Option<Value> },
}

impl FromStr for TopicMap {
    type Err = String;

    fn from_str(text: &str) -> Result<TopicMap, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut topics: Vec<Topic> = Vec::new();
        for written in written.topics {
            let name = written.topic.clone();
            let topic = Topic::try_from(written).map_err(|error| format!("topic {name}: {error}"))?;
            if topics.iter().any(|other| other.pattern.overlaps(&topic.pattern)) {
                return Err(format!("topic {name}: another one matches the same names"));
            }
            topics.push(topic);
        }
        Ok(TopicMap(topics))
    }
}

impl TryFrom<WrittenTopic> for Topic {
    type Error = String;

    fn try_from(written: WrittenTopic) -> Result<Topic, String> {
        let pattern: Pattern = written.topic.parse()?;
        if pattern.takes_phoenix() {
            return Err("`phoenix` is the protocol's own".to_owned());
        }
        let scope = |name: &String| Scope::parse(name).ok_or(format!("there is no scope {name}"));
        let scopes = written.scopes.iter().map(scope).collect::<Result<_, String>>()?;
        let follows = written.follows.iter().map(|text| text.parse()).collect::<Result<Vec<Pattern>, String>>()?;
        let who = match written.who {
            Whoever::One(who) => vec![who],
            Whoever::Any(who) => who,
        };
        may_follow(&who, &pattern, &follows)?;
        let shape = Shape::of(written.payload)?;
        let push = |(kind, written): (String, WrittenPush)| {
            let (event, payload) = match written {
                WrittenPush::Named(event) => (event, None),
                WrittenPush::Shaped { event, payload } => (event, payload),
            };
            let own = payload.map(|payload| Shape::of(Some(payload))).transpose()?;
            Ok((kind, Push { event, shape: own.unwrap_or_else(|| shape.clone()) }))
        };
        let events = written.events.into_iter().map(push).collect::<Result<_, String>>()?;
        Ok(Topic { pattern, who, scopes, has_presence: written.presence, follows, events, shape })
    }
}

/// Refuses a map by which somebody would be told of what is not theirs.
fn may_follow(who: &[Who], pattern: &Pattern, follows: &[Pattern]) -> Result<(), String> {
    let has = |some: &[Who]| who.iter().any(|who| some.contains(who));
    if who.is_empty() {
        return Err("nobody may join it".to_owned());
    }
    if has(&[Who::Owner, Who::Transaction, Who::Job]) && !pattern.has_id() {
        return Err("whose it is stands in its name, which has to end in {id}".to_owned());
    }
    if has(&[Who::Anyone]) && !follows.is_empty() {
        return Err("what anyone may join follows nothing of the log".to_owned());
    }
    match follows.iter().find(|follow| pattern.has_id() && !follow.has_id()) {
        Some(follow) => Err(format!("it cannot follow {follow}, which has no {{id}}")),
        None => Ok(()),
    }
}

/// An event for the topic `transactions:7`.
#[cfg(test)]
pub(super) fn sample(kind: &str, payload: &str) -> LoggedEvent {
    LoggedEvent {
        position: domain::events::Position { seq: 3, event: 1 },
        book: ledger::Book::MAIN,
        kind: kind.to_owned(),
        topics: vec!["transactions:7".to_owned()],
        payload: payload.to_owned(),
        at: chrono::DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(topic: &str) -> String {
        format!(r#"{{"topics": [{topic}]}}"#).parse::<TopicMap>().unwrap_err()
    }

    #[test]
    fn the_default_map_has_the_topics_of_the_design() {
        let map = TopicMap::default();
        for (name, who, id) in [
            ("user:7", vec![Who::Owner], "7"),
            ("transactions:7", vec![Who::Owner, Who::Transaction], "7"),
            ("ledger", vec![Who::Staff], ""),
            ("jobs:7", vec![Who::Job], "7"),
        ] {
            let (topic, found) = map.find(name).unwrap();
            assert_eq!((topic.who.clone(), found), (who, id), "{name}");
        }
        for unknown in ["", "users:7", "user:", "user", "ledger:1", "phoenix"] {
            assert!(map.find(unknown).is_none(), "{unknown}");
        }
        let followers: Vec<String> = map.followers("transactions:7").map(|(_, name)| name).collect();
        assert_eq!(followers, ["transactions:7"]);
    }

    #[test]
    fn names_of_another_front_end_are_a_matter_of_the_file() {
        let map: TopicMap = r#"{"topics": [{"topic": "orders:{id}", "who": "owner", "scopes": ["transactions:read"],
            "follows": ["transactions:{id}"], "events": {"transaction.recorded": {"event": "done",
            "payload": {"orderId": "$data.transaction_id", "of": "$type", "price": "$$5", "deep": ["$id", "$data.no"]}}, "wallet.*": "*"}}]}"#
            .parse()
            .unwrap();
        let event = sample("transaction.recorded", r#"{"transaction_id":"t1"}"#);
        let (topic, _) = map.followers("transactions:7").next().unwrap();
        let (name, payload) = topic.render(&event).unwrap();
        assert_eq!(name, "done");
        let wanted = r#"{"deep":["3-1",null],"of":"transaction.recorded","orderId":"t1","price":"$5"}"#;
        assert_eq!(payload.get(), wanted);
        assert!(topic.render(&sample("transaction.rejected", "{}")).is_none(), "only what is named");
        let (name, payload) =
            topic.render(&sample("wallet.opened", "{}")).map(|(name, payload)| (name.to_owned(), payload)).unwrap();
        let envelope = r#"{"id":"3-1","type":"wallet.opened","at":"1970-01-01T00:00:00Z","data":{}}"#;
        assert_eq!((name.as_str(), payload.get()), ("wallet.opened", envelope));
    }

    #[test]
    fn a_map_that_would_tell_others_is_refused() {
        for (topic, why) in [
            (r#"{"topic": "a", "who": "owner"}"#, "has to end in {id}"),
            (r#"{"topic": "a", "who": "anyone", "follows": ["ledger"]}"#, "follows nothing"),
            (r#"{"topic": "a:{id}", "who": "owner", "follows": ["ledger"]}"#, "has no {id}"),
            (r#"{"topic": "a:{id}:b", "who": "owner"}"#, "at its end"),
            (r#"{"topic": "a", "who": "staff", "scopes": ["all"]}"#, "no scope all"),
            (r#"{"topic": "phoenix", "who": "staff"}"#, "protocol's own"),
            (r#"{"topic": "a", "who": "staff"}, {"topic": "a", "who": "staff"}"#, "same names"),
            (r#"{"topic": "a", "who": "staff", "payload": "xml"}"#, "payload"),
            (r#"{"topic": "a", "who": "staff", "payload": {"x": "$date"}}"#, "$date"),
            (r#"{"topic": "a", "who": "staff", "more": 1}"#, "unknown field"),
        ] {
            let refusal = refusal(topic);
            assert!(refusal.contains(why), "{topic}: {refusal}");
        }
    }
}
