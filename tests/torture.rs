//! Starts, stops, kills, restarts, edits and reloads in random order; and writes on a disk that fills up in between.
//!
//! A short round runs with every test; `make torture` runs 1000 operations (`OPENCLAW_TORTURE` says how many). The
//! seed is printed, and `OPENCLAW_TORTURE_SEED` repeats a round.
use crate::disk::Small;
use crate::harness::*;
use rustix::process::Signal;

/// The gateway and what must be true of it.
struct World {
    gateway: Gateway,
    is_running: bool,
    /// The file as the last edit left it.
    config: Vec<u8>,
    edits: u64,
}

impl World {
    fn step(&mut self, what: usize) {
        match (what, self.is_running) {
            (0 | 1, false) => {
                self.gateway.restart();
                self.is_running = true;
            }
            (0, true) => {
                assert_eq!(self.gateway.stop().0, 0, "a stop is a clean end");
                self.is_running = false;
            }
            (1, true) => {
                self.gateway.kill();
                self.is_running = false;
            }
            (2 | 3, true) => (0..=what % 3).for_each(|_| self.gateway.signal(Signal::USR1)),
            (4, _) => self.edit(),
            (5, _) => {
                // A hand edit of nothing: the same bytes once more.
                std::fs::write(self.gateway.config_path(), &self.config).unwrap();
            }
            (6, _) => drop(self.gateway.cli(&["doctor", "--lint", "--json"])),
            _ => drop(self.gateway.cli(&["status", "--json"])),
        }
    }

    fn edit(&mut self) {
        self.edits += 1;
        let name = format!("Ada {}", self.edits);
        let output = self.gateway.cli(&["config", "set", "ui.assistant.name", &name]);
        assert!(output.status.success(), "{output:?}");
        let text = std::fs::read(self.gateway.config_path()).unwrap();
        let before = String::from_utf8_lossy(&self.config).replace(&format!("Ada {}", self.edits - 1), &name);
        if self.edits > 1 {
            assert_eq!(String::from_utf8_lossy(&text), before, "R-02b: nothing but the value has changed");
        }
        self.config = text;
    }

    fn check(&mut self, op: u64) {
        let now = std::fs::read(self.gateway.config_path()).unwrap();
        assert!(now == self.config, "R-02a: the config has changed by itself after operation {op}");
        assert_eq!(processes(self.gateway.port), usize::from(self.is_running), "R-01a: after operation {op}");
        if !self.is_running {
            return;
        }
        // One that is cut off by a restart is asked again.
        let gateway = &self.gateway;
        wait_for("the gateway to answer", || {
            gateway.cli(&["gateway", "call", "health"]).status.success().then_some(())
        });
    }
}

/// Processes that were started on this port.
fn processes(port: u16) -> usize {
    let wanted = format!("\0--port\0{port}\0");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(&wanted)).count()
}

#[test]
fn r_01_r_02_r_14_random_operations_leave_one_gateway_one_config_one_port() {
    let operations = setting("OPENCLAW_TORTURE", 60);
    let seed = setting("OPENCLAW_TORTURE_SEED", u64::from(std::process::id()) * 7919 + 1);
    println!("{operations} operations, seed {seed}");
    let gateway = Gateway::start(&Setup::config(json!({"commands": {"restart": true}})));
    let config = std::fs::read(gateway.config_path()).unwrap();
    let mut world = World { gateway, is_running: true, config, edits: 0 };
    let mut random = Random(seed);
    for op in 0..operations {
        let pid = world.gateway.pid();
        let what = random.below(8);
        world.step(what);
        if what > 1 && world.is_running {
            assert_eq!(world.gateway.pid(), pid, "R-01a: only a start makes a process");
        }
        world.check(op);
    }
}

#[test]
fn r_02c_a_disk_that_is_full_at_any_point_leaves_the_old_or_the_new_config() {
    let Some(small) = Small::mount() else {
        return println!("skipped: this user may not mount a small file system");
    };
    let path = small.path().join("openclaw.json");
    let text = |n: usize| {
        format!("{{\n  // {}\n  ui: {{ assistant: {{ name: \"n{n}\" }} }},\n}}\n", "x".repeat(9000))
    };
    std::fs::write(&path, text(0)).unwrap();
    let dir = gateway::new_dir();
    let set = |n: usize| {
        let mut command = gateway::command(&dir);
        command.env("OPENCLAW_CONFIG_PATH", &path).env("OPENCLAW_STATE_DIR", small.path().join("state"));
        command.args(["config", "set", "ui.assistant.name", &format!("n{n}")]).output().unwrap()
    };
    let (mut held, mut refused) = (0, 0);
    for (n, free) in [0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 64].into_iter().enumerate() {
        let n = n + 1;
        small.fill_but(free * 4096);
        let output = set(n);
        small.empty();
        let now = std::fs::read_to_string(&path).unwrap();
        if output.status.success() {
            held = n;
        } else {
            refused += 1;
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains("No space left"), "{told}");
        }
        assert_eq!(now, text(held), "with {free} pages free");
        let litter: Vec<_> =
            std::fs::read_dir(small.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(!litter.iter().any(|f| f.to_string_lossy().ends_with(".tmp")), "{litter:?}");
    }
    assert!(refused > 0 && held > 0, "both happened: {refused} refused, {held} held");
}
