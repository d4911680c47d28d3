//! What is generated from the types lies in the repository as it would be generated now.
//!
//! `make generate` runs this with `SLUICE_GENERATE` set, which writes the files instead.

use std::path::Path;

use operator::api::{crd_yaml, reference};

#[test]
fn generated_files_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = [
        ("crds/analyticspipelines.sluice.dev.yaml", crd_yaml()),
        ("docs/reference/fields.md", reference::fields()),
        ("docs/reference/conditions.md", reference::conditions()),
    ];
    for (path, text) in files {
        let file = root.join(path);
        if std::env::var_os("SLUICE_GENERATE").is_some() {
            std::fs::create_dir_all(file.parent().expect("it is in a folder")).expect("the folder can be made");
            std::fs::write(&file, &text).expect("the file can be written");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == text, "'{path}' is stale: run `make generate` and commit what it writes");
    }
}
