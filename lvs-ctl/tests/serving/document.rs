//! The OpenAPI document is kept, served, and true.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::{
    common::Scratch,
    http::{ask_with, get},
};

fn kept() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_document_that_is_kept_is_the_one_that_is_served() {
    let served = get(&Scratch::start(), "/openapi.json").1;
    assert!(kept() == served, "make it anew: cargo run -p lvs-ctl -- openapi > docs/openapi.json");
}

#[test]
fn routes_and_document_name_the_same_paths() {
    // The text of the routes, since a router does not tell what is in it.
    let sources = [
        include_str!("../../src/api/health.rs"),
        include_str!("../../src/api/routes.rs"),
        include_str!("../../src/api/reload.rs"),
        include_str!("../../src/api/streams.rs"),
    ];
    let routes = sources.into_iter().flat_map(str::lines);
    let routes = routes.filter_map(|line| line.trim().strip_prefix("path = \""));
    let routes: BTreeSet<&str> = routes.filter_map(|rest| rest.split('"').next()).collect();
    let kept = kept();
    let paths = kept["paths"].as_object().unwrap();
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), routes);
    let server = include_str!("../../src/api/server.rs");
    assert_eq!(server.matches(".route(").count(), 1, "a route that the document does not know");
    // Each is there, and no other method is.
    let scratch = Scratch::start();
    for (path, methods) in paths {
        let refused = ask_with(&scratch, "DELETE", path, "", "");
        let allowed = refused.header("allow").unwrap().to_owned();
        let allowed: BTreeSet<&str> = allowed.split(',').filter(|it| *it != "head").collect();
        let documented = methods.as_object().unwrap().keys().map(String::as_str);
        assert_eq!((refused.status, allowed), (405, documented.collect()), "{path}");
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let kept = kept();
    let mut found = Vec::new();
    references(&kept, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(kept.pointer(pointer).is_some(), "{reference}");
    }
}
