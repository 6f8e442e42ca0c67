//! Programs whose path says nothing about what they do. A table.

/// Programs that run what their arguments, their input or a file of the present directory says, or write where they are
/// told to: one that is listed by its path would be a list of everything. `*` is anything.
pub const LAUNCHERS: &str = "*clang* *g++* *gcc* [0-9]* ansible* apt* ash at awk bash batch bpftrace bsdtar bun bundle bunx \
    busybox c++ c++-* c89* c99* capsh cargo catchsegv cc cc-* chmod choom chown chroot chrt cmake composer cp cpan cpulimit \
    crontab csh curl dash dbus-run-session dc dd deno dnf doas docker dpkg ed elvish emacs* env es ex expect fakeroot faketime \
    fish flock ftp gawk gdb gem ghc* gimp git* gmake go gradle* guile* heaptrack* i386 install ionice irb java* jrunscript \
    jshell julia kotlin* ksh* kubectl ld*.so* less lftp linux32 linux64 ln logsave ltrace lua* m4 make man mawk memusage* more \
    most mv mysql nano nawk nc ncat netcat newgrp nice ninja nix* nmap node* nohup not-* npm npx nsenter nu nvim openssl \
    osascript parallel perf perf_* perl* pg_virtualenv php* pico pip* pkexec pnpm podman poetry powershell prlimit proot psql \
    pwsh pypy* pytest* python* r rake rbash rc rlwrap rpm rscript rsync ruby* run-parts runuser rustc scp screen script sed \
    service setarch setpriv setsid sftp sg sh socat softlimit sotruss split sqlite3 ssh* ssh-agent start-stop-daemon stdbuf \
    strace su sudo* swift systemctl systemd-cat systemd-inhibit systemd-run tar taskset tclsh* tcsh tee telnet time timeout \
    tmux toybox ts-node tsx uclampset unbuffer unshare unzip uv uvx valgrind vi view vim* w3m watch wget wish* xargs xonsh \
    xterm xvfb-run yarn yash yum zip zsh*";
