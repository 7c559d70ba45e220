//! A real browser without a window: what it makes of a page, and whom it asks for what.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Chromium, where it is installed.
pub struct Browser(PathBuf);

/// What came of opening a page.
pub struct Opened {
    /// The document as the browser holds it.
    pub dom: String,
    /// What it wrote to its console.
    pub console: Vec<String>,
    /// The first line of each request that left for the network.
    pub requests: Vec<String>,
}

impl Browser {
    /// None, with a message, where there is none.
    pub fn find() -> Option<Self> {
        let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
        let named = std::env::var_os("HABITAT_CHROMIUM").map(PathBuf::from);
        let found = named.into_iter().chain(places.map(PathBuf::from)).find(|path| path.exists());
        if found.is_none() {
            let why = "no Chromium here (apt-get install chromium, or name it in HABITAT_CHROMIUM)";
            // Set where everything is installed.
            assert!(
                std::env::var_os("HABITAT_NO_SKIP").is_none(),
                "skipped, and HABITAT_NO_SKIP is set: {why}"
            );
            println!("skipped: {why}");
        }
        found.map(Self)
    }

    /// Opens a file. Everything that it asks for by the network comes to a proxy that has nothing.
    pub fn open(&self, file: &Path) -> Opened {
        let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = proxy.local_addr().expect("a port").port();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in proxy.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                    let mut line = String::new();
                    let mut reader = BufReader::new(stream);
                    if reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                        let _ = reader
                            .get_mut()
                            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
                        let _ = sender.send(line.trim().to_owned());
                    }
                });
            }
        });
        // Two browsers with one profile are one browser.
        let profile = tempfile::tempdir().expect("a folder");
        let output = self
            .command(profile.path())
            .args(["--dump-dom", "--enable-logging=stderr", "--proxy-bypass-list=<-loopback>"])
            .arg(format!("--proxy-server=http://127.0.0.1:{port}"))
            .arg(format!("file://{}", file.display()))
            .output()
            .expect("a browser that runs");
        let said = String::from_utf8_lossy(&output.stderr);
        Opened {
            dom: String::from_utf8_lossy(&output.stdout).into_owned(),
            console: said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect(),
            // The browser's own chatter is not the page's.
            requests: receiver.try_iter().filter(|line| !line.contains("google")).collect(),
        }
    }

    fn command(&self, profile: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
        command.args([
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--virtual-time-budget=3000",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display())).stdin(Stdio::null());
        command
    }
}
