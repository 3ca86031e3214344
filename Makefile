# oplog: build, install, test. `make help` lists the targets.

PYTHON ?= python3
TOOLS := extension-ci-tools
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

LIBRARY := $(TARGET_DIR)/release/liboplog.so
EXTENSION := build/oplog.duckdb_extension
# Recursive, so that the file which pins the engines is read only by targets that need one.
DEFAULT_PYTHON = $(shell $(PYTHON) $(TOOLS)/engines.py python)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

.PHONY: all
all: $(EXTENSION) ## build the extension: build/oplog.duckdb_extension

# Cargo knows best what is out of date, so it is always asked; it leaves the library's time stamp alone when
# nothing changed, and then the extension is not written anew either.
$(LIBRARY): FORCE
	cargo build --release --package oplog

.PHONY: FORCE
FORCE:

$(EXTENSION): $(LIBRARY) Cargo.toml $(TOOLS)/append_footer.py
	@$(PYTHON) $(TOOLS)/append_footer.py $(LIBRARY) $@

# Another extension on the same host layer, whose functions panic: what the containment tests load.
PANICS := build/host_panics.duckdb_extension

$(TARGET_DIR)/release/libhost_panics.so: FORCE
	cargo build --release --package host_panics

$(PANICS): $(TARGET_DIR)/release/libhost_panics.so test/panics/Cargo.toml $(TOOLS)/append_footer.py
	@$(PYTHON) $(TOOLS)/append_footer.py --manifest test/panics/Cargo.toml $< $@

.PHONY: test-extensions
test-extensions: $(PANICS)

# The targets that DuckDB's own templates for extensions have, with the artifact where their CI looks for it.
.PHONY: configure
configure: engines ## set up what building and testing need

.PHONY: release
release: all ## build build/release/oplog.duckdb_extension
	@$(PYTHON) $(TOOLS)/append_footer.py $(LIBRARY) build/release/$(notdir $(EXTENSION))
	@mkdir -p build/release/extension/oplog && cp build/release/$(notdir $(EXTENSION)) build/release/extension/oplog/

.PHONY: debug
debug: ## build build/debug/oplog.duckdb_extension, with debug assertions
	cargo build --package oplog
	@$(PYTHON) $(TOOLS)/append_footer.py $(TARGET_DIR)/debug/liboplog.so build/debug/$(notdir $(EXTENSION))
	@mkdir -p build/debug/extension/oplog && cp build/debug/$(notdir $(EXTENSION)) build/debug/extension/oplog/

.PHONY: test_release test_debug
test_release test_debug: test_%: % configure ## run the SQL tests against that build, in the default engine
	@OPLOG_EXTENSION=build/$*/$(notdir $(EXTENSION)) $(PYTHON) $(TOOLS)/run_tests.py \
		--only "sqllogictest $$($(PYTHON) $(TOOLS)/engines.py label)"

.PHONY: repository
repository: all ## lay out build/repository, for `INSTALL oplog FROM '…/build/repository'`
	@$(PYTHON) $(TOOLS)/lay_out_repository.py $(EXTENSION) build/repository

.PHONY: install
install: all ## let `LOAD oplog` find it by name (DUCKDB_EXTENSION_DIR says where, if not ~/.duckdb/extensions)
	@$(PYTHON) $(TOOLS)/install_extension.py $(EXTENSION)

.PHONY: engines
engines: ## set up the pinned DuckDB engines and tools under build/engines
	@$(PYTHON) $(TOOLS)/setup_engines.py

.PHONY: test
test: ## run every test in every engine (ONLY=text runs the suites whose name contains it)
	@$(PYTHON) $(TOOLS)/run_tests.py $(if $(ONLY),--only '$(ONLY)')

.PHONY: lint
lint: ## check formatting, and clippy without a warning
	cargo fmt --all --check
	cargo fmt --manifest-path test/clients/rust/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: reference
reference: ## rewrite docs/functions.md and the tables of docs/metrics.md and docs/http.md from the declarations
	OPLOG_WRITE_REFERENCE=1 cargo test --quiet --package oplog reference

.PHONY: surface
surface: all engines ## rewrite the pinned public surface from what the extension adds now
	OPLOG_REWRITE_SURFACE=1 $(DEFAULT_PYTHON) -m pytest -q test/surface

.PHONY: demo
demo: all ## run a small service on real data, and see what oplog says about it
	@$(PYTHON) $(TOOLS)/setup_engines.py --demo
	@$(DEFAULT_PYTHON) demo/demo.py

.PHONY: bench
bench: all engines ## measure oplog against what one would do without it
	@$(DEFAULT_PYTHON) test/bench/run.py

.PHONY: clean
clean: ## remove all that was built or set up
	cargo clean
	rm -rf build

.PHONY: help
help: ## show this
	@sed -nE 's/^([a-z_]+)[a-z_ ]*:.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; \
	done
