//! The beginning of a session: who comes, whether it may, and what PostgreSQL says of itself.

use super::{Error, Key, Line, Wire, authenticate::authenticate};
use postgres_protocol::message::{backend::Message, frontend};
use tokio_postgres::Config;

/// Begins a session on a line. `binding` is what a password can be bound to.
pub(in crate::execute) async fn start(
    line: Box<dyn Line>,
    binding: Option<Vec<u8>>,
    config: &Config,
) -> Result<Wire, Error> {
    let mut wire = Wire::new(line);
    let user = match config.get_user() {
        Some(user) => user.to_owned(),
        None => system_user()?,
    };
    let parameters = [
        ("client_encoding", Some("UTF8")),
        ("user", Some(user.as_str())),
        ("database", config.get_dbname()),
        ("options", config.get_options()),
        ("application_name", config.get_application_name()),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    wire.out.raw(|out| frontend::startup_message(given, out))?;
    authenticate(&mut wire, config, &user, binding).await?;
    wire.is_for_nobody();
    loop {
        let frame = wire.frame().await?;
        match frame.tag() {
            b'K' => match frame.message()? {
                Message::BackendKeyData(body) => {
                    wire.key = Key { process: body.process_id(), secret: body.secret_key() };
                }
                _ => return Err(Error::protocol("a key that is none")),
            },
            b'Z' => return Ok(wire),
            _ => return Err(frame.unexpected()),
        }
    }
}

/// As libpq: whoever runs this.
fn system_user() -> Result<String, Error> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten();
    user.map(|user| user.name).ok_or_else(|| Error::protocol("the user of this process has no name: set one"))
}
