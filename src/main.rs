//! The operator's binary; all it does is in the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    uko_operator::cli::main()
}
