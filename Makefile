.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.cache/bin:$(PATH)

FUZZTIME ?= 1m
SEED ?= 1
KILLS ?= 50

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: ## from nothing to a deployed site on a real machine (root; Debian or Ubuntu)
	@scripts/setup demo
	@go run ./examples/quickstart $(ARGS)

test: ## everything: lint, vet, race detector, real machines (root; Debian or Ubuntu)
	@scripts/setup test
	@scripts/test

test-matrix: ## the tests on real machines, on Debian 13 too
	@scripts/setup test
	@scripts/machines debian-12 debian-13

chaos: ## workers that are killed, KILLS times (50) by the plan of SEED (1)
	@scripts/setup test
	@scripts/chaos $(SEED) $(KILLS)

bench: ## the benchmarks of all packages, and forge against its peers (go run ./bench)
	@scripts/setup bench
	@scripts/bench

fuzz: ## every fuzz target for FUZZTIME (1m), FUZZJOBS at once
	@scripts/fuzz $(FUZZTIME)

lint: ## the linters alone
	@scripts/setup test
	@scripts/lint

.PHONY: help demo test test-matrix chaos bench fuzz lint
