//! From checked documents to scenarios: parameters, replicas and patterns filled in.
