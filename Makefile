# The verbs of this project. `make help` lists them.
#
# Needs cargo (1.95 with rustfmt and clippy), go, a C compiler, bash, curl and openssl, and the package registries' ordinary clients; nothing
# that is not named here. What is missing is named before anything starts.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help

comma := ,
target := $(or $(CARGO_TARGET_DIR),target)
# Names of the test binaries that need neither a cloud nor a cluster nor a Go tool.
unit_tests := $(filter-out integration clouds charts,$(basename $(notdir $(wildcard tests/*.rs))) $(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs)))

# $(call need,TOOL...): stops with the names of the tools that are not there.
define need
missing=; for tool in $(1); do command -v "$$tool" >/dev/null || missing="$$missing $$tool"; done
[[ -z $$missing ]] || { echo "make $@: these tools are missing:$$missing" >&2; exit 1; }
endef
# $(call stage,TITLE): says what comes, and when it began.
define stage
printf '\n==> %s  [%d:%02d]\n' '$(1)' $$((SECONDS / 60)) $$((SECONDS % 60))
endef
build_tools := cargo cc
cluster_tools := go git flock curl openssl

.PHONY: help
help: ## List the verbs.
	echo 'make VERB'
	sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS=$$'\t' read -r verb text; do printf '  %-17s %s\n' "$$verb" "$$text"; done

.PHONY: demo
demo: ## Two manifests become a working connection, on a real API server and a cloud in a box. First 10-20 min, then < 1 min. KEEP=1 stays up.
	$(call need,$(build_tools) $(cluster_tools) python3)
	$(call stage,building the control plane and the release binaries (once 10-20 min on two cores$(comma) then seconds))
	nice tests/cluster/build.sh >/dev/null & cluster=$$!
	trap 'kill $$cluster 2>/dev/null || true' EXIT
	cargo build --release --workspace --bins
	wait $$cluster
	trap - EXIT
	BIN_DIR='$(abspath $(target))/release' exec deploy/demo/demo.sh

.PHONY: test
test: ## Everything: format, lints, documentation, unit, property, client and integration tests. First 20-40 min on two cores, then 3-6 min.
	$(call need,$(build_tools) $(cluster_tools) python3)
	cargo fmt --version >/dev/null || { echo 'make test: rustfmt is missing' >&2; exit 1; }
	cargo clippy --version >/dev/null || { echo 'make test: clippy is missing' >&2; exit 1; }
	SECONDS=0
	mkdir -p '$(target)'
	log='$(target)/cluster-build.log'
	if ! tests/cluster/build.sh --check >/dev/null; then
	  $(call stage,control plane of the tests: building beside the rest (once 6-15 min; log in $(target)/cluster-build.log))
	fi
	nice tests/cluster/build.sh >"$$log" 2>&1 & cluster=$$!
	tools_log='$(target)/tools-build.log'
	if ! tests/tools/build.sh --check >/dev/null; then
	  $(call stage,Go tools of the tests: building beside the rest (once 5-10 min; log in $(target)/tools-build.log))
	fi
	nice tests/tools/build.sh >"$$tools_log" 2>&1 & tools=$$!
	trap 'kill $$cluster $$tools 2>/dev/null || true' EXIT
	$(call stage,formatting (seconds))
	cargo fmt --all --check
	$(call stage,lints (first 2-4 min with all dependencies; then seconds))
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(call stage,documentation (first 1 min; then seconds))
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps --document-private-items
	$(call stage,binaries and tests (first 3-6 min; then seconds))
	cargo build --workspace --locked --bins
	cargo test --workspace --locked --no-run
	$(call stage,control plane and tools of the tests (waits while they are not done))
	wait $$cluster || { tail -n 30 "$$log" >&2; echo "make test: the control plane was not built; all of it in $$log" >&2; exit 1; }
	wait $$tools || { tail -n 30 "$$tools_log" >&2; echo "make test: the Go tools were not built; all of it in $$tools_log" >&2; exit 1; }
	trap - EXIT
	$(call stage,the Azure SDK for Python through the cloud in a box (first half a minute; then seconds))
	BIN_DIR='$(abspath $(target))/debug' tests/cloud-in-a-box/sdk/check.sh
	$(call stage,unit$(comma) property$(comma) client and integration tests (1-5 min))
	cargo test --workspace --locked --no-fail-fast

.PHONY: test-unit
test-unit: ## Unit, property and generated-file tests only: no cloud, no cluster. About a minute after a build.
	$(call need,$(build_tools))
	cargo test --workspace --lib --bins $(addprefix --test ,$(unit_tests))

.PHONY: test-clouds
test-clouds: ## The cloud clients against the cloud in a box; no cluster.
	$(call need,$(build_tools))
	cargo build -p cloud-in-a-box
	cargo test --test clouds

.PHONY: test-integration
test-integration: ## The shipped binary on a real API server; ARGS=name runs what matches. UKO_OPERATOR_TEST_KUBECONFIG=FILE takes your cluster.
	$(call need,$(build_tools) $(cluster_tools))
	tests/cluster/build.sh >/dev/null
	tests/tools/build.sh >/dev/null
	cargo build --workspace --bins
	cargo test --test integration -- $(ARGS)

.PHONY: test-crash
test-crash: ## SIGKILL at every request and every write of the flows that make, change and rotate, up to three ways each. 10-20 min.
	$(call need,$(build_tools) $(cluster_tools))
	tests/cluster/build.sh >/dev/null
	cargo build --workspace --bins
	UKO_OPERATOR_CRASH=all cargo test --test integration crash -- --nocapture

.PHONY: sdk-check
sdk-check: ## Do the vendors' own SDKs (Azure for Python, IBM for Go) work through the cloud in a box? Fetches them from PyPI and the Go proxy.
	$(call need,$(build_tools) go python3 curl)
	cargo build -p cloud-in-a-box
	BIN_DIR='$(abspath $(target))/debug' tests/cloud-in-a-box/sdk/check.sh
	cargo test -p cloud-in-a-box --test ibm

.PHONY: run
run: ## Run the operator here against your cluster: KUBECONFIG=FILE POLICY=FILE make run [ARGS='--watch-namespace keys'].
	$(call need,$(build_tools))
	: "$${KUBECONFIG:?name your cluster: KUBECONFIG=FILE POLICY=FILE make run}"
	: "$${POLICY:?name the policy file (deploy/samples/policy.example.yaml shows one): KUBECONFIG=FILE POLICY=FILE make run}"
	exec cargo run --release -- run --policy "$$POLICY" $(ARGS)

.PHONY: install
install: ## Install the CRDs in your cluster: KUBECONFIG=FILE make install.
	$(call need,$(build_tools))
	: "$${KUBECONFIG:?name your cluster: KUBECONFIG=FILE make install}"
	kubectl=$$(command -v kubectl || echo "$$(tests/cluster/build.sh)/kubectl")
	cargo run --quiet -- crds | "$$kubectl" apply --server-side -f -

.PHONY: image
image: ## Build the operator's image for this machine: IMAGE=registry.example.com/uko-operator:0.1.0 make image. Needs docker with BuildKit.
	$(call need,docker git)
	docker build -f deploy/Dockerfile --build-arg COMMIT="$$(git rev-parse HEAD)" -t '$(or $(IMAGE),uko-operator:0.1.0)' .

.PHONY: crds
crds: ## Write crds/*.yaml, and what else is generated, again from the Rust types.
	$(call need,$(build_tools) go git flock)
	UPDATE_GENERATED=1 cargo test --test generated
	UPDATE_GENERATED=1 cargo test --test charts deploy

.PHONY: lint
lint: ## Format, clippy, rustdoc, the charts in every mode and the syntax of the scripts; licences where cargo-deny is installed.
	$(call need,$(build_tools) git go flock)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	helm=$$(tests/tools/build.sh helm)
	shopt -s nullglob
	for chart in charts/*/; do
	  for values in /dev/null "$$chart"{ci,examples}/*.yaml; do
	    "$$helm" lint --strict --quiet "$$chart" --values "$$values"
	    "$$helm" template lint "$$chart" --values "$$values" --kube-version 1.31.0 >/dev/null
	  done
	done
	git ls-files '*.sh' .ci/run | while read -r script; do bash -n "$$script"; done
	if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; else echo 'cargo-deny is not installed (cargo install cargo-deny): licences and duplicates were not looked at'; fi

.PHONY: bench
bench: ## Time from apply to Ready, reads of a steady resync, memory, CPU, start: the release binary, a cloud in a box. 4 min after builds.
	$(call need,$(build_tools) $(cluster_tools) python3)
	tests/cluster/build.sh >/dev/null
	cargo build --release --workspace --bins
	BIN_DIR='$(abspath $(target))/release' exec tests/bench/run.sh

.PHONY: clean
clean: ## Remove what was built here. CACHE=1 removes the built Kubernetes and Go tools too (15-25 min to build again).
	$(call need,cargo)
	cargo clean
	if [[ '$(CACHE)' == 1 ]]; then
	  rm -rf -- "$$(tests/cluster/build.sh --check)"
	  { tests/tools/build.sh --check || true; } | while read -r tool; do rm -rf -- "$$(dirname -- "$$tool")"; done
	fi
