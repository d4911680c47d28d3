//! The registry as an HTTP client sees it. The expected answers are those of Confluent's interface.

use anyhow::Result;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::Registry;

struct Session {
    registry: Registry,
    client: Client,
}

fn session() -> Result<Session> {
    Ok(Session { registry: Registry::start()?, client: Client::new() })
}

impl Session {
    fn get(&self, path: &str) -> Result<(u16, Value)> {
        let answer = self.client.get(format!("{}{path}", self.registry.url())).send()?;
        Ok((answer.status().as_u16(), answer.json()?))
    }

    fn post(&self, path: &str, schema: &Value) -> Result<(u16, Value)> {
        let body = json!({"schemaType": "AVRO", "schema": schema.to_string()});
        let request = self.client.post(format!("{}{path}", self.registry.url()));
        let answer =
            request.header("content-type", "application/vnd.schemaregistry.v1+json").body(body.to_string()).send()?;
        Ok((answer.status().as_u16(), answer.json()?))
    }

    fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let answer = self.client.put(format!("{}{path}", self.registry.url())).json(body).send()?;
        Ok((answer.status().as_u16(), answer.json()?))
    }
}

fn record(fields: &[Value]) -> Value {
    let id = json!({"name": "id", "type": "string"});
    let amount = json!({
        "name": "amount",
        "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}],
        "default": null,
    });
    let time = json!({"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}});
    let all: Vec<Value> = [id, amount, time].iter().chain(fields).cloned().collect();
    json!({"type": "record", "name": "Sale", "namespace": "test", "fields": all})
}

fn optional(name: &str) -> Value {
    json!({"name": name, "type": ["null", "string"], "default": null})
}

fn id_of((status, body): (u16, Value)) -> (u16, u64) {
    (status, body["id"].as_u64().unwrap_or(0))
}

fn code_of((status, body): (u16, Value)) -> (u16, u64) {
    let code = body["error_code"].as_u64();
    (status, code.unwrap_or(0))
}

#[test]
fn a_schema_has_one_id_in_every_subject_and_however_it_is_written() -> Result<()> {
    let s = session()?;
    let schema = record(&[]);
    assert_eq!(id_of(s.post("/subjects/a-value/versions", &schema)?), (200, 1));
    assert_eq!(id_of(s.post("/subjects/a-value/versions", &schema)?), (200, 1));
    assert_eq!(id_of(s.post("/subjects/b-value/versions", &schema)?), (200, 1));
    let reordered = json!({
        "fields": schema["fields"], "namespace": "test", "name": "Sale", "type": "record",
    });
    assert_eq!(id_of(s.post("/subjects/a-value/versions", &reordered)?), (200, 1));
    assert_eq!(s.get("/subjects/a-value/versions")?, (200, json!([1])));
    assert_eq!(s.get("/subjects")?, (200, json!(["a-value", "b-value"])));
    let (_, by_id) = s.get("/schemas/ids/1?subject=a-value")?;
    assert_eq!(by_id["schema"], schema.to_string());
    assert_eq!(
        s.get("/schemas/ids/1/versions")?.1,
        json!([{"subject": "a-value", "version": 1}, {"subject": "b-value", "version": 1}])
    );
    Ok(())
}

#[test]
fn a_subject_grows_by_backward_compatible_versions_only() -> Result<()> {
    let s = session()?;
    let path = "/subjects/a-value/versions";
    assert_eq!(s.post(path, &record(&[]))?.0, 200);
    assert_eq!(id_of(s.post(path, &record(&[optional("channel")]))?), (200, 2));
    let required = record(&[json!({"name": "channel", "type": "string"})]);
    let (status, refused) = s.post(path, &required)?;
    assert_eq!((status, &refused["error_code"]), (409, &json!(409)));
    let required = record(&[json!({"name": "more", "type": "string"})]);
    let (status, refused) = s.post(path, &required)?;
    assert_eq!(status, 409, "a new field without a default");
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(message.contains("at path '/more': field 'more' is new and has no default value"), "{message}");
    let narrower = json!({"type": "record", "name": "Sale", "namespace": "test", "fields": [
        {"name": "id", "type": "int"},
    ]});
    let (status, refused) = s.post(path, &narrower)?;
    assert_eq!(status, 409, "another type");
    assert!(refused["message"].as_str().unwrap_or_default().contains("at path '/id': "), "{refused}");
    assert_eq!(id_of(s.post(path, &record(&[]))?), (200, 1), "already there");

    let latest = s.get("/subjects/a-value/versions/latest")?.1;
    assert_eq!((&latest["version"], &latest["id"]), (&json!(2), &json!(2)));
    let found = s.post("/subjects/a-value", &record(&[]))?.1;
    assert_eq!((&found["version"], &found["id"]), (&json!(1), &json!(1)));
    Ok(())
}

#[test]
fn a_union_that_loses_a_branch_is_incompatible_although_some_records_would_resolve() -> Result<()> {
    let s = session()?;
    let path = "/subjects/a-value/versions";
    assert_eq!(s.post(path, &record(&[optional("channel")]))?.0, 200);
    let lost = record(&[json!({"name": "channel", "type": "string", "default": ""})]);
    assert_eq!(s.post(path, &lost)?.0, 409);
    Ok(())
}

#[test]
fn compatibility_can_be_asked_and_its_level_set() -> Result<()> {
    let s = session()?;
    let check = "/compatibility/subjects/a-value/versions/latest";
    assert_eq!(code_of(s.post(check, &record(&[]))?), (404, 40401));
    s.post("/subjects/a-value/versions", &record(&[optional("channel")]))?;
    let incompatible = record(&[json!({"name": "more", "type": "int"})]);
    let (status, answer) = s.post(check, &incompatible)?;
    assert_eq!((status, &answer["is_compatible"]), (200, &json!(false)));
    assert_eq!(s.post(check, &record(&[]))?.1["is_compatible"], json!(true));

    assert_eq!(s.get("/config")?, (200, json!({"compatibilityLevel": "BACKWARD"})));
    assert_eq!(code_of(s.get("/config/a-value")?), (404, 40408));
    let none = json!({"compatibility": "NONE"});
    assert_eq!(s.put("/config/a-value", &none)?, (200, none));
    assert_eq!(s.get("/config/a-value")?, (200, json!({"compatibilityLevel": "NONE"})));
    assert_eq!(s.post(check, &incompatible)?.1["is_compatible"], json!(true));
    assert_eq!(code_of(s.put("/config", &json!({"compatibility": "SOME"}))?), (422, 42203));
    Ok(())
}

#[test]
fn every_refusal_is_json_with_its_code() -> Result<()> {
    let s = session()?;
    assert_eq!(code_of(s.get("/associations/resources/-/sales")?), (404, 404));
    assert_eq!(code_of(s.get("/schemas/ids/9")?), (404, 40403));
    assert_eq!(code_of(s.get("/subjects/none/versions")?), (404, 40401));
    assert_eq!(code_of(s.post("/subjects/none", &record(&[]))?), (404, 40401));
    s.post("/subjects/a-value/versions", &record(&[]))?;
    assert_eq!(code_of(s.get("/subjects/a-value/versions/2")?), (404, 40402));
    assert_eq!(code_of(s.get("/subjects/a-value/versions/zero")?), (422, 42202));
    assert_eq!(code_of(s.post("/subjects/a-value", &record(&[optional("x")]))?), (404, 40403));
    let bad = json!({"type": "record", "name": "Sale"});
    assert_eq!(code_of(s.post("/subjects/a-value/versions", &bad)?), (422, 42201));
    Ok(())
}

#[test]
fn a_schema_is_found_by_its_guid_which_follows_from_it() -> Result<()> {
    let (s, other) = (session()?, session()?);
    let answer = s.post("/subjects/a-value/versions", &record(&[]))?.1;
    let guid = answer["guid"].as_str().unwrap_or_default().to_owned();
    assert!(guid.len() == 36 && guid.split('-').map(str::len).eq([8, 4, 4, 4, 12]), "{guid}");
    let found = s.get(&format!("/schemas/guids/{guid}"))?.1;
    assert_eq!((&found["schema"], &found["id"]), (&json!(record(&[]).to_string()), &json!(1)));
    assert_eq!(s.get(&format!("/schemas/guids/{guid}/ids"))?, (200, json!([{"id": 1}])));
    for path in ["/schemas/ids/1", "/subjects/a-value/versions/1"] {
        assert_eq!(s.get(path)?.1["guid"], json!(guid), "{path}");
    }
    let unknown = format!("/schemas/guids/{}", guid.replace(&guid[..8], "00000000"));
    assert_eq!(code_of(s.get(&unknown)?), (404, 40403));
    other.post("/subjects/b-value/versions", &record(&[optional("x")]))?;
    assert_eq!(other.post("/subjects/b-value/versions", &record(&[]))?.1["guid"], json!(guid), "in any registry");
    Ok(())
}

#[test]
fn a_schema_may_refer_to_others() -> Result<()> {
    let s = session()?;
    let item = json!({"type": "record", "name": "m.Item", "fields": [{"name": "size", "type": "int"}]});
    let order = json!({"type": "record", "name": "m.Order", "fields": [{"name": "item", "type": "Item"}]});
    assert_eq!(code_of(s.post("/subjects/order/versions", &order)?), (422, 42201));
    let referring = |version: u32| {
        let references = json!([{"name": "m.Item", "subject": "item", "version": version}]);
        let body = json!({"schema": order.to_string(), "references": references}).to_string();
        let request = s.client.post(format!("{}/subjects/order/versions", s.registry.url())).body(body);
        let answer = request.send()?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>()?))
    };
    assert_eq!(code_of(referring(1)?), (404, 40401));
    s.post("/subjects/item/versions", &item)?;
    assert_eq!(code_of(referring(2)?), (404, 40402));
    let (status, answer) = referring(1)?;
    assert_eq!(status, 200, "{answer}");
    let found = s.get(&format!("/schemas/ids/{}", answer["id"]))?.1;
    assert_eq!(found["references"], json!([{"name": "m.Item", "subject": "item", "version": 1}]));
    assert_eq!(found["schema"], json!(order.to_string()));
    // The worker's client makes one schema of both.
    let client = worker::registry::RegistryClient::new(&s.registry.url());
    let id = u32::try_from(answer["id"].as_u64().unwrap_or(0))?;
    let whole = client.schema(worker::decode::SchemaKey::Id(id))?;
    assert!(
        matches!(whole, worker::decode::WriterSchema::Avro(text) if text.contains("m.Item") && text.contains("size"))
    );
    Ok(())
}

