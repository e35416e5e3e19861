//! Tests of the router: tables for the rules, generated graphs for the matchers.

mod random;
