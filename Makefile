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
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: reference
reference: ## rewrite docs/functions.md from the declarations
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
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; \
	done
