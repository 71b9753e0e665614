#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::mgs_target_info(data));
