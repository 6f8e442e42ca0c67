//! Programs whose path says nothing about what they do. A table.

/// Programs that run what their arguments, their input or a file of the present directory says, or write where they are
/// told to: one that is listed by its path would be a list of everything. `*` is anything. Machines and versions in names are
/// known (`names.rs`).
pub const LAUNCHERS: &str = "*-as *-cpp *-gdb *-ld *clang* *csh *g++* *gcc* *tex 7z* [0-9]* a2ps abduco aclocal \
    agetty alacritty anacron ansible* ant apk apt* ar aria2c as ash at autoconf automake autoreconf autossh awk \
    bash bashbug batch bazel bison borg bpftool bpftrace brew bridge brotli bsdtar bugpoint bun bundle bunx busybox \
    bwrap byobu bzless bzmore c++ c++-* c89* c99* cabal caffeinate capsh captoinfo cargo catatonit catchsegv cc \
    cc-* cgexec chef* chicken chmod choom chown chpst chromium* chronic chroot chrt clisp clj clojure cmake code \
    coffee collect2 command composer conda convert cp cpan cpio cpp cpp-* cpulimit crictl crontab crystal csi \
    csplit ctags* ctr curl cvs d8 daemon daemonize darcs dart dash dbus-launch dbus-run-session dc dd debugfs deno \
    dnf doas docker dotnet dpkg dpkg-* dtach duckdb dumb-init dune duplicity dvips eatmydata ecl ed editor elfedit \
    elinks elixir elvish emacs* enc2xs enscript entr env erl es escript etags ex exim* exo-open expect fab \
    fakechroot fakeroot* faketime fetchmail ffmpeg file-rename firejail fish flatpak flex flock flutter formail \
    fossil fsck fsck.* fsharpi ftp fzf gawk gcl gdb* gem gencat getty gforth ghc* gimp gio git* gjs gmake \
    gnome-terminal gnuplot go gold gosu gp gp-* gpg* gpic gprofng gprolog gradle* grap groff grog groovy* gs \
    gtk-launch guile* h2ph h2xs heaptrack* hg hugo hx i386 ifne incrond infotocap insmod install instmodsh invoke \
    ionice ip6tables* iptables* irb jar jarsigner java* jdb jed jjs jlink jmod joe jrunscript jshell json_pp julia \
    just kak kioclient kitty konsole kotlin* ksh* kubectl latex* launchctl lckdo ld ld*.so* ld.* ldd lein less* \
    lftp libtool lilypond links linux32 linux64 llc lldb* lli lli-* llvm-* ln localedef logrotate logsave ltrace \
    lua* lxc* lynx lz4 lz4c lzless lzmore m4 magick mail* make make-first-existing-target mamba man mariadb mawk \
    maxima mc memusage* meson mg micro miller mispipe mix mkfs mkfs.* mlr modprobe mono* more mosh most mpost mpv \
    msg* mutt mv mvn* mysql nano nawk nc ncat ncftp* ne neovim nerdctl netcat newgrp nice nim* ninja nix* nmap nnn \
    node* nohup not-* nox npm npx nroff nsenter nu numactl nvim objcopy ocaml* octave* odin opam open openssl opt \
    osascript osh packer pacman pager pandoc parallel patch patchelf pax pdfimages pdfseparate pdfto* pdfunite pee \
    perf perf_* perl* pg_ctl pg_virtualenv pgbench php* pic pico piconv pip* pkexec pkg plink pm2 pnpm pod2* podman \
    poetry posh postgres powershell pre-commit prename prlimit procmail proot prove proxychains* ps2* psql ptar ptx \
    puppet pwsh pypy* pytest* python* qemu* qjs r racket rake raku ranger ranlib rar rbash rc rclone rdiff-backup \
    rename restic rhino rlogin rlwrap rofi rpcgen rpm rr rscript rsh rsync ruby* run-mailcap run-one run-parts \
    runcon runghc runhaskell runit runsv runuser rustc rustup rvim rxvt* s6-* salt* sandbox* savelog sbcl sbt \
    scala* schroot scons scp screen script sed see sem sendmail sensible-* service setarch setpriv setsid sftp sg \
    sh shred sk slsh snap socat softlimit sotruss sox sphinx-build split sponge sqlite3 ssh* stack \
    start-stop-daemon startx stdbuf strace su su-exec sudo* supervisor* sv svn* swift swipl systemctl systemd-cat \
    systemd-inhibit systemd-nspawn systemd-run systemd-socket-activate tar tarcat task taskset tc tcc tclsh* tee \
    telnet terraform tic time timeout tini tmate tmux torify torsocks tox toybox troff truncate ts-node tshark \
    tsocks tsx uclampset uname26 unbuffer unison unrar unshare unzip updatedb urxvt uudecode uv uvx vagrant \
    valgrind vi vidir view vim* vipe virsh vlc w3m wasmer wasmtime watch watchexec wget wine* wireshark wish* \
    x-terminal-emulator x86_64 xargs xdg-* xgettext xinit xmllint xonsh xsltproc xsubpp xterm xvfb-run xxd xzless \
    xzmore yarn yarnpkg yash youtube-dl yq ysh yt-dlp yum zellij zig zip zipgrep zless zmore zsh* zstd zstdmt \
    zypper";

/// A program that is harmless until its arguments have it start another one, or write where they say.
pub struct Able {
    pub name: &'static str,
    /// How such arguments begin; options may be cut short.
    pub begins: &'static [&'static str],
    /// Letters that do it in a bundle of options.
    pub letters: &'static str,
    /// Words that do it, however short they are cut.
    pub words: &'static [&'static str],
    /// More words than so many that are no options: the next one is a file that is written.
    pub most: usize,
}

const fn able(name: &'static str, begins: &'static [&'static str], letters: &'static str) -> Able {
    Able { name, begins, letters, words: &[], most: usize::MAX }
}

/// What these do, the same program by another name does too.
pub const ABLE: &[Able] = &[
    able("diff3", &["--d"], ""),
    able("fd", &["--exe"], "xX"),
    able("fdfind", &["--exe"], "xX"),
    able("find", &["-exec", "-ok", "-delete", "-fprint", "-fls", "-files0"], ""),
    Able { words: &["exec"], ..able("ip", &["-b", "--b"], "") },
    able("iconv", &["--o"], "o"),
    able("journalctl", &["--cur"], ""),
    able("nm", &["--pl", "-pl"], ""),
    able("rg", &["--pre", "--hostname-b"], ""),
    able("sdiff", &["--d", "--o"], "o"),
    able("shuf", &["--o"], "o"),
    able("sort", &["--co", "--o"], "o"),
    able("ss", &["--di"], "D"),
    able("strip", &["--pl", "-pl"], "o"),
    able("tcpdump", &["--post", "--w"], "wz"),
    able("tree", &["--output"], "o"),
    able("uconv", &["--o"], "o"),
    Able { most: 1, ..able("uniq", &[], "") },
];
