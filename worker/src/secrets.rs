//! Credentials from files, as the operator mounts them: the manifest names secrets, the pod sees files.
//!
//! | file | becomes |
//! |---|---|
//! | `kafka/username`, `kafka/password` | `sasl.username`, `sasl.password` of every Kafka client |
//! | `kafka/ca.crt` | `ssl.ca.location` |
//! | `registry/username`, `registry/password` | basic authentication towards the registry |
//!
//! Kept true: no value is logged or shown; what is half there is refused at the start rather than tried.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use plan::{Login, Plan};
use thiserror::Error;

/// The folder of secrets cannot be used. The user must act.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// A file is there and cannot be read.
    #[error("cannot read the secret '{}': {source}", path.display())]
    ReadSecret {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A user without a password, or the other way round.
    #[error("secret '{}' is missing, where '{}' is given: allowed are both or none", missing.display(), given.display())]
    HalfACredential {
        /// What is missing.
        missing: PathBuf,
        /// What is there.
        given: PathBuf,
    },
}

/// Gives `plan` the credentials in `folder`.
///
/// # Errors
/// See [`SecretsError`]; files that are not there are no error, as a manifest need not name secrets.
pub fn give(plan: &mut Plan, folder: &Path) -> Result<(), SecretsError> {
    let properties = &mut plan.kafka.properties;
    if let Some((user, password)) = credential(&folder.join("kafka"))? {
        properties.push(("sasl.username".to_owned(), user));
        properties.push(("sasl.password".to_owned(), password));
    }
    let authority = folder.join("kafka/ca.crt");
    if authority.exists() {
        properties.push(("ssl.ca.location".to_owned(), authority.display().to_string()));
    }
    if let Some((user, password)) = credential(&folder.join("registry"))? {
        plan.registry_login = Some(Login { user, password });
    }
    Ok(())
}

/// User and password in a folder.
fn credential(folder: &Path) -> Result<Option<(String, String)>, SecretsError> {
    let (user_file, password_file) = (folder.join("username"), folder.join("password"));
    match (text(&user_file)?, text(&password_file)?) {
        (Some(user), Some(password)) => Ok(Some((user, password))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(SecretsError::HalfACredential { missing: password_file, given: user_file }),
        (None, Some(_)) => Err(SecretsError::HalfACredential { missing: user_file, given: password_file }),
    }
}

/// A file's text without the line's end that editors put there.
fn text(path: &Path) -> Result<Option<String>, SecretsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SecretsError::ReadSecret { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use schemas::spec::AnalyticsPipeline;

    use super::*;
    use crate::registry::RegistryClient;

    fn plan() -> Plan {
        let manifest = include_str!("../../examples/revenue-5m.yaml");
        let pipeline: AnalyticsPipeline = serde_saphyr::from_str(manifest).expect("the example is a manifest");
        Plan::compile(&pipeline).expect("the example is sound")
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("is made");
            fs::write(path, text).expect("is written");
        }
        folder
    }

    #[test]
    fn files_become_properties() {
        let folder = folder(&[("kafka/username", "sluice\n"), ("kafka/password", "p w\n"), ("kafka/ca.crt", "PEM")]);
        let mut plan = plan();
        give(&mut plan, folder.path()).expect("all is there");
        let property =
            |name: &str| plan.kafka.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(property("sasl.username"), Some("sluice"));
        assert_eq!(property("sasl.password"), Some("p w"));
        let authority = folder.path().join("kafka/ca.crt");
        assert_eq!(property("ssl.ca.location"), authority.to_str());
    }

    #[test]
    fn no_secrets_change_nothing() {
        let (mut with, without) = (plan(), plan());
        give(&mut with, folder(&[]).path()).expect("nothing is needed");
        assert_eq!((with.kafka, with.registry_login), (without.kafka, without.registry_login));
    }

    #[test]
    fn half_a_credential_is_refused() {
        for (given, missing) in [("kafka/username", "kafka/password"), ("registry/password", "registry/username")] {
            let folder = folder(&[(given, "x")]);
            let refused = give(&mut plan(), folder.path()).expect_err("half is there").to_string();
            assert!(refused.contains(missing), "{refused}");
        }
    }

    /// Answers one request: with 40403 to the right user, with 401 to everybody else.
    fn registry(expected: &'static str) -> (String, std::thread::JoinHandle<()>) {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("is bound"));
        let serve = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a request");
            let mut request = [0; 4096];
            let length = connection.read(&mut request).expect("is read");
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let allowed = request.contains(&format!("authorization: basic {}", expected.to_lowercase()));
            let (status, body) = if allowed {
                ("404 Not Found", r#"{"error_code":40403,"message":"no such schema"}"#)
            } else {
                ("401 Unauthorized", "{}")
            };
            let length = body.len();
            write!(connection, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .expect("is sent");
        });
        (address, serve)
    }

    #[test]
    fn the_registry_is_asked_with_the_right_password_and_refuses_a_wrong_one() {
        // base64 of "user@x:p/w"
        for (password, right) in [("p/w", true), ("wrong", false)] {
            let (address, serve) = registry("dXNlckB4OnAvdw==");
            let mut plan = plan();
            plan.registry_url = address;
            let folder = folder(&[("registry/username", "user@x"), ("registry/password", password)]);
            give(&mut plan, folder.path()).expect("all is there");
            assert!(!format!("{:?} {}", plan.registry_login, plan.registry_url).contains(password));
            let client = RegistryClient::new(&plan.registry_url).login(plan.registry_login.as_ref());
            let answer = client.schema(crate::decode::SchemaKey::Id(1));
            assert_eq!(answer.is_ok(), right, "{answer:?}");
            if let Err(error) = answer {
                let words = error.to_string();
                assert!(!words.contains("wrong"), "the password is told: {words}");
            }
            serve.join().expect("serves");
        }
    }
}
