//! The binary; what it does is in the library beside it, so that it is compiled once for the binary and its tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    yiping::main()
}
