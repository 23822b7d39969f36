//! No reason without a packet that ends there.

use std::fs;

use lvs_common::verdict::Reason;

/// What tests of the path say a packet ends with, by the reason's name in the code.
#[test]
fn every_reason_has_a_test_that_ends_there() {
    let mut tests = String::new();
    for directory in ["tests/path", "tests/path/v6"] {
        let files = fs::read_dir(format!("{}/{directory}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for file in files.map(|file| file.unwrap().path()).filter(|it| it.is_file()) {
            tests += &fs::read_to_string(file).unwrap();
        }
    }
    let is_word = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric());
    let without: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| {
            let verdicts = ["Pass", "Drop"].map(|verdict| format!("{verdict}(Reason::{reason:?}"));
            !verdicts.iter().any(|it| tests.split(it.as_str()).skip(1).any(is_word))
        })
        .collect();
    assert!(without.is_empty(), "no test sees a packet end with {without:?}");
}
