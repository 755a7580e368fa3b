//! How a session shows who it is: a password as PostgreSQL asks for it, bound to the TLS channel where that can be; or
//! nothing, where the certificate or the socket has said it. A server that cannot prove that it knows the password is
//! not believed where the password is asked for by SCRAM.

use super::{Error, Wire};
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{self, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use tokio_postgres::{Config, config::ChannelBinding};

pub(super) async fn authenticate(
    wire: &mut Wire,
    config: &Config,
    user: &str,
    binding: Option<Vec<u8>>,
) -> Result<(), Error> {
    match asked(wire).await? {
        Message::AuthenticationOk => return may_be_unbound(config),
        Message::AuthenticationCleartextPassword => {
            may_be_unbound(config)?;
            let password = password(config)?;
            wire.out.raw(|out| frontend::password_message(password, out))?;
        }
        Message::AuthenticationMd5Password(body) => {
            may_be_unbound(config)?;
            let hash = md5_hash(user.as_bytes(), password(config)?, body.salt());
            wire.out.raw(|out| frontend::password_message(hash.as_bytes(), out))?;
        }
        Message::AuthenticationSasl(body) => scram(wire, &body, config, binding).await?,
        _ => {
            return Err(Error::protocol("PostgreSQL asks for a way of authentication that is not supported"));
        }
    }
    match asked(wire).await? {
        Message::AuthenticationOk => Ok(()),
        _ => Err(Error::protocol("PostgreSQL asks for more after it was shown a password")),
    }
}

/// What PostgreSQL asks for.
async fn asked(wire: &mut Wire) -> Result<Message, Error> {
    let frame = wire.frame().await?;
    match frame.tag() {
        b'R' => frame.message(),
        _ => Err(frame.unexpected()),
    }
}

fn password(config: &Config) -> Result<&[u8], Error> {
    config.get_password().ok_or_else(|| Error::protocol("PostgreSQL asks for a password, and there is none"))
}

fn may_be_unbound(config: &Config) -> Result<(), Error> {
    match config.get_channel_binding() {
        ChannelBinding::Require => {
            Err(Error::protocol("channel_binding=require, and PostgreSQL does not bind the password"))
        }
        _ => Ok(()),
    }
}

/// SCRAM-SHA-256, bound to the channel (`-PLUS`) where both sides can.
async fn scram(
    wire: &mut Wire,
    offered: &AuthenticationSaslBody,
    config: &Config,
    binding: Option<Vec<u8>>,
) -> Result<(), Error> {
    let password = password(config)?;
    let offered: Vec<_> = offered.mechanisms().map(|name| Ok(name.to_owned())).collect()?;
    let is_offered = |mechanism: &str| offered.iter().any(|name| name == mechanism);
    let binding = binding.filter(|_| config.get_channel_binding() != ChannelBinding::Disable);
    let (mechanism, binding) = match binding {
        Some(hash) if is_offered(sasl::SCRAM_SHA_256_PLUS) => {
            (sasl::SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(hash))
        }
        // The server is told that the offer was missed, in case somebody took it away.
        Some(_) => (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unrequested()),
        None => (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unsupported()),
    };
    if mechanism != sasl::SCRAM_SHA_256_PLUS {
        may_be_unbound(config)?;
    }
    if !is_offered(mechanism) {
        return Err(Error::protocol("PostgreSQL offers no SCRAM that is supported"));
    }
    let mut scram = ScramSha256::new(password, binding);
    wire.out.raw(|out| frontend::sasl_initial_response(mechanism, scram.message(), out))?;
    match asked(wire).await? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
        _ => return Err(Error::protocol("PostgreSQL leaves SCRAM half-way")),
    }
    wire.out.raw(|out| frontend::sasl_response(scram.message(), out))?;
    match asked(wire).await? {
        Message::AuthenticationSaslFinal(body) => Ok(scram.finish(body.data())?),
        _ => Err(Error::protocol("PostgreSQL does not prove that it knows the password")),
    }
}
