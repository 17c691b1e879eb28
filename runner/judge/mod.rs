//! From expectations and numbers to verdicts. In: a run record. Out: its verdicts. Pure.
