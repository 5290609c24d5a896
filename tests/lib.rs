//! Whole-cloud tests.
