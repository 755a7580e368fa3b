//! `pgduet check`: what in a database and its configuration lets a client do more than was meant. One table of checks;
//! each looks at one thing and says what follows from it and what to do. It changes nothing, tries no attack, and
//! cannot see what a policy or a function's text means: a report without findings is no proof of safety.

mod database;
mod given;
mod pooling;
mod report;
mod transport;

use crate::{
    config::{self, Config},
    error::Result,
};
use given::Given;
use tokio_postgres::Client;

pub use self::report::{Report, Verdict};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A client, or whoever guesses a token, can have everything.
    Critical,
    /// A client can do more than was meant, or a fault elsewhere becomes one.
    Warning,
    /// Worth a look; a check passes with it.
    Note,
}

/// One check: a row of the table.
struct Check {
    name: &'static str,
    severity: Severity,
    look: Look,
    /// What follows from a finding: a sentence.
    consequence: &'static str,
    /// What to do where the remedy of a finding alone does not say it: a sentence.
    advice: &'static str,
}

/// Where a check looks.
enum Look {
    /// In the database: a query for subject, cause and remedy, see [`database`].
    Database(&'static str),
    /// At the configuration and at how the connection behaves.
    Given(fn(&Given<'_>) -> Option<Seen>),
}

/// What a check has seen.
struct Seen {
    /// What it is about: `table api.books`.
    subject: String,
    /// What is wrong with it: a sentence.
    cause: String,
    /// What puts it right: SQL, or an option as the configuration file writes it.
    remedy: String,
}

/// The checks, by severity.
const CHECKS: &[Check] = &[
    Check {
        name: "superuser",
        severity: Severity::Critical,
        look: Look::Database(include_str!("check/superuser.sql")),
        consequence: "No privilege and no policy holds for a superuser, who can also run programs on the server.",
        advice: "Log in as a role that has no rights of its own and may become the API roles only.",
    },
    Check {
        name: "secret",
        severity: Severity::Critical,
        look: Look::Given(given::secret),
        consequence: "Who guesses the secret signs tokens for any role.",
        advice: "A secret is random and has at least 32 bytes: openssl rand -base64 32.",
    },
    Check {
        name: "write-without-rls",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/write_without_rls.sql")),
        consequence: "Whoever holds the role can change or delete every row.",
        advice: "Then add a policy for each role that says which rows are its own; or revoke the right to write.",
    },
    Check {
        name: "view-above-rls",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/view_above_rls.sql")),
        consequence: "The view shows rows that policies hide from whoever reads it.",
        advice: "If the view is meant to show them, it is all that stands between its readers and these rows.",
    },
    Check {
        name: "requests-as-login",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/requests_as_login.sql")),
        consequence: "Whatever the login role may do, anybody may do without a token.",
        advice: "Then name that role in db-anon-role.",
    },
    Check {
        name: "anonymous-role",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/anonymous_role.sql")),
        consequence: "Every request without a token fails.",
        advice: "",
    },
    Check {
        name: "bypass-rls",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/bypass_rls.sql")),
        consequence: "No policy holds for the role, whatever the tables say.",
        advice: "",
    },
    Check {
        name: "owner",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/owner.sql")),
        consequence: "Policies do not hold for an owner, who can also change and drop the table.",
        advice: "Let a role own the table that nobody logs in as and no token names.",
    },
    Check {
        name: "definer-search-path",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/definer_search_path.sql")),
        consequence: "An object of the same name in a schema that comes earlier is used with the owner's rights.",
        advice: "Name the schemas that the function needs, none that others may create in, and pg_temp last.",
    },
    Check {
        name: "create-in-schema",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/create_in_schema.sql")),
        consequence: "What the role creates there is found by names in the requests of other roles.",
        advice: "",
    },
    Check {
        name: "no-statement-timeout",
        severity: Severity::Warning,
        look: Look::Database(include_str!("check/no_statement_timeout.sql")),
        consequence: "One slow request holds a connection of the pool for as long as it likes.",
        advice: "pgduet applies the settings of a role to its requests, those for all databases.",
    },
    Check {
        name: "page-token-secret",
        severity: Severity::Warning,
        look: Look::Given(given::page_token_secret),
        consequence: "Who guesses the secret forges page tokens.",
        advice: "A secret is random and has at least 32 bytes: openssl rand -base64 32.",
    },
    Check {
        name: "pooler-prepared-statements",
        severity: Severity::Warning,
        look: Look::Given(given::prepared_behind_pooler),
        consequence: "A statement that one process prepares stays on a server connection that others are given.",
        advice: "",
    },
    Check {
        name: "keys-over-http",
        severity: Severity::Warning,
        look: Look::Given(given::keys_over_http),
        consequence: "Who can change answers on their way to pgduet can put in keys of their own, and sign tokens for any role.",
        advice: "Let the issuer be reached by https.",
    },
    Check {
        name: "admin-server-open",
        severity: Severity::Warning,
        look: Look::Given(given::admin_server_open),
        consequence: "Whoever reaches the port reads metrics and the names of all that is in the exposed schemas.",
        advice: "Where a probe comes from another machine, let a firewall or network policy admit the probe alone.",
    },
    Check {
        name: "plans-shown",
        severity: Severity::Warning,
        look: Look::Given(given::plans_shown),
        consequence: "Plans tell clients of row counts and conditions that policies are to hide.",
        advice: "",
    },
    Check {
        name: "no-effect",
        severity: Severity::Warning,
        look: Look::Given(given::no_effect),
        consequence: "What it was to protect is not protected.",
        advice: "CONFIG.md lists the options, and where each can be set.",
    },
    Check {
        name: "nobody-served",
        severity: Severity::Warning,
        look: Look::Given(given::nobody_served),
        consequence: "Every request is refused: without a token there is no role, and no token can be verified.",
        advice: "",
    },
    Check {
        name: "definer-for-everyone",
        severity: Severity::Note,
        look: Look::Database(include_str!("check/definer_for_everyone.sql")),
        consequence: "The anonymous client runs it with the owner's rights, as does every role to come.",
        advice: "Then grant it to those who are to call it.",
    },
    Check {
        name: "rls-without-policy",
        severity: Severity::Note,
        look: Look::Database(include_str!("check/rls_without_policy.sql")),
        consequence: "The roles see no row and can write none, although they have the privileges.",
        advice: "Add a policy for each of the roles, or revoke what they were granted.",
    },
    Check {
        name: "pooler-channel",
        severity: Severity::Note,
        look: Look::Given(given::channel_behind_pooler),
        consequence: "A notification reaches pgduet by chance: it misses reloads.",
        advice: "Reload with SIGUSR1, or let db-uri lead past the pooler.",
    },
    Check {
        name: "database-not-verified",
        severity: Severity::Note,
        look: Look::Given(given::database_not_verified),
        consequence: "Who sits between pgduet and the database can answer in its place and read all.",
        advice: "",
    },
    Check {
        name: "document-shows-all",
        severity: Severity::Note,
        look: Look::Given(given::document_shows_all),
        consequence: "Clients read names and comments of what their role may not use.",
        advice: "",
    },
];

/// The options that a secret stands in.
pub const SECRETS: [&str; 2] = [given::JWT_SECRET, given::PAGE_TOKEN_SECRET];

/// A secret that the server does not start with.
#[derive(Debug)]
pub struct RefusedSecret {
    /// One of [`SECRETS`].
    pub option: &'static str,
    /// What is wrong with it.
    pub error: config::Error,
}

/// What a check starts from.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The configuration in force.
    pub config: &'a Config,
    /// What was said of it when it was read.
    pub warnings: Vec<config::Warning>,
    /// The secrets that had to be left out of it.
    pub refused: Vec<RefusedSecret>,
    /// A connection to the database.
    pub client: &'a mut Client,
    /// Another one: a pooler shows where two are used at once.
    pub other: &'a mut Client,
}

/// Looks at everything, in one READ ONLY transaction.
///
/// # Errors
/// The database cannot be asked, or an exposed schema does not exist.
pub async fn check(subject: Subject<'_>) -> Result<Report> {
    let given = Given {
        config: subject.config,
        warnings: &subject.warnings,
        refused: &subject.refused,
        pooling: pooling::pooling(subject.client, subject.other).await?,
    };
    let database = database::Database::open(subject.client, subject.config).await?;
    let mut report = Report::default();
    for check in CHECKS {
        match check.look {
            Look::Database(sql) => report.add(check, database.look(sql).await?),
            Look::Given(look) => report.add(check, look(&given)),
        }
    }
    database.close().await?;
    Ok(report)
}
