//! The life of one command on its thread, `gw-exec-N`: it is started, what it says is taken in, and when it ends, or its time
//! does, all that it has started ends with it.
use super::child::{Input, kill_group};
use super::running::{End, Plan, Process};
use super::{cage, keeper, list, mark, terminal};
use crate::error::{Error, Result};
use crate::files;
use crate::sys::Bounds;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Open files, bytes of memory and of a file, processes of the gateway's user.
const FILES: u64 = 1024;
const MEMORY: u64 = 4 << 30;
const FILE: u64 = 4 << 30;
const PROCESSES: u64 = 4096;
const NICE: i32 = 5;
/// How long what a command left behind may still speak.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Looks for the end where the kernel does not tell of it.
const LOOK: Duration = Duration::from_millis(50);

/// One that was started.
struct Spawned {
    child: Child,
    /// What it speaks by: errors behind the rest, where they are kept apart.
    outputs: Vec<File>,
    has_mark: bool,
    /// What it is shut in by.
    made: Option<cage::Made>,
}

impl Process {
    pub(super) fn live(&self, plan: Plan, tell: &crossbeam_channel::Sender<Result<()>>) {
        let name = name(&plan.temp);
        keeper::watch(&name);
        let spawned = self.try_spawn(&plan);
        let Plan { then, temp, timeout, .. } = plan;
        let Spawned { mut child, outputs, has_mark, made } = match spawned {
            Ok(spawned) => spawned,
            Err(error) => {
                keeper::forget(&name);
                list::remove(&temp);
                // Whoever waits may have gone.
                let _ = tell.try_send(Err(error));
                return;
            }
        };
        self.lock().pid = Some(child.id());
        let _ = tell.try_send(Ok(()));
        let is_late = self.read(&child, outputs, self.begun + timeout);
        let end = self.bury(&mut child, is_late);
        mark::sweep(std::slice::from_ref(&name), has_mark);
        keeper::forget(&name);
        list::remove(&temp);
        made.into_iter().for_each(|made| cage::keep(made, &temp));
        self.finish(end);
        then(self);
    }

    fn try_spawn(&self, plan: &Plan) -> Result<Spawned> {
        let (program, arguments) =
            plan.words.split_first().ok_or_else(|| Error::invalid("Provide a command to start."))?;
        files::private_dir(&plan.temp)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(place(plan)).env_clear();
        command.envs(plan.env.iter().map(|(name, value)| (name, value)));
        let name = name(&plan.temp);
        command.env(mark::VARIABLE, &name);
        #[cfg(target_os = "linux")]
        let (cage, made) =
            plan.walls.as_ref().map(|walls| cage::build(walls, &plan.temp)).transpose()?.unzip();
        #[cfg(not(target_os = "linux"))]
        let made = None;
        let bounds = Bounds {
            files: FILES,
            memory: MEMORY,
            processes: PROCESSES,
            file: FILE,
            nice: NICE,
            mark: mark::number(&name),
            has_terminal: plan.has_terminal,
            #[cfg(target_os = "linux")]
            cage,
        };
        let failed = |e: std::io::Error| Error::unavailable(format!("start {program}: {e}"));
        let outputs = self.ends(plan, &mut command)?;
        crate::sys::confine(&mut command, bounds);
        let mut child = command.spawn().map_err(failed)?;
        let has_mark = mark::is_borne(child.id(), &name);
        if let Some(stdin) = child.stdin.take() {
            self.lock().input = Some(Input::new(stdin)?);
        }
        Ok(Spawned { child, outputs, has_mark, made })
    }

    /// Gives the command its input and its output; the other ends of the latter.
    fn ends(&self, plan: &Plan, command: &mut Command) -> Result<Vec<File>> {
        let failed = |e: std::io::Error| Error::unavailable(format!("start a command: {e}"));
        let mut outputs: Vec<OwnedFd> = Vec::with_capacity(2);
        if plan.has_terminal {
            let (master, slave) = terminal::open()?;
            command.env("TERM", "xterm-256color");
            command.stdin(slave.try_clone().map_err(failed)?).stdout(slave.try_clone().map_err(failed)?);
            command.stderr(slave);
            self.lock().input = Some(Input::new(master.try_clone().map_err(failed)?)?);
            outputs.push(master);
        } else {
            let (reader, writer) = std::io::pipe().map_err(failed)?;
            command.stdin(if plan.has_input { Stdio::piped() } else { Stdio::null() });
            outputs.push(reader.into());
            if plan.is_split {
                let (reader, errors) = std::io::pipe().map_err(failed)?;
                command.stdout(writer).stderr(errors);
                outputs.push(reader.into());
            } else {
                // One pipe for both, so that what it says stays in its order.
                command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
            }
        }
        Ok(outputs.into_iter().map(File::from).collect())
    }

