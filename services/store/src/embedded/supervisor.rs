//! Keeps the child running. A thread of its own, for two reasons: the kernel's parent-death signal follows the thread that
//! started the child, and reading the child's stderr to its end is waiting for the child's end.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{sys::signal, unistd::Pid};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A child that lived so long had started well: the next pause is the first one again.
const LIVED_WELL: Duration = Duration::from_secs(60);
/// From the closed pipe to the kill, when stopping.
const STOP_WITHIN: Duration = Duration::from_secs(4);
const KEPT_LINES: usize = 12;
/// Longest line that is logged and kept.
const LINE_BYTES: u64 = 2_000;

#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// How often the child ended.
    ends: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    ended: bool,
    pid: Option<u32>,
    /// The pipe that keeps the child alive.
    stdin: Option<ChildStdin>,
    lines: VecDeque<String>,
}

impl Supervisor {
    /// Starts the child; from then on it is started again whenever it ends.
    pub(super) fn start(exe: PathBuf, args: Vec<OsString>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (first, started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("clickhouse-supervisor".to_owned()).spawn({
            let shared = shared.clone();
            move || {
                let child = spawn(&exe, &args);
                match child {
                    Ok(child) => {
                        let _ = first.send(Ok(()));
                        shared.supervise(child, || spawn(&exe, &args));
                    }
                    Err(error) => drop(first.send(Err(error))),
                }
                shared.lock().ended = true;
                shared.changed.notify_all();
            }
        })?;
        started.recv().unwrap_or_else(|_| Err(std::io::Error::other("the supervisor's thread ended")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn ends(&self) -> u64 {
        self.shared.ends.load(Ordering::Acquire)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// The last lines of the child's stderr.
    pub(super) fn last_words(&self) -> String {
        let state = self.shared.lock();
        if state.lines.is_empty() { "it said nothing".to_owned() } else { Vec::from(state.lines.clone()).join(" | ") }
    }

    /// Ends the child and joins the thread.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let mut state = self.shared.lock();
        state.stopping = true;
        state.stdin = None;
        self.shared.changed.notify_all();
        let waited = self.shared.changed.wait_timeout_while(state, STOP_WITHIN, |state| !state.ended);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out()
            && let Some(pid) = state.pid
        {
            tracing::warn!(pid, "the embedded clickhouse did not end, killing it");
            kill(pid);
        }
        drop(state);
        if thread.join().is_err() {
            tracing::warn!("the embedded clickhouse's supervisor panicked");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere doesn't spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn supervise(&self, mut child: Child, spawn: impl Fn() -> std::io::Result<Child>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let born = Instant::now();
            self.watch(&mut child);
            if born.elapsed() > LIVED_WELL {
                pause = FIRST_PAUSE;
            }
            child = loop {
                let state = self.lock();
                let waited = self.changed.wait_timeout_while(state, pause, |state| !state.stopping);
                if waited.unwrap_or_else(PoisonError::into_inner).0.stopping {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                match spawn() {
                    Ok(child) => break child,
                    Err(error) => tracing::error!(%error, "the embedded clickhouse could not be started again"),
                }
            };
        }
    }

    /// One child, to its end.
    fn watch(&self, child: &mut Child) {
        let pid = child.id();
        {
            let mut state = self.lock();
            state.pid = Some(pid);
            // Stopped between two children: without its pipe this one ends at once.
            state.stdin = child.stdin.take().filter(|_| !state.stopping);
            state.lines.clear();
        }
        tracing::info!(pid, "embedded clickhouse started");
        if let Some(stderr) = child.stderr.take() {
            self.listen(stderr);
        }
        let status = child.wait();
        let mut state = self.lock();
        state.pid = None;
        state.stdin = None;
        let stopping = state.stopping;
        drop(state);
        self.ends.fetch_add(1, Ordering::Release);
        match status {
            _ if stopping => tracing::info!(pid, "embedded clickhouse stopped"),
            Ok(status) => tracing::error!(pid, %status, "embedded clickhouse ended, starting it again"),
            Err(error) => tracing::error!(pid, %error, "embedded clickhouse is lost, starting it again"),
        }
    }

    /// Logs what the child says, until its stderr closes.
    fn listen(&self, stderr: impl Read) {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        while let Ok(1..) = stderr.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            if text.is_empty() {
                continue;
            }
            tracing::warn!(target: "clickhouse", "{text}");
            let mut state = self.lock();
            if state.lines.len() == KEPT_LINES {
                state.lines.pop_front();
            }
            state.lines.push_back(text);
        }
    }
}

fn spawn(exe: &PathBuf, args: &[OsString]) -> std::io::Result<Child> {
    Command::new(exe)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own: ctrl-C is for the parent, which stops the child last.
        .process_group(0)
        .spawn()
}

fn kill(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
    }
}
