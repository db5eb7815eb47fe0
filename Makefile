# Needs Go and a POSIX shell; "race" also needs a C compiler. Go fetches all else.
GO          ?= go
LINT         = $(GO) run ./cmd/internal/lint -go '$(GO)'
PACKAGES     = ./... ./testdata
FUZZTIME    ?= 20000x
ROUNDS      ?= 200
RACEFLAGS   ?=
PEERDIR     ?= .
PEERFLAGS   ?=
# What is a function of its arguments starts no goroutine (cmd/internal/archtest).
PURE         = leyline|leyline/(guard|sign)|projections|subsystems/(breaker|decider|detmath|effect|tensorfile)|subsystems/(kasmina|tamiyo|tolaria)(/.*)?|cmd/internal/(archtest|lint)
RACEPACKAGES = $$($(GO) list $(PACKAGES) | grep -vE '/($(PURE))$$')
GOLDENS      = ./replay ./subsystems/detmath ./subsystems/tolaria/... ./subsystems/kasmina/...

.DEFAULT_GOAL := build
.PHONY: build run try test race mutants fuzz lint lint-update golden golden-variants bench peerbench peerbench-test soak test-pytorch clean help

build: ## build ./esper (the default)
	$(GO) build -o esper ./cmd/esper

run: build ## build, then the main job: grow, fail, recover, compare; into data/demo and data/report.html
	@mkdir -p data
	./esper run --data data/demo --workload multimnist --fault loss-spike@600 --compare --report data/report.html

try: build ## the same on 333 penguins in less than a second, into data/try
	@mkdir -p data
	./esper run --data data/try --fault nan@120

test: ## all tests: units, layers and purity, CLI scripts, fuzz seeds; offline once modules are fetched
	$(GO) test $(PACKAGES)

race: ## the tests of all that is not pure under the race detector (RACEFLAGS=-short leaves out the long ones)
	@command -v "$$($(GO) env CC)" >/dev/null || { echo "race: needs a C compiler ($$($(GO) env CC) is not here)" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -race $(RACEFLAGS) $(RACEPACKAGES)

mutants: ## plant every known way to mask a failure, one at a time; the tests must notice each (minutes)
	$(GO) test -tags mutants ./cmd/internal/archtest -run 'TestMutants' -count=1 -timeout 30m

fuzz: ## every fuzz target, one after the other, each for FUZZTIME=20000x (runs; 30s for a time)
	@set -e; \
	targets=$$(find . -name '*_test.go' -exec grep -Ho '^func Fuzz[A-Za-z0-9_]*' {} + | sort); \
	test -n "$$targets" || { echo "fuzz: found no target" >&2; exit 1; }; \
	echo "$$targets" | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); \
		echo "fuzz $$name in $$dir for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$dir" </dev/null; \
	done

lint: ## no warning by gofmt, vet, staticcheck, gocognit (at most 15), tidy; and testdata/lint.txt says what is so
	$(LINT) $(PACKAGES)

lint-update: ## write testdata/lint.txt anew; read the diff before you commit it
	$(LINT) -update $(PACKAGES)

golden: ## rewrite the golden files; read the diff before you commit it
	@set -e; \
	dirs=$$(grep -rl --include='*_test.go' 'flag\.Bool[A-Za-z]*(.*"update"' . | xargs -r -n1 dirname | sort -u); \
	test -n "$$dirs" || { echo "golden: no test has a flag -update" >&2; exit 1; }; \
	for dir in $$dirs; do $(GO) test "$$dir" -update; done

golden-variants: ## replay the golden logs with other instruction sets and without gonum's assembly
	@set -e; \
	if test "$$($(GO) env GOHOSTARCH)" != amd64; then \
		echo "golden-variants: GOAMD64=v3 SKIPPED, this is no amd64 machine"; \
	elif ! { grep -qw avx2 /proc/cpuinfo && grep -qw bmi2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; } 2>/dev/null; then \
		echo "golden-variants: GOAMD64=v3 SKIPPED, this processor lacks avx2, bmi2 or fma (or does not say)"; \
	else \
		echo "GOAMD64=v3 $(GO) test $(GOLDENS)"; GOAMD64=v3 $(GO) test $(GOLDENS); \
	fi
	$(GO) test -tags noasm $(GOLDENS)

bench: ## all Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

peerbench: ## appends and reads beside other logs, about 12 minutes; files go to PEERDIR=., on the disk to measure
	cd eventlog/internal/peerbench && $(GO) run . -dir $(abspath $(PEERDIR)) append $(PEERFLAGS)
	cd eventlog/internal/peerbench && $(GO) run . -dir $(abspath $(PEERDIR)) read $(PEERFLAGS)

peerbench-test: ## that this comparison, a module of its own, builds and works with every peer
	cd eventlog/internal/peerbench && $(GO) vet ./... && $(GO) test ./...

soak: ## kill -9 a run ROUNDS=200 times and a log 1000 times, cut its power, crash it everywhere, change every byte (half an hour)
	$(GO) test ./cmd/internal/cli -run TestKillLoop -count=1 -timeout 60m -v -args -kill.rounds=$(ROUNDS)
	$(GO) test ./eventlog -run 'TestKilledWriter|TestPowerCut|TestCrash|TestHundredRecords' -count=1 -timeout 120m -v \
		-args -kill.rounds=1000 -power.cuts=50 -crash.seeds=8 -damage.full

test-pytorch: ## the Python package beside a real PyTorch, which is unpacked into data/pytorch (600 MB to fetch once); minutes
	GO='$(GO)' leyline/python/tools/test-pytorch.sh $(PARTS)

clean: ## remove what build and run left here
	rm -rf esper data/demo data/try data/report.html

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done
