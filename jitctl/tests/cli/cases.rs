//! The cases in tests/cmd, each against an instance of its own.

use std::path::Path;

use crate::desk::{Desk, JITCTL, program};

#[test]
fn text_cases() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd");
    let mut seen = 0;
    for entry in std::fs::read_dir(cases).unwrap() {
        let case = entry.unwrap().path();
        // Those that begin on a new machine say so in their name.
        let new = case.file_stem().unwrap().to_str().unwrap().starts_with("new-");
        let desk = if new { Desk::empty() } else { Desk::new() };
        let wrapper = desk.file("jitctl");
        let line = format!(
            "#!/bin/sh\ncd {d}; exec {JITCTL} --config {d}/jit.toml \"$@\"\n",
            d = desk.path().display()
        );
        program(&wrapper, &line);
        let tests = trycmd::TestCases::new();
        tests.register_bin("jitctl", &wrapper).env("TZ", "UTC");
        tests.insert_var("[DIR]", desk.path().display().to_string()).unwrap();
        let programs = Path::new(JITCTL).parent().unwrap().display().to_string();
        tests.insert_var("[BIN]", programs).unwrap();
        tests.case(&case).run();
        seen += 1;
    }
    assert!(seen > 4, "{seen} cases in {cases}");
}
