//! From samples to numbers, one file a metric. In: a flow record and a window. Out: values with their error. Pure.
