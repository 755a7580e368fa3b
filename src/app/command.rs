//! The commands that serve nothing: print the configuration or the schema,
//! write protos, ask whether a server is ready.

use super::{Error, admin_endpoint};
use crate::{
    auth::Authenticator,
    catalog::{Catalog, descriptor, introspect::introspect},
    check::{self, Report, Subject},
    cli::SchemaSource,
    config::{self, Config, Sources},
    error,
    execute::{Options, Pool, configuration},
    grpc::{
        SurfaceError,
        export::{self, ExportError},
        lock::{self, Lock},
    },
    openapi::{self, Security, Server, Visibility},
    server::ready::{self, NotReady, Ready},
};
use std::{fs, path::Path, time::Duration};

/// A check that takes longer than this has no answer.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// The configuration in force, as `--dump-config` prints it.
pub async fn dump_config(mut sources: Sources) -> Result<String, Error> {
    let config = in_force(&mut sources).await?;
    Authenticator::new(&config).map_err(Error::Config)?;
    Ok(config.dump())
}

/// The schema as JSON.
pub async fn dump_schema(mut sources: Sources) -> Result<String, Error> {
    let config = in_force(&mut sources).await?;
    let catalog = catalog(&config, &SchemaSource::Database).await?;
    descriptor::to_json(catalog.descriptor()).map_err(Error::Database)
}

/// Asks the admin server of a running process.
pub async fn ready(sources: Sources) -> Result<Result<Ready, NotReady>, Error> {
    let (config, _) = Config::load(&sources).map_err(Error::Config)?;
    Ok(ready::ready(admin_endpoint(&config).map(|options| options.endpoint).as_ref()).await)
}

/// Writes the `.proto` files to a directory, and the lock that keeps their names and numbers:
/// to where `grpc-lock` says, or beside them.
pub async fn proto(mut sources: Sources, out: &Path, schema: &SchemaSource) -> Result<(), Error> {
    let config = configuration_for(&mut sources, schema).await?;
    let catalog = catalog(&config, schema).await?;
    let path = config.grpc_lock.clone().unwrap_or_else(|| out.join(lock::FILE));
    let lock = Lock::read(&path).map_err(Error::Lock)?.unwrap_or_default();
    let export = export::export(&catalog, &config.grpc_package, &lock).map_err(|error| match error {
        ExportError::Surface(SurfaceError::Lock(error)) => Error::Lock(error),
        ExportError::Surface(error @ SurfaceError::Package(_)) => {
            Error::Config(config::Error::Unusable(error.to_string()))
        }
        ExportError::Descriptors(error) => Error::Database(internal(&error)),
    })?;
    let text = export.lock.to_json().map_err(Error::Lock)?;
    export::write(&export.files, out).and_then(|()| fs::write(path, text)).map_err(Error::System)
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
        server: Server::of(&config),
        extra_search_path: &config.db_extra_search_path,
    };
    let document = openapi::document(&source, config.openapi_version);
    serde_json::to_string_pretty(&document).map_err(|error| Error::Database(internal(&error)))
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
    let (config, refused_secret) = match in_force(&mut sources).await {
        Err(Error::Config(error)) => {
            // A secret that keeps the server from starting is a finding, and not all that there may be.
            let Ok(config) = in_force_without_secret(&mut sources).await else {
                return Err(Error::Config(error));
            };
            (config, Some(error))
        }
        other => (other?, None),
    };
    let pool = pool(&config)?;
    let (mut client, connection) = pool.connect_one().await.map_err(Error::Database)?;
    let (mut other, other_connection) = pool.connect_one().await.map_err(Error::Database)?;
    let drivers = [tokio::spawn(connection), tokio::spawn(other_connection)];
    let subject = Subject { config: &config, refused_secret, client: &mut client, other: &mut other };
    let found = check::check(subject).await;
    drop((client, other));
    for driver in drivers {
        let _ = driver.await;
    }
    found.map_err(Error::Database)
}

/// The configuration as if `jwt-secret` were set nowhere.
async fn in_force_without_secret(sources: &mut Sources) -> Result<Config, Error> {
    const SECRET: &str = "jwt-secret";
    sources.flags.insert(SECRET.to_owned(), String::new());
    sources.database.clear();
    match in_force(sources).await {
        Err(Error::Config(_)) => {
            // It is set in the database, which is stronger than a flag.
            sources.database.remove("pgrst.jwt_secret");
            Ok(Config::load(sources).map_err(Error::Config)?.0)
        }
        other => other,
    }
}

/// From a saved schema no database is asked, for its settings neither.
async fn configuration_for(sources: &mut Sources, schema: &SchemaSource) -> Result<Config, Error> {
    match schema {
        SchemaSource::Database => in_force(sources).await,
        SchemaSource::File(_) => Ok(Config::load(sources).map_err(Error::Config)?.0),
    }
}

/// The configuration, with the settings that the database holds.
async fn in_force(sources: &mut Sources) -> Result<Config, Error> {
    let (config, _) = Config::load(sources).map_err(Error::Config)?;
    if !config.db_config {
        return Ok(config);
    }
    let names: Vec<_> = Config::database_settings().collect();
    let function = config.db_pre_config.as_ref();
    let (mut client, connection) = pool(&config)?.connect_one().await.map_err(Error::Database)?;
    let driver = tokio::spawn(connection);
    let found = configuration::database_settings(&mut client, &names, function).await;
    drop(client);
    let _ = driver.await;
    sources.database = found.map_err(Error::Database)?;
    Ok(Config::load(sources).map_err(Error::Config)?.0)
}

async fn catalog(config: &Config, schema: &SchemaSource) -> Result<Catalog, Error> {
    let database = match schema {
        SchemaSource::File(path) => {
            let text = fs::read_to_string(path).map_err(Error::System)?;
            descriptor::from_json(&text).map_err(Error::Database)?
        }
        SchemaSource::Database => {
            let (mut client, connection) = pool(config)?.connect_one().await.map_err(Error::Database)?;
            let driver = tokio::spawn(connection);
            let found = introspect(&mut client, &config.db_schemas, &config.db_extra_search_path).await;
            drop(client);
            let _ = driver.await;
            found.map_err(Error::Database)?
        }
    };
    Ok(Catalog::new(database))
}

fn pool(config: &Config) -> Result<Pool, Error> {
    let (connection, _) = config.connection().map_err(Error::Config)?;
    Pool::new(&connection, Options::from(config)).map_err(Error::Database)
}

fn internal(error: &dyn std::fmt::Display) -> Box<error::Error> {
    error::Error::new(error::Fault::Internal, "The schema cannot be described").cause(error)
}
