use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("openclaw-wa-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn file(&self) -> PathBuf {
        self.0.join("openclaw-wa.store")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn all(log: &Log) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let keys: Vec<(u8, Vec<u8>)> = log.keys.keys().cloned().collect();
    keys.into_iter().map(|(t, k)| (t, k.clone(), log.get(t, &k).unwrap().unwrap())).collect()
}

/// What a link writes, in small: values of several tables, some of them again, some gone.
fn script() -> Vec<Vec<Change>> {
    let mut all = vec![vec![Change::put(20, "", "device one")]];
    for n in 0..6u8 {
        all.push(vec![
            Change::put(2, [n], vec![n; 40]),
            Change::put(20, "", format!("device {n}")),
            Change::gone(2, [n.wrapping_sub(2)]),
        ]);
    }
    all
}

#[test]
fn what_is_written_is_read_again() {
    let dir = Dir::new();
    let mut log = Log::open(&dir.file()).unwrap();
    script().iter().for_each(|batch| log.apply(batch).unwrap());
    let before = all(&log);
    assert_eq!(before.len(), 3, "{before:?}");
    log.compact().unwrap();
    assert_eq!(all(&log), before);
    log.apply(&[Change::put(9, "after", "x")]).unwrap();
    drop(log);
    let log = Log::open(&dir.file()).unwrap();
    assert_eq!(log.get(20, b"").unwrap().unwrap(), b"device 5");
    assert_eq!((all(&log).len(), log.get(9, b"after").unwrap().unwrap()), (4, b"x".to_vec()));
    assert_eq!(log.keys(2, b"").collect::<Vec<_>>(), [[4], [5]]);
}

/// R-51a: after an end at any byte of any write there is the last batch that was confirmed, or the next one, whole.
#[test]
fn r_51a_an_end_at_any_byte_loses_nothing_that_was_confirmed() {
    let dir = Dir::new();
    let mut states = vec![Vec::new()];
    let mut log = Log::open(&dir.file()).unwrap();
    for batch in script() {
        log.apply(&batch).unwrap();
        states.push(all(&log));
    }
    let size = std::fs::metadata(dir.file()).unwrap().len() as usize;
    for left in 0..size {
        std::fs::remove_file(dir.file()).unwrap();
        let mut log = Log::open(&dir.file()).unwrap();
        log.fault.left = Some(left);
        let confirmed = script().iter().take_while(|batch| log.apply(batch).is_ok()).count();
        drop(log);
        let mut log = Log::open(&dir.file()).unwrap();
        assert_eq!(all(&log), states[confirmed], "after {left} bytes");
        // It goes on as if nothing had been.
        script()[confirmed..].iter().for_each(|batch| log.apply(batch).unwrap());
        assert_eq!(&all(&log), states.last().unwrap());
    }
}

/// A full disk is no end: the next write stands where the failed one began.
#[test]
fn r_51a_a_write_that_failed_leaves_nothing_between() {
    let dir = Dir::new();
    let mut log = Log::open(&dir.file()).unwrap();
    log.apply(&[Change::put(1, "a", "1")]).unwrap();
    log.fault.left = Some(15);
    assert!(log.apply(&[Change::put(1, "a", "2"), Change::put(1, "b", vec![7; 300])]).is_err());
    assert_eq!(log.get(1, b"a").unwrap().unwrap(), b"1");
    log.fault.left = None;
    log.apply(&[Change::put(1, "c", "3")]).unwrap();
    let keys = |log: &Log| all(log).into_iter().map(|(_, key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(&log), [b"a", b"c"]);
    drop(log);
    assert_eq!(keys(&Log::open(&dir.file()).unwrap()), [b"a", b"c"]);
}

#[test]
fn r_51a_an_end_while_it_is_written_anew_leaves_the_old_file() {
    let dir = Dir::new();
    let mut log = Log::open(&dir.file()).unwrap();
    script().iter().for_each(|batch| log.apply(batch).unwrap());
    let before = all(&log);
    log.fault.left = Some(30);
    assert!(log.compact().is_err());
    drop(log);
    assert_eq!(all(&Log::open(&dir.file()).unwrap()), before);
}

#[test]
fn a_file_does_not_grow_without_end() {
    let dir = Dir::new();
    let mut log = Log::open(&dir.file()).unwrap();
    for n in 0..400u32 {
        log.apply(&[Change::put(20, "", n.to_le_bytes().repeat(600))]).unwrap();
    }
    assert!(std::fs::metadata(dir.file()).unwrap().len() < SMALL + 4096);
    assert_eq!(Log::open(&dir.file()).unwrap().get(20, b"").unwrap().unwrap().len(), 2400);
}

#[test]
fn r_51d_nobody_else_reads_it_and_what_is_no_store_is_not_touched() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    drop(Log::open(&dir.file()).unwrap());
    assert_eq!(std::fs::metadata(dir.file()).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(dir.file(), "something else altogether").unwrap();
    assert!(Log::open(&dir.file()).is_err());
    assert_eq!(std::fs::read(dir.file()).unwrap(), b"something else altogether");
}

/// Damage in the middle costs what stands behind it and never gives something that was not written.
#[test]
fn a_changed_byte_is_noticed() {
    let dir = Dir::new();
    let mut log = Log::open(&dir.file()).unwrap();
    let mut states = vec![Vec::new()];
    for batch in script() {
        log.apply(&batch).unwrap();
        states.push(all(&log));
    }
    let good = std::fs::read(dir.file()).unwrap();
    for at in 8..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        std::fs::write(dir.file(), &bad).unwrap();
        let state = all(&Log::open(&dir.file()).unwrap());
        assert!(states.contains(&state), "byte {at}");
    }
}
