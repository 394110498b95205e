#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| yiping_fuzz::lines(bytes));
