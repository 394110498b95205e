//! The child's side: load ClickHouse's library and let it serve until the parent is gone. The one place with unsafe code.

use std::{
    ffi::{CStr, CString, OsString, c_char, c_int, c_void},
    fs::{File, TryLockError},
    io::Read,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::{prctl, signal},
    unistd,
};

/// The hidden argument; library, configuration and data folder follow it.
pub const CHILD_ARGUMENT: &str = "__clickhouse";

/// Starts the listeners, then waits for ever: the query ends only with the process.
const SERVE: &str = "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT sleepEachRow(3) FROM system.numbers FORMAT Null \
     SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0";

/// How long a folder is waited for; then ClickHouse itself says who holds it.
const FOLDER_WAIT: Duration = Duration::from_secs(20);

/// Becomes the embedded ClickHouse if this process was started to be it, and returns at once if not. To be called first thing in
/// main, before any thread or runtime is started.
pub fn run_child_if_asked() {
    let mut args = std::env::args_os().skip_while(|arg| arg != CHILD_ARGUMENT);
    if args.next().is_some() {
        child_main(args)
    }
}

/// The child's main: `args` are library, configuration and data folder. Never returns; an end is always a failure.
pub fn child_main(args: impl IntoIterator<Item = OsString>) -> ! {
    let args: Vec<OsString> = args.into_iter().collect();
    let said = match args.as_slice() {
        [lib, config, data] => {
            die_with_parent();
            wait_for(Path::new(data));
            serve(Path::new(lib), config, data)
        }
        _ => format!("{CHILD_ARGUMENT} takes library, configuration and data folder"),
    };
    eprintln!("{said}");
    std::process::exit(1)
}

/// A ClickHouse that was killed holds its data folder until the kernel has cleared up after it, which takes seconds where it had much
/// memory: its successor waits, instead of ending with "already running".
fn wait_for(data: &Path) {
    let Ok(status) = File::open(data.join("status")) else {
        return; // a new folder
    };
    let began = Instant::now();
    while matches!(status.try_lock(), Err(TryLockError::WouldBlock)) && began.elapsed() < FOLDER_WAIT {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Two ways, for either can fail: the kernel's signal follows the parent's thread, the pipe whoever holds its other end.
fn die_with_parent() {
    if let Err(error) = prctl::set_pdeathsig(signal::Signal::SIGKILL) {
        eprintln!("no parent-death signal: {error}");
    }
    std::thread::spawn(|| {
        let mut stdin = std::io::stdin().lock();
        let mut nothing = [0_u8; 64];
        while let Ok(1..) = stdin.read(&mut nothing) {}
        // Not `exit`: that would run the library's destructors under its running threads. Acknowledged rows are on disk.
        let _ = signal::kill(unistd::getpid(), signal::Signal::SIGKILL);
    });
}

/// Runs ClickHouse; returns only on failure, with what it said.
#[expect(
    unsafe_code,
    reason = "a C library is loaded and called; its four functions and their contracts are stated below"
)]
fn serve(lib: &Path, config: &OsString, data: &OsString) -> String {
    type QueryCmdline = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;
    type ResultError = unsafe extern "C" fn(*mut c_void) -> *const c_char;

    let option = |name: &str, value: &OsString| {
        let mut bytes = format!("--{name}=").into_bytes();
        bytes.extend_from_slice(value.as_bytes());
        bytes
    };
    let args = [
        b"clickhouse".to_vec(),
        option("config-file", config),
        option("path", data),
        b"--logger.level=warning".to_vec(),
        b"--query".to_vec(),
        SERVE.as_bytes().to_vec(),
    ];
    let Ok(args) = args.into_iter().map(CString::new).collect::<Result<Vec<CString>, _>>() else {
        return "a path holds a zero byte".to_owned();
    };
    let mut pointers: Vec<*mut c_char> = args.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    let Ok(count) = c_int::try_from(pointers.len()) else { return "too many arguments".to_owned() };

    // SAFETY: the file is the pinned library (its hash was checked when it was stored) or the one that the operator names; its
    // initialisers expect nothing of us. It is never unloaded: the process ends with it.
    let library = match unsafe { libloading::Library::new(lib) } {
        Ok(library) => library,
        Err(error) => return format!("{} can't be loaded: {error}", lib.display()),
    };
    // SAFETY: the symbols have these C signatures in libchdb 26.7.3: `void *(int, char **)` and `const char *(void *)`.
    let (query_cmdline, result_error) = match unsafe {
        (library.get::<QueryCmdline>(b"chdb_query_cmdline\0"), library.get::<ResultError>(b"chdb_result_error\0"))
    } {
        (Ok(query), Ok(error)) => (query, error),
        (Err(error), _) | (_, Err(error)) => return format!("{} is not the libchdb we need: {error}", lib.display()),
    };
    pointers.push(std::ptr::null_mut()); // as a C main's argv ends
    // SAFETY: `pointers` holds `count` strings that live until the call returns, which does not write to them.
    let result = unsafe { query_cmdline(count, pointers.as_mut_ptr()) };
    if result.is_null() {
        return "ClickHouse ended without a word".to_owned();
    }
    // SAFETY: `result` is what the call above returned; the text it points to lives as long as the result, which is not freed.
    let error = unsafe { result_error(result) };
    if error.is_null() {
        return "ClickHouse ended".to_owned();
    }
    // SAFETY: a zero-terminated string, not null, not freed.
    unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned()
}
