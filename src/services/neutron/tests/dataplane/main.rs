//! Tests of the dataplane on real namespaces.
