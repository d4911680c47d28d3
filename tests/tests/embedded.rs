//! The embedded broker and registry as an independent client library sees them.

use anyhow::Result;
use cli::dev::broker::Broker;
use cli::dev::registry::Registry;
use tests::python;

#[test]
#[ignore = "needs Python packages: make test"]
fn the_confluent_python_client_registers_and_produces() -> Result<()> {
    let broker = Broker::start(&std::env::temp_dir())?;
    let registry = Registry::start()?;
    let (kafka, url) = (broker.bootstrap_servers(), registry.url());
    let arguments = ["--kafka", &kafka, "--registry", &url, "--topic", "sales", "--count", "5000"];
    let sent: serde_json::Value = serde_json::from_str(&python::run("produce.py", &arguments)?)?;
    let stored: i64 = (0..3).filter_map(|partition| broker.next_offset("sales", partition)).sum();
    assert!(stored >= 5000, "{stored} records are there, and this was sent: {sent}");
    let schemas: Vec<u32> = reqwest::blocking::get(format!("{url}/subjects/sales-value/versions"))?.json()?;
    assert_eq!(schemas, [1]);
    Ok(())
}
