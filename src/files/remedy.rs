//! What is to be done about a file that cannot be read at the moment, though nothing is known to be wrong with what it says.
use std::io::{Error, ErrorKind};
use std::path::Path;

/// Why it cannot be read, and what is to be done: the rest of a sentence. What this program found itself says both.
pub fn unread(path: &Path, e: &Error) -> String {
    match e.raw_os_error() {
        Some(_) => format!("{e}; {}", remedy(path, e)),
        None => e.to_string(),
    }
}

/// What is to be done, in words, as the rest of a sentence.
pub fn remedy(path: &Path, e: &Error) -> String {
    use rustix::io::Errno;
    let is = |all: &[Errno]| all.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error()));
    match e.kind() {
        ErrorKind::PermissionDenied => "make it readable to the gateway's user".to_string(),
        ErrorKind::NotADirectory => match path.ancestors().skip(1).find(|above| above.is_file()) {
            Some(file) => format!("{} is a file: move it away, a directory belongs there", file.display()),
            None => "make a directory of what is a file above it".to_string(),
        },
        _ if super::is_short(e) => "close what else is open, or raise the limit (ulimit -n)".to_string(),
        _ if is(&[Errno::LOOP]) => "put the file in the place of links that lead in a circle".to_string(),
        // Only a link is there.
        ErrorKind::NotFound => "put the file where its link leads, or remove the link".to_string(),
        ErrorKind::IsADirectory | ErrorKind::InvalidInput => "move it away, a file belongs there".to_string(),
        _ => "see to the disk that it lies on".to_string(),
    }
}
