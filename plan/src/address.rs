//! Addresses: of brokers, of the registry, of the store. What passes here, the worker's clients take.
//!
//! Keeps true: a refusal says what to write instead, and repeats no password.

use std::net::Ipv6Addr;

use url::Url;

/// Why an address is refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) help: String,
}

fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), help: help.into() })
}

const BROKERS: &str = "allowed is 'host:port', several separated by commas";

/// Judges the address of one broker: `host:port`, where an IPv6 address stands in brackets.
pub(crate) fn broker(text: &str) -> Result<(), Refusal> {
    let message = format!("'{text}' is not a broker's address");
    if let Some((scheme, rest)) = text.split_once("://") {
        let bare = rest.split('/').next().unwrap_or_default();
        let help = match broker(bare) {
            Ok(()) => format!("write '{bare}'; how it is spoken to is 'security.protocol', not '{scheme}://'"),
            Err(_) => BROKERS.to_owned(),
        };
        return refuse(message, help);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return refuse(message, format!("write '[{text}]:9092', with the broker's port"));
    }
    if is_host(text) {
        return refuse(message, format!("write '{text}:9092', with the broker's port; {BROKERS}"));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return refuse(message, BROKERS) };
    if host.parse::<Ipv6Addr>().is_ok() {
        return refuse(message, format!("write '[{host}]:{port}'"));
    }
    if is_host(host) && is_port(port) { Ok(()) } else { refuse(message, BROKERS) }
}

/// A name of letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    let part = |part: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric() || c == '_';
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || c == '-')
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(part)
}

