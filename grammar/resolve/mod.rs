//! Gives every name its meaning. In: documents. Out: tables of declarations, and diagnostics. Expands nothing.
