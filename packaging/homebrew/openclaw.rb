# A formula in Homebrew's form; `make dist` fills in version and sums. DIST_URL is where the folder is published.
class Openclaw < Formula
  desc "Gateway for a personal agent, in one small binary"
  homepage "@URL@"
  version "@VERSION@"
  license "MIT"

@SOURCES@

  def install
    bin.install "openclaw"
    man1.install "openclaw.1"
    bash_completion.install "openclaw.bash" => "openclaw"
    zsh_completion.install "_openclaw"
    fish_completion.install "openclaw.fish"
  end

  service do
    run [opt_bin/"openclaw", "gateway"]
    keep_alive successful_exit: false
    environment_variables OPENCLAW_SERVICE_MARKER: "openclaw", OPENCLAW_SERVICE_KIND: "gateway"
  end

  def caveats
    "Before the first start: openclaw onboard"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/openclaw --version")
  end
end
