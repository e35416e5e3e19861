//! Connections: from an accepted socket to requests.
