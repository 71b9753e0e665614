# Entries of the project; each does its own set-up (scripts/setup). What CI runs is `make test`, nothing else.

.DEFAULT_GOAL := help
.PHONY: help run demo test fuzz mutants soak

help: ## list these entries
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: ## build and run mgsd in the foreground: DATA=tmp/run NID=<first IPv4> PORT=988 PROFILE=dev
	@scripts/run

demo: ## the same, and a simulated MDT, two OSTs and a client join it; stays up until Ctrl-C
	@scripts/demo

test: ## everything that CI checks: format, documents, lints, API docs, all tests
	@scripts/test

fuzz: ## fuzz one decoder or core: TARGET=name SECONDS=60; without TARGET the names
	@scripts/fuzz "$(TARGET)" "$(SECONDS)"

mutants: ## which changes of the code no test notices: CRATE="wire lnet-core"; hours
	@scripts/mutants "$(CRATE)"

soak: ## the long versions of tests: KILLS=1000 SECONDS=600 (of fuzzing)
	@scripts/soak "$(KILLS)" "$(SECONDS)"