fn is_port(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Judges the address of a registry: one of `http` or `https` with a host, perhaps a port and a path, and nothing else.
pub(crate) fn registry(text: &str) -> Result<(), Refusal> {
    let help = "allowed is 'http://host:port' or 'https://…'";
    let not_one = |shown: &str| format!("'{shown}' is not the address of a registry");
    let Some((scheme, rest)) = text.split_once("://") else {
        let whole = format!("http://{text}");
        let help = if registry(&whole).is_ok() { format!("write '{whole}'; {help}") } else { help.to_owned() };
        return refuse(not_one(text), help);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((_, host)) = authority.rsplit_once('@') {
        return refuse(
            "user and password stand in the address of the registry",
            format!(
                "write '{scheme}://{host}…', and name a secret with 'username' and 'password' in \
                 'schemaRegistry.credentialsSecretRef'"
            ),
        );
    }
    if text.contains(',') {
        let first = text.split(',').next().unwrap_or_default();
        return refuse(
            format!("'{text}' is a list of addresses"),
            format!("write one of them, for example '{first}', or the address of what balances their load"),
        );
    }
    if !matches!(scheme, "http" | "https") {
        return refuse(not_one(text), help);
    }
    if rest.contains(['?', '#', '\\', '@']) || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refuse(not_one(text), help);
    }
    match Url::parse(text) {
        Ok(url) if url.has_host() && url.port() != Some(0) && !rest.starts_with('/') => Ok(()),
        _ => refuse(not_one(text), help),
    }
}

/// The folder that `file://` addresses mean on the systems that workers run on, which they must not write to.
const SYSTEM: [&str; 5] = ["/dev", "/etc", "/proc", "/sys", "/boot"];

/// The absolute path of the folder that a store's address names.
pub(crate) fn folder(text: &str) -> Result<String, Refusal> {
    let help = "allowed is 'file:///path'";
    let not_one = || format!("'{text}' is not the address of a store");
    let Some(path) = text.strip_prefix("file://") else {
        return match text.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => refuse(not_one(), help),
            Some((scheme, _)) => refuse(
                format!("the store '{text}' is of the kind '{scheme}', which this version does not write to"),
                "allowed is 'file:///path', a folder; it may be one that is mounted",
            ),
            None if folder(&format!("file://{text}")).is_ok() => {
                refuse(not_one(), format!("write 'file://{}'; {help}", text.trim_end_matches('/')))
            }
            None => refuse(not_one(), format!("{help}; a path begins at the root, whatever folder a worker runs in")),
        };
    };
    if !path.starts_with('/') {
        return refuse(not_one(), format!("write three slashes, 'file:///{path}'; {help}"));
    }
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return refuse(
            format!("'{text}' is the root of the file system"),
            "allowed is a folder below it, 'file:///path'",
        );
    }
    for part in path[1..].split('/') {
        let odd = match part {
            "" => Some("a folder without a name".to_owned()),
            "." | ".." => Some(format!("'{part}'")),
            _ if part.len() > 255 => Some("a name of more than 255 bytes".to_owned()),
            _ if part.trim() != part => Some("a name with a space at its end".to_owned()),
            _ => part.chars().find(|c| c.is_control() || "%?#\\".contains(*c)).map(|c| format!("the character {c:?}")),
        };
        if let Some(odd) = odd {
            return refuse(
                format!("the path of the store '{}' has {odd}", text.escape_debug()),
                "allowed are plain names between slashes; nothing is decoded or resolved",
            );
        }
    }
    if let Some(system) = SYSTEM
        .iter()
        .find(|system| path.strip_prefix(**system).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        return refuse(
            format!("the store '{text}' lies in '{system}', which is the system's"),
            "allowed are other folders",
        );
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers() {
        for right in
            ["a:9092", "broker-1.kafka.svc.cluster.local:9092", "127.0.0.1:1", "[::1]:9092", "kafka_1:65535", "a.:9092"]
        {
            assert_eq!(broker(right), Ok(()), "{right}");
        }
        for (wrong, write) in [
            ("kafka://a:9092", "write 'a:9092'"),
            ("SASL_SSL://a:9092/", "write 'a:9092'"),
            ("kafka", "write 'kafka:9092'"),
            ("::1", "write '[::1]:9092'"),
            ("fe80::1:0:9092", "write '[fe80::1:0:9092]:9092'"),
            ("a:0", "allowed"),
            ("a:65536", "allowed"),
            ("a:+1", "allowed"),
            ("", "allowed"),
            (":9092", "allowed"),
            ("a b:9092", "allowed"),
            ("user@a:9092", "allowed"),
            ("a:9092/topic", "allowed"),
            ("-a:1", "allowed"),
            ("kafka://", "allowed"),
        ] {
            let refusal = broker(wrong).expect_err(wrong);
            assert!(refusal.help.contains(write), "{wrong}: {refusal:?}");
        }
    }

    #[test]
    fn registries() {
        for right in
            ["http://registry:8081", "https://r", "http://r:8080/apis/ccompat/v7", "http://[::1]:8081", "http://a_b:1"]
        {
            assert_eq!(registry(right), Ok(()), "{right}");
        }
        for (wrong, write) in [
            ("registry:8081", "write 'http://registry:8081'"),
            ("http://a:8081,http://b:8081", "write one of them, for example 'http://a:8081'"),
            ("http://me:secret@registry:8081", "credentialsSecretRef"),
            ("https://token@registry", "credentialsSecretRef"),
            ("http://", "allowed"),
            ("http:///path", "allowed"),
            ("http://r:8081?x=1", "allowed"),
            ("http://r:8081#x", "allowed"),
            ("http://r:port", "allowed"),
            ("http://r:0", "allowed"),
            ("http://r /x", "allowed"),
            ("ftp://r", "allowed"),
            ("http://r\\x", "allowed"),
        ] {
            let refusal = registry(wrong).expect_err(wrong);
            assert!(refusal.help.contains(write), "{wrong}: {refusal:?}");
            assert!(
                !format!("{refusal:?}").contains("secret@") && !format!("{refusal:?}").contains("token"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn folders() {
        for (right, path) in [
            ("file:///data", "/data"),
            ("file:///data/", "/data"),
            ("file:///a b/ü", "/a b/ü"),
            ("file:///etcetera", "/etcetera"),
        ] {
            assert_eq!(folder(right).as_deref(), Ok(path), "{right}");
        }
        for (wrong, write) in [
            ("s3://bucket/x", "allowed is 'file:///path', a folder"),
            ("gs://bucket/x", "allowed is 'file:///path', a folder"),
            ("hdfs://n/x", "allowed is 'file:///path', a folder"),
            ("./data", "a path begins at the root"),
            ("data", "a path begins at the root"),
            ("/data", "write 'file:///data'"),
            ("/data/", "write 'file:///data'"),
            ("file://data", "write three slashes, 'file:///data'"),
            ("file:data", "allowed"),
            ("FILE:///data", "allowed"),
            ("file:///", "a folder below it"),
            ("file:////", "a folder below it"),
            ("file:///a//b", "plain names"),
            ("file:///a/../b", "plain names"),
            ("file:///./b", "plain names"),
            ("file:///a\0b", "plain names"),
            ("file:///a%20b", "plain names"),
            ("file:///a?b", "plain names"),
            ("file:///a /b", "plain names"),
            ("file:///proc/x", "other folders"),
            ("file:///etc", "other folders"),
        ] {
            let refusal = folder(wrong).expect_err(wrong);
            assert!(refusal.help.contains(write), "{wrong}: {refusal:?}");
        }
    }
}