    /// Takes what it says until it ends or its time is over, which is the answer.
    fn read(&self, child: &Child, outputs: Vec<File>, deadline: Instant) -> bool {
        let ending = watch(child);
        let mut open: Vec<(usize, File)> = outputs.into_iter().enumerate().collect();
        let (mut is_late, mut last, mut has_ended) = (false, None, false);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let now = Instant::now();
            let until = last.unwrap_or(deadline);
            if now >= until {
                if last.is_some() {
                    return is_late;
                }
                is_late = true;
                kill_group(child.id());
                last = Some(now + LAST_WORDS * 10);
            }
            let look = if ending.is_some() { until - now } else { LOOK.min(until - now) };
            let mut fds: Vec<PollFd> = Vec::with_capacity(3);
            fds.extend(open.iter().map(|(_, output)| PollFd::new(output, PollFlags::IN)));
            // Also after it was killed: its pipes may close a moment before it has ended. Once it has, this is ready for ever.
            if let Some(ending) = ending.as_ref().filter(|_| !has_ended) {
                fds.push(PollFd::new(ending, PollFlags::IN));
            }
            let _ = crate::sys::poll(&mut fds, Some(look.max(Duration::from_millis(1))));
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            let mut ready = ready.into_iter();
            open.retain_mut(|(place, output)| {
                !ready.next().unwrap_or_default() || self.take(*place, output, &mut buffer)
            });
            has_ended = has_ended || is_over(child.id());
            if has_ended && open.is_empty() {
                return is_late;
            }
            if has_ended {
                // What it has left behind still has a word, and no more than that.
                let until = Instant::now() + LAST_WORDS;
                last = Some(last.map_or(until, |last| last.min(until)));
            }
        }
    }

    /// One piece of what it says, or says as errors; `false` at the end.
    fn take(&self, place: usize, output: &mut File, buffer: &mut [u8]) -> bool {
        match output.read(buffer) {
            Ok(0) => false,
            Ok(n) => {
                let mut inner = self.lock();
                let kept = if place == 0 { &mut inner.kept } else { &mut inner.errors };
                kept.push(crate::parts::first(buffer, n));
                true
            }
            // A terminal that nobody holds any more says that it failed.
            Err(e) => matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock),
        }
    }

    /// All of its group is ended before its number is given back.
    fn bury(&self, child: &mut Child, is_late: bool) -> End {
        let pid = child.id();
        kill_group(pid);
        self.wait_for(pid);
        let mut inner = self.lock();
        let status: Option<ExitStatus> = child.wait().ok();
        (inner.pid, inner.input) = (None, None);
        let (code, signal) = (status.and_then(|s| s.code()), status.and_then(|s| s.signal()));
        End { code, signal, is_late, ..End::default() }
    }

    /// Waits for its end without taking it, so that nobody waits for the lock meanwhile.
    fn wait_for(&self, pid: u32) {
        let Some(pid) = Pid::from_raw(pid as i32) else { return };
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
    }
}

/// What the kernel makes ready when the process ends.
#[cfg(target_os = "linux")]
fn watch(child: &Child) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(child.id()).ok()?)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn watch(_: &Child) -> Option<OwnedFd> {
    None
}

/// Whether it has ended; it is not taken.
fn is_over(pid: u32) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let pid = Pid::from_raw(pid as i32);
    pid.is_some_and(|pid| waitid(WaitId::Pid(pid), options).is_ok_and(|status| status.is_some()))
}

/// Where it begins. A directory that is held is entered as such, whatever its path leads to by now.
fn place(plan: &Plan) -> PathBuf {
    match &plan.dir {
        Some(dir) if cfg!(target_os = "linux") => PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())),
        _ => plan.cwd.clone(),
    }
}

fn name(temp: &Path) -> String {
    temp.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
