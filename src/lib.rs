//! The library front page.
