//! THE ONLY KERNEL ROOM: namespaces, links, impairment engines, preflight, clean-up.
