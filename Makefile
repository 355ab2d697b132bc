# The front door. Every target does its own set-up; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help quickstart test check fuzz faults broker-faults controller-faults scale bench exchanges down clean

# Scripts run on the Node 24 that package.json names, whatever the system has.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
installed := node_modules/.package-lock.json

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

quickstart: $(installed) ## From nothing to decoded trades: cluster, broker, registry, simulated exchange, chart, sample feed
	@node test/quickstart.ts

test: $(installed) ## Every test, on real parts; says loudly what this machine cannot carry
	@node test/run.ts

check: $(installed) ## Format, lint, types, unit tests and house rules: no root, no services, under a minute
	@node test/check.ts

fuzz: $(installed) ## Ten million damaged frames through the six parsers: minutes, and resumable
	@node test/fuzz/run.ts

faults: $(installed) ## The whole system under faults drawn from a seed: make faults FAULTS=30 SEED=1 MINUTES=60
	@node test/faults/main.ts

broker-faults: $(installed) ## A worker on three brokers that die, hang, forget and run full: ten minutes; needs Java and Maven
	@vitest run --project broker-faults-long

controller-faults: $(installed) ## API server, leader, broker and registry killed, paused, cut off: writes docs/controller-faults.md; needs Go and Java
	@node test/scale/faults.ts

scale: $(installed) ## The controller with many feeds on a real API server, half an hour: make scale FEEDS=1000; writes docs/scale.md
	@node test/scale/main.ts

bench: $(installed) ## Measure, and write docs/benchmarks.md
	@node bench/run.ts

exchanges: $(installed) ## Every exchange's recordings and faults, in figures: writes docs/exchanges.md
	@node bench/exchanges.ts

down: $(installed) ## End all that quickstart and test started, also after a crash
	@node test/bed.ts down

clean: down ## The same, and remove builds and installed packages
	@node test/bed.ts clean
	rm -rf node_modules build

$(installed): package.json package-lock.json scripts/install.sh
	@scripts/install.sh
