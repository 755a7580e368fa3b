# What a developer calls. Every target works on a fresh clone; test and lint install their tools below target/tools.
# ARGS is handed on: make demo ARGS=--fresh, make test ARGS=embedded.

.DEFAULT_GOAL := help
.PHONY: help demo test test-openapi soak lint bench bench-messages fuzz generate audit

TOOLS := target/tools
BUF := $(TOOLS)/node_modules/.bin/buf

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## The server on a sample database, at port 3000
	cargo run --locked --release -- demo $(ARGS)

test: ## Every test, on a PostgreSQL that the suite starts itself
	tools/install
	cargo test --locked -- $(ARGS)

test-openapi: ## All that schemathesis can think of, against an awkward schema
	tools/install
	PGDUET_OPENAPI_COVERAGE=1 cargo test --locked --test it -- openapi::fuzzed $(ARGS)

soak: ## Both protocols under load for half an hour, while the database restarts and the schema changes
	PGDUET_SOAK_SECONDS=$${PGDUET_SOAK_SECONDS:-1800} cargo test --locked --test it -- soak --nocapture $(ARGS)

lint: ## Format, clippy, licences and bans, protos, workflows
	tools/install
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources
	$(BUF) lint
	tools/breaking $(BUF)
	$(TOOLS)/bin/actionlint

# About ten minutes; ROUNDS=1 SECONDS=1 takes two.
ROUNDS ?= 5
SECONDS ?= 2

bench: ## Requests per second, latencies and what they cost, with pgbench beside them
	cargo bench --locked --bench compare -- --rounds $(ROUNDS) --seconds $(SECONDS) $(ARGS)

bench-messages: ## Cost of encoding a row for gRPC, and of describing catalogs of up to 10,000 tables
	cargo bench --locked --bench messages -- $(ARGS)

fuzz: ## Each fuzz target for a minute; ARGS="600 json" runs one for ten
	tools/fuzz $(ARGS)

generate: ## Write the generated files anew: CONFIG.md, openapi/, tests/snapshots
	UPDATE=1 cargo test --locked -- $(ARGS)

audit: ## Known vulnerabilities of the dependencies (fetches the RustSec database)
	tools/install
	$(TOOLS)/bin/cargo-deny --locked check advisories
