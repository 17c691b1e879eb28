//! Tables of synthetic records with values computed by hand.
