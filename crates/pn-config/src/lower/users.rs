//! The lines of users files, taken into the model: what builds a graph reads no files. What is wrong with a file or a
//! line is found in `checks`.

use crate::load::LoadOptions;
use pn_model::limits::USERS_FILE_BYTES;
use pn_model::{MiddlewareKind, Model, Secret};

/// Offline nothing is read, and a model that is only looked at gets a user that nobody is.
const NOBODY: &str = "nobody:{SHA}-";

pub(crate) fn read(model: &mut Model, options: &LoadOptions<'_>) {
    for middleware in model.middlewares.values_mut() {
        let MiddlewareKind::BasicAuth(auth) = &mut middleware.kind else { continue };
        if options.offline && (auth.users_file.is_some() || auth.users.is_empty()) {
            auth.users.push(Secret::new(NOBODY));
            continue;
        }
        let Some(path) = &auth.users_file else { continue };
        let bytes = options.fs.read(path, USERS_FILE_BYTES).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        auth.users.extend(lines.map(Secret::new));
    }
}
