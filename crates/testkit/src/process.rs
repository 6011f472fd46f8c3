//! Programs under test as processes of their own, as people run them: killed when dropped, read line by line.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io::{BufRead as _, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// How long anything that must come may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often is looked whether it came.
const POLL: Duration = Duration::from_millis(20);

/// A running program. Dropping it kills it; what it said is shown when the test fails.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// What was written to one stream so far.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn follow(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        })
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().iter().try_for_each(|line| writeln!(f, "  | {line}"))
    }
}

impl Process {
    /// Starts a program; its streams are read from now on.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let name = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let readers = vec![
            stdout.follow(child.stdout.take().expect("the stream is piped")),
            stderr.follow(child.stderr.take().expect("the stream is piped")),
        ];
        Self { name, child, stdout, stderr, readers }
    }

    /// Waits for a line, on either stream, in which `find` finds something.
    ///
    /// # Panics
    /// When the program ends before, or the line does not come in time.
    pub async fn line<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked before the lines are read, so that the last words of a program that ended are heard.
            let ended = self.try_end();
            let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
            if let Some(found) = stdout.iter().chain(&stderr).find_map(|line| find(line)) {
                return found;
            }
            let why = match ended {
                Some(status) => format!("it ended with {status}"),
                None if Instant::now() >= deadline => "it did not come in time".to_owned(),
                None => {
                    sleep(POLL).await;
                    continue;
                }
            };
            panic!("{} should say {what}, but {why}", self.name);
        }
    }

    /// Waits until it has ended by itself, and everything it said was read.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.try_end() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} should end, but runs on", self.name);
            sleep(POLL).await;
        }
    }

    fn try_end(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child can be asked for its end")?;
        self.readers.drain(..).for_each(|reader| reader.join().expect("readers do not panic"));
        Some(status)
    }

    /// Asks it to end, as a supervisor would: SIGTERM.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} takes signals while it runs", self.name);
    }

    /// Ends it here and now, with no chance to finish anything: SIGKILL.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// The lines of standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// The lines of standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.all()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        if thread::panicking() {
            eprintln!("{}\n stdout:\n{} stderr:\n{}", self.name, self.stdout, self.stderr);
        }
    }
}

/// Looks again and again until something is there.
///
/// # Panics
/// When it does not come in time.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(POLL).await;
    }
}

/// An address of this machine that is free, for programs that must know each other's before they listen.
///
/// Outside of the range that systems take for port 0 and for connections, so that nobody else is given it meanwhile.
///
/// # Panics
/// When there is none.
pub fn free_address() -> SocketAddr {
    const PORTS: std::ops::Range<u64> = 20_000..32_000;
    let dice = RandomState::new();
    (0..1_000_u64)
        .map(|round| PORTS.start + dice.hash_one(round) % (PORTS.end - PORTS.start))
        .filter_map(|port| u16::try_from(port).ok())
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("one of a thousand ports is free")
}
