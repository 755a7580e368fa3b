//! The commands that serve nothing: print the configuration or the schema,
//! write protos, ask whether a server is ready.

use super::{Error, admin_endpoint, loader::exposed};
use crate::{
    auth::Authenticator,
    catalog::{Catalog, descriptor, introspect::introspect},
    check::{self, RefusedSecret, Report, Subject},
    cli::{Language, SchemaSource},
    config::{self, Config, Sources},
    error,
    execute::{Options, Pool, configuration},
    grpc::{
        self, SurfaceError,
        export::{self, ExportError},
        lock::{self, Lock},
    },
    openapi::{self, ETags, Format, Protos, Security, Server, Visibility},
    server::ready::{self, NotReady, Ready},
    typescript,
};
use std::{fs, path::Path, sync::Arc, time::Duration};

/// A check that takes longer than this has no answer.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// What `--dump-config` prints.
#[derive(Debug)]
pub struct Dump {
    /// The configuration.
    pub text: String,
    /// Why the settings in the database are not a part of it.
    pub without_database: Option<String>,
}

/// The configuration in force; where the database cannot be asked, what is known without it.
pub async fn dump_config(mut sources: Sources) -> Result<Dump, Error> {
    let (config, without_database) = match in_force(&mut sources, &[]).await {
        Ok(config) => (config, None),
        Err(Error::Database(error)) => {
            sources.database.clear();
            let (config, _) = Config::load(&sources).map_err(Error::Config)?;
            (config, Some(format!("The settings in the database are left out: {error}")))
        }
        Err(error) => return Err(error),
    };
    // What cannot be a secret is told; where the database is need not be known.
    if config.connection().is_ok() {
        Authenticator::new(&config, None).map_err(Error::Config)?;
    }
    Ok(Dump { text: config.dump(), without_database })
}

/// The schema as JSON.
pub async fn dump_schema(mut sources: Sources) -> Result<String, Error> {
    let config = in_force(&mut sources, &[]).await?;
    let catalog = catalog(&config, &SchemaSource::Database).await?;
    descriptor::to_json(catalog.descriptor()).map_err(Error::Database)
}

/// Asks the admin server of a running process.
pub async fn ready(sources: Sources) -> Result<Result<Ready, NotReady>, Error> {
    let (config, _) = Config::load(&sources).map_err(Error::Config)?;
    Ok(ready::ready(admin_endpoint(&config).map(|options| options.endpoint).as_ref()).await)
}

/// Writes the `.proto` files to a directory, and the lock that keeps their names and numbers:
/// to where `grpc-lock` says, or beside them. Returns what to tell whoever asked for them: what to do with a lock that no
/// server has been told of.
pub async fn proto(mut sources: Sources, out: &Path, schema: &SchemaSource) -> Result<String, Error> {
    let config = configuration_for(&mut sources, schema).await?;
    let catalog = Arc::new(catalog(&config, schema).await?);
    let path = config.grpc_lock.clone().unwrap_or_else(|| out.join(lock::FILE));
    let lock = Lock::read(&path).map_err(Error::Lock)?.unwrap_or_default();
    let export =
        export::export(&catalog, &grpc::Options::of(&config), &lock).map_err(|error| match error {
            ExportError::Surface(SurfaceError::Lock(error)) => Error::Lock(error),
            ExportError::Surface(error @ SurfaceError::Package(_)) => {
                Error::Config(config::Error::Unusable(error.to_string()))
            }
            ExportError::Descriptors(error) => Error::Database(internal(&error)),
        })?;
    let text = export.lock.to_json().map_err(Error::Lock)?;
    export::write(&export.files, out).and_then(|()| fs::write(&path, text)).map_err(Error::System)?;
    let recommended = config.grpc_lock.is_none().then(|| {
        let path = path.display();
        format!("Commit {path} and start the server with grpc-lock: names and numbers then outlive renames and new types.")
    });
    Ok(export.renames.into_iter().chain(recommended).map(|line| line + "\n").collect())
}

/// The OpenAPI document of the default schema, with everything in it.
pub async fn openapi(mut sources: Sources, schema: &SchemaSource) -> Result<String, Error> {
    let config = configuration_for(&mut sources, schema).await?;
    let catalog = catalog(&config, schema).await?;
    let described = catalog.descriptor().schemas.first().map(|schema| schema.name.as_str());
    let source = openapi::Source {
        catalog: &catalog,
        schema: described.unwrap_or_else(|| config.db_schemas.default_schema()),
        visibility: Visibility::Everything,
        security: Security::Bearer,
        server: Server::of(&config, None),
        protos: Protos::of(&config),
        etags: ETags::of(&config),
        extra_search_path: &config.db_extra_search_path,
        contact: config.openapi_contact.as_ref(),
        license: config.openapi_license.as_ref(),
    };
    let pretty = || {
        let document = openapi::written(&source, config.openapi_version, Format::Json)?;
        serde_json::to_string_pretty(&serde_json::from_slice::<serde_json::Value>(&document)?)
    };
    pretty().map_err(|error: serde_json::Error| Error::Database(internal(&error)))
}