#[test]
fn odd_schemas_are_taken_as_other_registries_take_them_and_huge_ones_are_not() -> Result<()> {
    let s = session()?;
    let mut deep = json!("int");
    for level in 0..50 {
        deep = json!({"type": "record", "name": format!("L{level}"), "fields": [{"name": "n", "type": deep}]});
    }
    let odd = [
        deep,
        json!({"type": "record", "name": "Next", "fields": [{"name": "next", "type": ["null", "Next"]}]}),
        json!({"type": "enum", "name": "E", "symbols": ["A"], "default": "Q"}),
        json!({"type": "bytes", "logicalType": "decimal", "precision": 0}),
    ];
    for (at, kind) in odd.iter().enumerate() {
        let field = json!({"name": "odd", "type": kind});
        let answer = s.post(&format!("/subjects/odd-{at}/versions"), &record(&[field]))?;
        assert_eq!(answer.0, 200, "{answer:?}");
    }
    let field = json!({"name": "x", "type": ["null", "int"], "default": 0});
    assert_eq!(s.post("/subjects/default/versions", &record(&[field]))?.0, 200);
    let nested = (0..300).fold(json!("int"), |kind, _| json!({"type": "array", "items": kind}));
    assert_eq!(
        code_of(s.post("/subjects/nested/versions", &record(&[json!({"name": "x", "type": nested})]))?),
        (422, 42201)
    );
    Ok(())
}
