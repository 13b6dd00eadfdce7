# The targets are what CI runs (.ci/run). Needed: git, make, a C compiler and Rust; for the tests Python 3.11 too, and
# Chromium, which they install as root on Debian.

.PHONY: demo test sim e2e e2e-ministack mutants emulator browser screenshots chaos lint shipped format docs check conformance bench deny

# The main job on this machine, in one process: see README.md.
demo:
	cargo run --package hooklane -- demo $(ARGS)

# All tests. Two packages are built apart: the simulation asks for the mistakes that nothing that ships may be able to make,
# and the browser's driver for features that nothing that ships has. The latter's tests run the program that is there by then.
test: emulator browser
	cargo test --quiet
	cargo test --package page-tests --quiet
	cargo test --package simulation --quiet

# Whole histories of workers that fail, each from its seed: make sim SEEDS=10000. One of them, with all that happens in it:
# make sim SEEDS=1 FROM=174 TRACE=1.
sim:
	cargo run --release --quiet --package simulation

# The end-to-end suite: on local-sqs (as in test), or make e2e ENDPOINT=http://HOST:PORT EMULATOR=localstack.
# EMULATOR says what is there: localstack/README.md lists what cannot pass on it.
e2e: emulator
	scripts/e2e $(ENDPOINT) $(EMULATOR)

# The same on a ministack that it starts and ends.
e2e-ministack: emulator
	scripts/e2e ministack

# Whether the tests notice every change of the pure core, and of the worker and its ledger. Hours, so not part of CI; some
# fifteen minutes with PACKAGES="event delivery".
# Needs cargo-mutants: cargo install cargo-mutants --version 27.1.0 --locked
PACKAGES ?= event delivery consumer store
mutants: emulator
	cargo mutants $(addprefix --package ,$(PACKAGES)) --output target

# Advisories, licences and sources of what we depend on (deny.toml), where cargo-deny and its database can be had.
deny:
	scripts/deny

# Installs the emulator of AWS that some tests run, in target/tools, if it is not there.
emulator:
	scripts/ministack install

# Installs the browser that the tests of the page run, with apt-get, if it is not there.
browser:
	scripts/chromium

# The pictures of the page: those of the README into docs/, and every page in many states into target/screenshots/.
screenshots: browser
	cargo run --package page-tests --bin screenshots

# Crashes for real, in under five minutes; CHAOS_SEED=n repeats a plan. A short run of it is part of the tests.
chaos:
	CHAOS=full cargo test --test chaos -- --nocapture --test-threads 1

# An SQS probe against local-sqs, not part of CI: make conformance PROBE=path/to/probe.py (needs boto3).
conformance:
	scripts/conformance "$(PROBE)"

# How fast local-sqs is, over its socket.
bench:
	cargo run --release --package local-sqs --example throughput

# Formatting, and clippy with warnings as errors.
lint:
	cargo fmt --all -- --check
	cargo clippy --all-targets --quiet -- --deny warnings
	cargo clippy --package page-tests --package simulation --all-targets --quiet -- --deny warnings

# Whether what is tested is what ships: the same features, and no deliberate mistakes.
shipped:
	scripts/shipped

# Formats everything.
format:
	cargo fmt --all

# The documentation of every crate, with warnings as errors.
docs:
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# What CI checks.
check: lint shipped docs test
