//! Records judged whole.
