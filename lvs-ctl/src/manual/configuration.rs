//! `lvs.toml(5)`: every key that the schema has, in its words.

use serde_json::{Map, Value};

use super::page::{Page, Writer};

/// Kept equal to the code by a test of its own.
const SCHEMA: &str = include_str!("../../../docs/lvs.schema.json");

/// When a change of what stands in the file takes effect.
const RELOAD: &str = "With a reload.";
const START: &str = "At the next start of the controller; a reload says so.";
const DETACH: &str = "After `lvs-ctl detach` and a new start; a reload says so.";

/// The same for each key at the top, in the order of the page.
const KEYS: &[(&str, &str)] = &[
    ("interfaces", START),
    ("mode", START),
    ("connections", DETACH),
    ("connections6", DETACH),
    ("state", START),
    ("state_dir", START),
    ("socket", START),
    ("api", START),
    ("metrics", START),
    ("health", START),
    ("hook", RELOAD),
    ("timeouts", RELOAD),
    ("tunables", RELOAD),
    ("mark", RELOAD),
    ("service", RELOAD),
];

const EXAMPLE: &str = "\
interfaces = [\"eth0\"]

[[service]]
listen = \"tcp:192.0.2.1:80\"
scheduler = \"wrr\"
persistent = 300

[[service.backend]]
address = \"10.0.0.11:8080\"
method = \"nat\"
weight = 3
";

/// A reader of the schema.
struct Schema {
    root: Value,
}

/// What a value is, once references are followed.
enum Kind<'a> {
    /// A value of its own.
    Plain(String),
    /// One of these words, each with its meaning, if it has one.
    Words(Vec<(&'a str, &'a str)>),
    /// A table with these keys.
    Table(&'a Map<String, Value>),
    /// Tables, one after the other.
    Tables(&'a Map<String, Value>),
}

/// The page.
pub(super) fn page() -> Page {
    let schema = Schema { root: serde_json::from_str(SCHEMA).unwrap_or_default() };
    let mut page = Writer::new("lvs.toml", "5", "the configuration of lvs-ctl");
    page.section("SYNOPSIS").paragraph("`/etc/lvs/lvs.toml`, or what `lvs-ctl run --config` names");
    page.section("DESCRIPTION").paragraph(
        "A TOML file with interfaces, tunables, services and real servers of a Linux Virtual Server \
         director. `lvs-ctl run` applies it when it starts; `lvs-ctl reload` applies what was \
         changed in it, and nothing else. A file with a mistake changes nothing: line, column and \
         key are named. `lvs-ctl apply --plan` shows what a reload would change.",
    );
    page.paragraph(
        "The file owns the services and marks that it declares; those made by commands are left \
         alone. A command line goes before the file. Everything may be left out.",
    );
    page.section("KEYS");
    let root = schema.root["properties"].as_object();
    let top = |key: &str| root.and_then(|root| root.get(key));
    let known = KEYS.iter().filter_map(|(key, when)| Some((*key, *when, top(key)?)));
    let (tables, plain): (Vec<_>, Vec<_>) = known
        .partition(|(_, _, value)| matches!(schema.kind(value), Kind::Table(_) | Kind::Tables(_)));
    for (key, when, value) in plain {
        schema.key(key, value, when, &mut page);
    }
    for (key, when, value) in tables {
        schema.table(key, value, when, &mut page);
    }
    page.section("EXAMPLE").lines(EXAMPLE);
    page.section("FILES")
        .term("`/usr/share/doc/lvs-ctl/examples/lvs.toml`", "An example with every setting.")
        .term("`/usr/share/lvs-ctl/lvs.schema.json`", "The JSON schema, for editors.");
    page.section("SEE ALSO").paragraph("`lvs-ctl`(8), `lvs-ctl-apply`(8), `lvs-ctl-reload`(8)");
    page.page()
}

impl Schema {
    /// A section for a table, and those for the tables in it.
    fn table(&self, name: &str, value: &Value, when: &str, page: &mut Writer) {
        let (title, keys) = match self.kind(value) {
            Kind::Table(keys) => (format!("[{name}]"), keys),
            Kind::Tables(keys) => (format!("[[{name}]]"), keys),
            Kind::Plain(_) | Kind::Words(_) => return,
        };
        page.section(&title).paragraph(&format!("{} {when}", description(value)));
        let is_table = |value: &Value| matches!(self.kind(value), Kind::Table(_) | Kind::Tables(_));
        let inner: Vec<_> = keys.iter().filter(|(_, value)| is_table(value)).collect();
        for (key, value) in keys.iter().filter(|entry| !inner.contains(entry)) {
            self.key(key, value, "", page);
        }
        for (key, value) in inner {
            self.table(&format!("{name}.{key}"), value, when, page);
        }
        // What is a word or a table is the same wherever it stands: it is told once.
        let choices = keys.iter().filter(|_| !name.contains('.'));
        for (key, value) in choices.filter_map(|(key, value)| Some((key, self.choice(value)?))) {
            self.table(&format!("{name}.{key}"), value, when, page);
        }
    }

    /// The table that may stand there instead of a word.
    fn choice<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        let choices = self.followed(value)["anyOf"].as_array()?;
        choices.iter().find(|it| matches!(self.kind(it), Kind::Table(_)))
    }

    fn key(&self, key: &str, value: &Value, when: &str, page: &mut Writer) {
        let about = format!("{} {when}", description(value));
        match self.kind(value) {
            Kind::Words(words) => {
                let list: Vec<_> = words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
                let meant = words.iter().filter(|(_, meaning)| !meaning.is_empty());
                let meant: Vec<_> = meant
                    .map(|(word, meaning)| format!("{word}: {}", meaning.trim_end_matches('.')))
                    .collect();
                let meant = if meant.is_empty() { String::new() } else { meant.join(". ") + "." };
                let text = format!("{} {meant}", about.trim());
                page.term(&format!("`{key}` = {}", list.join(" | ")), text.trim());
            }
            Kind::Plain(what) => {
                page.term(&format!("`{key}` = {what}"), about.trim());
            }
            Kind::Table(_) | Kind::Tables(_) => {}
        }
    }

    fn kind<'a>(&'a self, value: &'a Value) -> Kind<'a> {
        let value = self.followed(value);
        if let Some(keys) = value["properties"].as_object() {
            return Kind::Table(keys);
        }
        if let Some(words) = value["enum"].as_array() {
            return Kind::Words(words.iter().filter_map(|it| Some((it.as_str()?, ""))).collect());
        }
        if let Some(words) = value["oneOf"].as_array() {
            let word = |it: &'a Value| Some((it["const"].as_str()?, description(it)));
            return Kind::Words(words.iter().filter_map(word).collect());
        }
        match (type_of(value), self.kind_of_items(value)) {
            ("array", Some(Kind::Table(keys))) => Kind::Tables(keys),
            ("array", Some(Kind::Words(words))) => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                Kind::Plain(format!("[{}]", words.join(" | ")))
            }
            ("array", _) => Kind::Plain("[STRING, ...]".into()),
            ("boolean", _) => Kind::Plain("true | false".into()),
            ("integer", _) => Kind::Plain(range(value)),
            _ if self.choice(value).is_some() => Kind::Plain("STRING | TABLE | [..., ...]".into()),
            _ if value["anyOf"].is_array() => Kind::Plain("STRING | NUMBER".into()),
            _ => Kind::Plain("STRING".into()),
        }
    }

    fn kind_of_items<'a>(&'a self, value: &'a Value) -> Option<Kind<'a>> {
        value.get("items").map(|items| self.kind(items))
    }

    /// What a reference refers to, and what something is that may be left out.
    fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        if let Some(reference) = value["$ref"].as_str() {
            let found = self.root.pointer(reference.trim_start_matches('#'));
            return found.map_or(value, |found| self.followed(found));
        }
        let choices = value["anyOf"].as_array().into_iter().flatten();
        let mut choices = choices.filter(|it| it["type"] != "null");
        match (choices.next(), choices.next()) {
            (Some(one), None) => self.followed(one),
            _ => value,
        }
    }
}

