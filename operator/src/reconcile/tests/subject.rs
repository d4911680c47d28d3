//! The registry's subject: filled where it is empty, left to those who filled it, or as the manifest says.

use serde_json::json;

use super::world::MemoryWorld;
use super::{converge, pipeline};

const SUBJECT: &str = "sales.events.v1-value";

/// A schema of producers with more fields than the pipeline's, or with `edit`.
fn of_producers(edit: impl Fn(String) -> String) -> String {
    let avro = pipeline()["spec"]["source"]["schema"]["avro"].as_str().expect("it stands there").to_owned();
    edit(avro.replace(r#"{"name": "event_type""#, r#"{"name": "more", "type": "string"}, {"name": "event_type""#))
}

/// A world in which the subject holds that schema and no level of its own, and the pipeline's schema is registered as said.
fn world(held: &str, register: Option<&str>) -> MemoryWorld {
    let mut pipeline = pipeline();
    if let Some(register) = register {
        pipeline["spec"]["source"]["schema"]["register"] = json!(register);
    }
    let world = MemoryWorld::new(pipeline);
    world.lock().subjects.insert(SUBJECT.to_owned(), (vec![held.to_owned()], None));
    converge(&world);
    world
}

fn subject(world: &MemoryWorld) -> (usize, Option<String>) {
    let (schemas, level) = &world.lock().subjects[SUBJECT];
    (schemas.len(), level.clone())
}

#[test]
fn a_subject_that_producers_filled_is_left_as_it_is() {
    let held = of_producers(|avro| avro);
    for register in [None, Some("IfEmpty"), Some("Never")] {
        let world = world(&held, register);
        assert_eq!(subject(&world), (1, None), "{register:?}: neither a version nor a level is added");
        assert!(
            world.condition("SchemaReady").starts_with("True SchemaReadable"),
            "{}",
            world.condition("SchemaReady")
        );
        assert!(world.condition("Ready").starts_with("True"), "{}", world.condition("Ready"));
    }
    assert_eq!(subject(&world(&held, Some("Always"))), (2, Some("BACKWARD".to_owned())));
}

#[test]
fn what_the_subject_holds_and_the_pipeline_cannot_read_is_told() {
    let other = of_producers(|avro| {
        avro.replace(r#"{"name": "event_id", "type": "string""#, r#"{"name": "event_id", "type": "boolean""#)
    });
    let world = world(&other, None);
    let said = world.condition("SchemaReady");
    assert!(
        said.starts_with("False SchemaIncompatible: the schema cannot read the latest version of subject"),
        "{said}"
    );
    assert!(said.contains("at path '/event_id'"), "{said}");
    assert_eq!(subject(&world), (1, None));
}

#[test]
fn never_leaves_an_empty_subject_empty() {
    let mut manifest = pipeline();
    manifest["spec"]["source"]["schema"]["register"] = json!("Never");
    let world = MemoryWorld::new(manifest);
    converge(&world);
    assert!(world.lock().subjects.is_empty());
    assert!(world.condition("SchemaReady").starts_with("True SchemaReadable"), "{}", world.condition("SchemaReady"));
}
