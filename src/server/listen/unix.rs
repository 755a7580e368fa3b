//! Binds a socket file. It removes a socket that was left behind, and never a file of another kind.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use tokio::net::{UnixSocket, UnixStream};

use super::Sharing;

/// Binds `path` and sets its permission bits; nobody can connect before they are set, because nothing listens yet.
pub(super) async fn bind(path: &Path, mode: u32, sharing: Sharing) -> io::Result<UnixSocket> {
    remove_stale(path, sharing).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    tokio::fs::set_permissions(path, Permissions::from_mode(mode)).await?;
    Ok(socket)
}

async fn remove_stale(path: &Path, sharing: Sharing) -> io::Result<()> {
    let in_use = |what| Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{}: {what}", path.display())));
    match tokio::fs::symlink_metadata(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => return in_use("a file that is not a socket"),
        Ok(_socket) => {}
    }
    match sharing {
        Sharing::Exclusive if UnixStream::connect(path).await.is_ok() => {
            return in_use("another process listens on it");
        }
        Sharing::Exclusive | Sharing::Shared => {}
    }
    tokio::fs::remove_file(path).await
}
