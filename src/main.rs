//! The command line: which command, which configuration, what exit code.

fn main() {}
