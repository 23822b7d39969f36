//! The file's JSON schema, `docs/lvs.schema.json`, is made from the structs that read the file.

use std::{env, fs, path::PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Config, File, service::Mask};
use crate::model::{ENGINES, SCHEDULERS, Tunable, TunableValue, tunables::TUNABLES};

/// Set to make the published schema anew.
const BLESS: &str = "LVS_BLESS";

pub(super) fn protocol(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["tcp", "udp", "sctp"] })
}

pub(super) fn family(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["ipv4", "ipv6"] })
}

pub(super) fn scheduler(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": SCHEDULERS })
}

pub(super) fn engine(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ENGINES })
}

/// Those that there are, by name; what each takes is the program's to check.
pub(super) fn tunables(_: &mut SchemaGenerator) -> Schema {
    let number = json_schema!({ "type": "integer" });
    let two = json_schema!({
        "type": "array", "items": number, "minItems": 2, "maxItems": 2,
    });
    let tunable = |tunable: &Tunable| {
        let mut schema = match tunable.default {
            TunableValue::One(_) => number.clone(),
            TunableValue::Two(_) => two.clone(),
        };
        schema.insert("description".into(), tunable.meaning.into());
        (tunable.name.to_owned(), Value::from(schema))
    };
    let known: serde_json::Map<_, _> = TUNABLES.iter().map(tunable).collect();
    json_schema!({ "type": "object", "properties": known, "additionalProperties": false })
}

impl JsonSchema for Mask {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mask".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "integer", "minimum": 0, "maximum": 128 },
            ]
        })
    }
}

/// Whether files keep to the schema.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        let schema = serde_json::to_value(schemars::schema_for!(File)).unwrap();
        compiler.add_resource("lvs.schema.json", schema).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("lvs.schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn accepts(&self, toml: &str) -> bool {
        let value: Value = toml::from_str(toml).unwrap();
        self.schemas.validate(&value, self.index).is_ok()
    }
}

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

const EXAMPLE: &str = include_str!("../../dist/lvs.toml");

#[test]
fn the_published_schema_is_up_to_date() {
    let schema = schemars::schema_for!(File);
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = repository("docs/lvs.schema.json");
    if env::var_os(BLESS).is_some() {
        fs::write(&path, &schema).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == schema,
        "docs/lvs.schema.json is not what the code reads: \
         make it anew with `{BLESS}=1 cargo test -p lvs-ctl the_published_schema`"
    );
}

#[test]
fn the_example_is_a_configuration_and_keeps_to_the_schema() {
    Config::parse("dist/lvs.toml", EXAMPLE.to_owned()).unwrap();
    assert!(Validator::new().accepts(EXAMPLE));
}

#[test]
fn the_examples_commented_lines_are_a_configuration_too() {
    // What is commented out begins with `#` and no space.
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', '#']) && !rest.is_empty() => rest,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let config = Config::parse("dist/lvs.toml", text.clone()).unwrap();
    assert!(config.rules.services.len() > 2);
    assert!(Validator::new().accepts(&text));
}

#[test]
fn what_the_manual_shows_is_a_configuration() {
    let manual = fs::read_to_string(repository("docs/configuration.md")).unwrap();
    let shown: Vec<_> = manual.split("```toml\n").skip(1).collect();
    assert!(!shown.is_empty());
    for text in shown.iter().filter_map(|text| text.split("```").next()) {
        Config::parse("docs/configuration.md", text.to_owned()).unwrap();
        assert!(Validator::new().accepts(text), "{text}");
    }
}

#[test]
fn what_the_schema_forbids_the_program_refuses() {
    let validator = Validator::new();
    for text in [
        "nosuch = 1",
        "interfaces = \"eth0\"",
        "mode = \"fast\"",
        "connections = 0",
        "state = \"kept\"",
        "[socket]\nmode = \"rw\"",
        "[timeouts]\ntcp = 0",
        "[tunables]\nconn_reuse_mode = \"1\"",
        "[tunables]\nnosuch = 1",
        "[tunables]\nsync_threshold = [1]",
        "[[mark]]\ndestination = \"192.0.2.1\"\nmark = 0",
        "[[mark]]\nmark = 1",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\nscheduler = \"nosuch\"",
        "[[service]]\nmark = 0",
        "[[service]]\nprotocol = \"icmp\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\npersistent = 2678401",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\ncheck = \"gopher:/\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[service.check]\ntype = \"gopher\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[service.check]\nname = \"a\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[service.health]\non_down = \"ignore\"",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[[service.backend]]\nweight = 1",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[[service.backend]]\naddress = \"192.0.2.11\"\nweight = 2147483648",
        "[[service]]\nlisten = \"tcp:192.0.2.1:80\"\n[[service.backend]]\naddress = \"192.0.2.11\"\nmethod = \"masquerade\"",
    ] {
        assert!(!validator.accepts(text), "{text}");
        assert!(Config::parse("lvs.toml", text.to_owned()).is_err(), "{text}");
    }
}
