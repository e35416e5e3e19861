//! The lines of users files, taken into the model: what builds a graph reads no files. What is wrong with a file or a
//! line is found in `checks`.

use crate::load::LoadOptions;
use pn_model::limits::USERS_FILE_BYTES;
use pn_model::{MiddlewareKind, Model, Secret};
use std::path::Path;

/// Offline nothing is read, and a model that is only looked at gets a user that nobody is. So does one that is refused,
/// lest the users that were left out are missed too.
const NOBODY: &str = "nobody:{SHA}-";

pub(crate) fn read(model: &mut Model, options: &LoadOptions<'_>, refused: bool) {
    for middleware in model.middlewares.values_mut() {
        let MiddlewareKind::BasicAuth(auth) = &mut middleware.kind else { continue };
        if let Some(path) = auth.users_file.as_ref().filter(|_| !options.offline) {
            auth.users.extend(lines(path, options));
        }
        if auth.users.is_empty() && (options.offline || refused) {
            auth.users.push(Secret::new(NOBODY));
        }
    }
}

fn lines(path: &Path, options: &LoadOptions<'_>) -> Vec<Secret> {
    let bytes = options.fs.read(path, USERS_FILE_BYTES).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(Secret::new).collect()
}