/// The exposed schemas as types of a language.
pub async fn types(mut sources: Sources, language: Language, schema: &SchemaSource) -> Result<String, Error> {
    let config = configuration_for(&mut sources, schema).await?;
    let catalog = catalog(&config, schema).await?;
    Ok(match language {
        Language::TypeScript => typescript::types(&catalog),
    })
}

/// What in the database and the configuration lets a client do more than was meant.
pub async fn check(sources: Sources) -> Result<Report, Error> {
    let late = || {
        error::Error::new(error::Fault::DatabaseUnreachable, "The database does not answer")
            .cause(format_args!("after {} s", CHECK_TIME.as_secs()))
    };
    tokio::time::timeout(CHECK_TIME, look(sources)).await.map_err(|_| Error::Database(late()))?
}

async fn look(mut sources: Sources) -> Result<Report, Error> {
    let (config, refused) = in_force_but_for_secrets(&mut sources).await?;
    let pool = pool(&config)?;
    let mut one = pool.lend().await.map_err(Error::Database)?;
    let mut other = pool.lend().await.map_err(Error::Database)?;
    let (_, mut warnings) = Config::load(&sources).map_err(Error::Config)?;
    warnings.extend(config.connection().map_err(Error::Config)?.1);
    let (client, beside) = (one.client().map_err(Error::Database)?, other.client().map_err(Error::Database)?);
    let subject = Subject { config: &config, warnings, refused, client, other: beside };
    let found = check::check(subject).await;
    one.give_back();
    other.give_back();
    found.map_err(Error::Database)
}

/// The configuration without those secrets that keep the server from starting, and why each does: it is a finding, and
/// not all that there may be.
async fn in_force_but_for_secrets(sources: &mut Sources) -> Result<(Config, Vec<RefusedSecret>), Error> {
    let flags = sources.flags.clone();
    let (mut refused, mut left_out) = (Vec::new(), Vec::new());
    let mut config = in_force(sources, &left_out).await;
    // Each twice: one may show only when the other is left out.
    for option in check::SECRETS.into_iter().chain(check::SECRETS) {
        let Err(Error::Config(error)) = &config else { break };
        let error = error.clone();
        let without = [left_out.as_slice(), &[option]].concat();
        sources.flags = flags.clone();
        let tried = in_force(sources, &without).await;
        // It is another secret, or no secret at all.
        if matches!(&tried, Err(Error::Config(same)) if *same == error) {
            continue;
        }
        refused.push(RefusedSecret { option, error });
        (config, left_out) = (tried, without);
    }
    Ok((config?, refused))
}

/// From a saved schema no database is asked, for its settings neither.
async fn configuration_for(sources: &mut Sources, schema: &SchemaSource) -> Result<Config, Error> {
    match schema {
        SchemaSource::Database => in_force(sources, &[]).await,
        SchemaSource::File(_) => Ok(Config::load(sources).map_err(Error::Config)?.0),
    }
}

/// The configuration, with the settings that the database holds, as if the options `left_out` were set nowhere.
async fn in_force(sources: &mut Sources, left_out: &[&str]) -> Result<Config, Error> {
    sources.flags.extend(left_out.iter().map(|option| ((*option).to_owned(), String::new())));
    // What leads to the database cannot come from there.
    sources.database.clear();
    let (config, _) = Config::load(sources).map_err(Error::Config)?;
    if !config.db_config {
        return Ok(config);
    }
    let names: Vec<_> = Config::database_settings().collect();
    let function = config.db_pre_config.as_ref();
    let mut lent = pool(&config)?.lend().await.map_err(Error::Database)?;
    let client = lent.client().map_err(Error::Database)?;
    let found = configuration::database_settings(client, &names, function).await;
    lent.give_back();
    sources.database = found.map_err(Error::Database)?;
    for option in left_out {
        sources.database.remove(&format!("pgrst.{}", option.replace('-', "_")));
    }
    Ok(Config::load(sources).map_err(Error::Config)?.0)
}

async fn catalog(config: &Config, schema: &SchemaSource) -> Result<Catalog, Error> {
    let database = match schema {
        SchemaSource::File(path) => {
            let text = fs::read_to_string(path).map_err(Error::System)?;
            descriptor::from_json(&text).map_err(Error::Database)?
        }
        SchemaSource::Database => {
            let mut lent = pool(config)?.lend().await.map_err(Error::Database)?;
            let client = lent.client().map_err(Error::Database)?;
            let found = introspect(client, &exposed(config), None).await;
            lent.give_back();
            found.map_err(Error::Database)?.database
        }
    };
    Ok(Catalog::new(database))
}

fn pool(config: &Config) -> Result<Pool, Error> {
    let (connection, _) = config.connection().map_err(Error::Config)?;
    Pool::new(&connection, Options::from(config), Arc::default()).map_err(Error::Database)
}

fn internal(error: &dyn std::fmt::Display) -> Box<error::Error> {
    error::Error::new(error::Fault::Internal, "The schema cannot be described").cause(error)
}