fn description(value: &Value) -> &str {
    value["description"].as_str().unwrap_or_default()
}

/// The type, beside null.
fn type_of(value: &Value) -> &str {
    match &value["type"] {
        Value::String(name) => name,
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|it| *it != "null").unwrap_or_default()
        }
        _ => "",
    }
}

fn range(value: &Value) -> String {
    match (value["minimum"].as_i64(), value["maximum"].as_i64()) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        _ => "NUMBER".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn schema() -> Schema {
        Schema { root: serde_json::from_str(SCHEMA).unwrap() }
    }

    #[test]
    fn the_page_has_every_key_of_the_schema_and_no_other() {
        let schema = schema();
        let keys = schema.root["properties"].as_object().unwrap();
        let mut known: Vec<_> = KEYS.iter().map(|(key, _)| *key).collect();
        known.sort_unstable();
        assert_eq!(known, keys.keys().collect::<Vec<_>>());
        let text = page().text;
        let mut tables = vec![keys];
        let definitions = schema.root["$defs"].as_object().unwrap().values();
        tables.extend(definitions.filter_map(|it| it["properties"].as_object()));
        for (key, value) in tables.into_iter().flatten() {
            let shown = match schema.kind(value) {
                Kind::Table(_) => format!("{key}]\n"),
                Kind::Tables(_) => format!("{key}]]\n"),
                Kind::Plain(_) | Kind::Words(_) => format!("\\fB{key}\\fR = "),
            };
            assert!(text.contains(&shown), "{shown} is not in {text}");
        }
        for words in [
            "\\fBmode\\fR = \\fB\"auto\"\\fR | \\fB\"native\"\\fR | \\fB\"generic\"\\fR\n",
            "\\fBconnections\\fR = 1 to 134217728\n",
            ".SH [[service.backend]]\n",
        ] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
    }

    #[test]
    fn the_table_in_the_docs_says_of_every_key_when_it_takes_effect() {
        let docs = include_str!("../../../docs/configuration.md");
        let rows: Vec<_> = docs.lines().filter(|line| line.starts_with('|')).collect();
        for (key, when) in KEYS {
            let named = [format!("`{key}`"), format!("`{key}."), format!("[{key}]")];
            let row = rows.iter().find(|row| named.iter().any(|name| row.contains(name)));
            let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for {key}"));
            let words = match *when {
                RELOAD => "| with a reload |",
                START => "| at the next start |",
                _ => "| after `lvs-ctl detach` and a new start |",
            };
            assert!(row.ends_with(words), "{row}");
        }
    }

    #[test]
    fn the_example_is_a_configuration() {
        Config::parse("lvs.toml", EXAMPLE.to_owned()).unwrap();
    }
}
