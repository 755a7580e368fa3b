//! The benchmark: that its parts count and compare as they say, and that a short run of the whole works. Its numbers
//! are nobody's promise and no test looks at them.

#[allow(dead_code, reason = "its main function is the benchmark's own")]
#[path = "../../benches/compare/main.rs"]
mod compare;

mod load;
mod parts;
