# make help lists what there is, in order of use: first what a user runs, then, from invoke on, what a contributor runs.
# All but demo and test install what they need into .tools/, pinned.
.DEFAULT_GOAL := help
.PHONY: help demo build deploy bucket redrive bucket-remove wheel invoke test check counts test-servers test-all \
	fuzz terminal bench bench-start bench-builds

ARCH  ?= arm64
EVENT ?= put
TIME  ?= 600
SERVERS ?= seaweedfs garage ministack
PYTHON = .tools/peers/bin/python
RESULTS = $(if $(QUICK),target,docs)/performance
TRIAL = $(if $(QUICK),cp docs/performance.md $(RESULTS).md)
export PATH := $(CURDIR)/.tools/tools/bin:$(PATH)
export SAM_CLI_TELEMETRY = 0

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 21

demo: ## show the function at work, on an S3 in memory; needs Rust and a C compiler
	cargo run --locked --features cli --bin unload-header demo

build: ## the function for Lambda, ARCH=arm64 or x86_64, in .aws-sam/build
	scripts/install.sh tools
	scripts/target.sh $(ARCH)
	cargo fetch --locked
	sam build --parameter-overrides Architecture=$(ARCH)

deploy: export ARCH_ASKED = $(if $(filter command line,$(origin ARCH)),$(ARCH))
deploy: ## build and deploy; asks only the first time (ASK=1: again; YES=1: nothing at all)
	scripts/install.sh tools
	.tools/tools/bin/python scripts/deploy.py

bucket: ## connect a bucket that was there already with the stack; shows what it changes first
	scripts/install.sh tools
	.tools/tools/bin/python scripts/bucket.py add

redrive: ## send failed events again
	scripts/install.sh tools
	.tools/tools/bin/python scripts/redrive.py

bucket-remove: ## disconnect such a bucket, before the stack is deleted
	scripts/install.sh tools
	.tools/tools/bin/python scripts/bucket.py remove

wheel: ## the command line as a Python wheel, in target/wheels
	scripts/wheel.sh --release

invoke: ## run the function in a local Lambda emulator on events/EVENT.json (EVENT=put)
	scripts/install.sh tools
	scripts/invoke.sh $(EVENT)

test: ## all tests, on an S3 in memory, with samples of the large sets; needs what demo needs
	cargo test --locked --workspace --all-features

check: ## formatting, lints, documentation, dependencies, scripts, workflows, the template
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- --deny warnings
	cargo clippy --locked --bin bootstrap -- --deny warnings
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --manifest-path fuzz/Cargo.toml -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --all-features --no-deps
	scripts/check-dependencies.sh
	scripts/check-scripts.sh
	scripts/check-template.sh
	scripts/scan-template.sh

counts: ## instructions and allocations of the pure core, counted by valgrind and held against benches/counts.txt; on x86-64
	scripts/counts.sh

test-servers: export TEST_READERS = $(CURDIR)/.tools/readers/bin/python
test-servers: ## what holds on every server, on SeaweedFS and ministack; docs/stores.md, the deployment, the wheel, the examples; needs Python
	scripts/install.sh readers
	scripts/with-server.sh seaweedfs cargo test --locked --all-features --test any_server
	scripts/with-server.sh ministack cargo test --locked --all-features --test any_server
	scripts/with-server.sh moto cargo test --locked --all-features --test any_server doctor
	scripts/with-server.sh rclone cargo test --locked --all-features --test any_server doctor
	scripts/install.sh tools
	scripts/with-server.sh ministack .tools/tools/bin/python -m unittest discover --start-directory tests/deployment
	scripts/install.sh examples
	scripts/wheel.sh --profile dev --strip
	scripts/with-server.sh ministack .tools/examples/bin/python -m unittest discover --start-directory tests/examples

test-all: export EXHAUSTIVE = 1
test-all: export WORLDS = 2000
test-all: test ## the tests with every set of cases whole, and 2,000 random worlds of unloads

fuzz: ## every parser, for TIME=600 seconds each
	scripts/fuzz.sh $(TIME)

terminal: ## docs/terminal.svg anew: the command line at work on SeaweedFS
	scripts/install.sh examples
	cargo build --locked --features cli --bin unload-header
	scripts/with-server.sh seaweedfs .tools/examples/bin/python scripts/terminal.py

# One bucket holds gigabytes here. A volume that is full takes SeaweedFS a second.
bench bench-start bench-builds: export TEST_S3_VOLUME_MB = 1024
bench: ## this function beside what others do, on three servers; makes docs/performance.md (QUICK=1: a short trial, in target/)
	scripts/install.sh peers
	cargo build --locked --release --bin bootstrap --examples
	$(TRIAL)
	for server in $(SERVERS); do scripts/with-server.sh $$server $(PYTHON) benches/run.py $$server $(RESULTS).json || exit; done
	$(if $(QUICK),COUNT=200 ROUNDS=1) scripts/with-server.sh seaweedfs cargo bench --locked --features cli --bench throughput -- $(CURDIR)/$(RESULTS)-throughput.json
	$(PYTHON) benches/report.py $(RESULTS).json $(RESULTS).md

bench-start: ## how fast the function starts, and what each memory size costs; the same document
	scripts/install.sh peers
	cargo build --locked --release --bin bootstrap --examples
	$(TRIAL)
	scripts/with-server.sh seaweedfs $(PYTHON) benches/start.py $(RESULTS).json
	$(PYTHON) benches/report.py $(RESULTS).json $(RESULTS).md

bench-builds: ## the function built in other ways, an hour of building; the same document
	scripts/install.sh peers
	scripts/builds.sh target/builds >target/builds.txt
	scripts/with-server.sh seaweedfs $(PYTHON) benches/start.py $(RESULTS).json $$(cat target/builds.txt)
	$(PYTHON) benches/report.py $(RESULTS).json $(RESULTS).md
