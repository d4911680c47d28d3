# Every target installs what it needs first (quick when it is there), so a fresh clone needs nothing but make, Rust and
# a shell. Downloads are kept in $SLUICE_CACHE, by default ~/.cache/sluice.

export SLUICE_CACHE ?= $(HOME)/.cache/sluice
# On a build machine nothing is written into the clone.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(SLUICE_CACHE)/target
endif

BINARIES := sluice sluice-worker sluice-operator sluice-bench
DEMO := bin/sluice dev examples/revenue-5m.yaml --generate 2000000 --bounded --data demo-data

.DEFAULT_GOAL := help
.PHONY: help setup setup-build setup-test build demo test test-fast soak fuzz sim chaos e2e e2e-long kind-e2e kind bench generate fmt lint clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: setup-test ## install everything that building and testing need

setup-build: ## install what `make build` and `make demo` need
	@tests/setup/packages.sh build
	@tests/setup/cargo-config.sh

setup-test: setup-build ## install a Kafka, a registry, a Kubernetes and Python packages for the tests
	@tests/setup/packages.sh test
	@for part in kafka registry java python cluster; do tests/setup/$$part.sh >/dev/null || exit 1; done

build: setup-build ## release binaries, copied to bin/
# The whole workspace at once, so that its dependencies are built with one set of features, and once.
	cargo build --release --workspace --bins
	@mkdir -p bin
	@target=$$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'); \
	for binary in $(BINARIES); do install "$$target/release/$$binary" bin/; done

demo: build ## two million seeded events through an embedded broker, checked to the cent
	@rm -rf demo-data
	$(DEMO)

test: setup-test ## everything: format, lint, tests, and tests against real servers
	@tests/run

test-fast: setup-build ## the same without servers
	@tests/run fast

MINUTES ?= 10
soak: setup-build ## every property and the simulation with fresh seeds for MINUTES; what fails is kept in the tree
	@tests/soak $(MINUTES)

fuzz: setup-build ## ten minutes of random bytes for every reader of what others wrote (SECONDS_EACH)
	tests/fuzz

SEEDS ?= 20000
sim: setup-build ## SEEDS random scripts in which everything goes wrong, on all processors
# With the features of `make build`, so that its dependencies are not built again.
	cargo build --release --workspace --bin sim --features tests/sim
	@target=$$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'); \
	LD_LIBRARY_PATH=$$(tests/setup/duckdb.sh | tail -n 1) "$$target/release/sim" $(SEEDS)

chaos: export EVENTS ?= 5000000
chaos: export FAULTS ?= 100
chaos: setup-test ## FAULTS faults while real workers read EVENTS events from a real Kafka; SEED chooses others
	cargo test --release --workspace --bins --test chaos -- --ignored --nocapture

# The first of these tests starts the cluster, and all of them share it. SLUICE_BIN=bin takes the binaries of `make build`.
E2E := cargo test --workspace --test e2e -- --ignored --nocapture --test-threads=1

e2e: setup-test ## chart, quickstart and every disturbance on a real Kubernetes (`make test` runs the quick ones)
	tests/chart
	cargo build --workspace --bins
	$(E2E)

e2e-long: setup-test ## the same with five minutes of outage and of rest, and 300 pipelines
	cargo build --workspace --bins
	SLUICE_OUTAGE=300 SLUICE_REST=300 SLUICE_PIPELINES=300 $(E2E)

kind-e2e: setup-test ## the quickstart on kind, with a node image made here
	cargo build --workspace --bins
	SLUICE_E2E=kind $(E2E) first_pipeline

kind: ## a kind cluster with Sluice on it, for people with Docker
	kind create cluster --config kind-config.yaml
	docker build --target operator --tag docker.io/sluice/sluice-operator:dev .
	docker build --target worker --tag docker.io/sluice/sluice-worker:dev .
	kind load docker-image --name sluice docker.io/sluice/sluice-operator:dev docker.io/sluice/sluice-worker:dev
	helm upgrade --install sluice charts/sluice --namespace sluice-system --create-namespace \
	  --set image.tag=dev --set worker.image.tag=dev --wait

bench: setup-test build ## events per CPU-second, beside consuming alone
	bin/sluice-bench core
	bin/sluice-bench sums
	bin/sluice-bench e2e
	bin/sluice-bench resident

generate: setup-build ## write the files that follow from the types again: crds/ and docs/reference/
	SLUICE_GENERATE=1 cargo test --workspace --test generated

fmt: ## format the code
	cargo fmt --all

lint: setup-build ## what `make test` refuses
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

clean: ## remove what was built, but not what was downloaded
	cargo clean
	rm -rf bin demo-data
