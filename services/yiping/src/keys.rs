//! The gateway's keys: from the files that the settings name, or made where there is none and that does no harm.

use std::path::Path;

use anyhow::Context;
use yiping_gateway::{Pseudonyms, Seal, SealSecret};
use yiping_runtime::Config;

/// What closes the bytes of rejects. A first start makes a pair in the data folder.
pub fn seal(config: &Config) -> anyhow::Result<Seal> {
    let public = config.rejects_key_path();
    let secret = public.with_extension("key");
    if config.gateway.rejects_key.is_none() && !public.is_file() {
        if secret.is_file() {
            return Ok(Seal::to(SealSecret::read(&secret)?.public())?);
        }
        SealSecret::new()?.save(&secret)?;
        tracing::info!(secret = %secret.display(), "made a key pair for rejects; the gateway needs only the public half");
    }
    Ok(Seal::read(&public)?)
}

/// What makes pseudonyms. A first start makes a key beside an embedded log, which has one gateway; on Kafka two gateways that made
/// their own would know each device twice, so there a person makes it.
pub fn pseudonyms(config: &Config) -> anyhow::Result<Option<Pseudonyms>> {
    let path = config.pseudonym_key_path();
    if config.gateway.pseudonym_key.is_some() || path.is_file() {
        return Ok(Some(Pseudonyms::read(&path)?));
    }
    if config.log_url().starts_with("kafka:") {
        tracing::warn!(
            path = %path.display(),
            "no key for pseudonyms: events that need one are refused; `yiping key new --for pseudonyms` makes one, the same for all gateways"
        );
        return Ok(None);
    }
    make_pseudonyms(config)
}

/// The demo has one gateway, whatever its log is.
pub fn of_demo(config: &Config) -> anyhow::Result<()> {
    if config.gateway.pseudonym_key.is_none() && !config.pseudonym_key_path().is_file() {
        make_pseudonyms(config)?;
    }
    Ok(())
}

fn make_pseudonyms(config: &Config) -> anyhow::Result<Option<Pseudonyms>> {
    let path = config.pseudonym_key_path();
    let made = Pseudonyms::make(&path)?;
    tracing::info!(path = %path.display(), key = made.key_id(), "made a key for pseudonyms; without it the same devices get other names");
    Ok(Some(made))
}

/// What opens the bytes of rejects.
pub fn seal_secret(config: &Config, named: Option<&Path>) -> anyhow::Result<SealSecret> {
    let path = named.map_or_else(|| config.data_dir.0.join("rejects.key"), Path::to_owned);
    SealSecret::read(&path).context("the secret key that opens rejects (--key names another)")
}
