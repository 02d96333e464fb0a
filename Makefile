# ranksweep: one Makefile. `make help` lists the targets.
#
# A variant is another BUILD with other flags, not another rule: see san, cover and fuzz below.
# A file belongs to the library of its folder; nothing here names single sources but those that wrap a library.

BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
V       ?= 0
Q       := $(if $(filter 0,$(V)),@)

PKGS_CORE := libfyaml libpcre2-8
PKGS_MATH := lapacke
PKGS_EDGE := sqlite3 hwloc
PKGS_TEST := cmocka
PKGS_JOBS := openblas
PKG       := pkg-config

STD       := -std=c11
PURE_DEFS := -D_POSIX_C_SOURCE=200809L
EDGE_DEFS := -D_GNU_SOURCE
CPPFLAGS  += -iquote include -MMD -MP

lib_srcs   = $(sort $(wildcard $(addsuffix /*.c,$(addprefix src/,$(1)))))
objs       = $(patsubst %.c,$(BUILD)/%.o,$(1))
bins       = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard $(1))))

CORE_OBJS := $(call objs,$(call lib_srcs,base core search))
EDGE_OBJS := $(call objs,$(call lib_srcs,edge))
TOP_OBJS  := $(call objs,$(call lib_srcs,drive cmd))
PROG      := $(BUILD)/ranksweep

# The reference LAPACK, statically: the one of OpenBLAS would start its threads in every rank.
math_dir   = /usr/lib/$(shell $(CC) -print-multiarch)
math_libs  = $(if $(wildcard $(math_dir)/lapack/liblapack.a),-L$(math_dir)/lapack -L$(math_dir)/blas \
    -Wl$(comma)-Bstatic -llapacke -llapack -lblas -lgfortran -lquadmath -Wl$(comma)-Bdynamic \
    -static-libgcc,-llapacke -llapack -lblas)
comma     := ,
core_libs  = $(shell $(PKG) --libs $(PKGS_CORE)) $(math_libs) -lm
edge_libs  = $(shell $(PKG) --libs $(PKGS_EDGE))
test_libs  = $(shell $(PKG) --libs $(PKGS_TEST))
mpi_cflags = $(patsubst -I%,-isystem %,$(shell mpicc --showme:compile))
mpi_libs   = $(shell mpicc --showme:link)

all: $(if $(wildcard src/cmd/main.c),$(PROG)) jobs ## build ranksweep and the example trainers (the default)

# ---- objects -------------------------------------------------------------------------------
# DEFS hangs on the folder, for the object and for what else is made of a source (its .tidy stamp).
$(BUILD)/src/base/% $(BUILD)/src/core/% $(BUILD)/src/search/%: DEFS = $(PURE_DEFS)
$(BUILD)/src/edge/% $(BUILD)/src/drive/% $(BUILD)/src/cmd/%: DEFS = $(EDGE_DEFS)
$(BUILD)/tests/%: DEFS = $(EDGE_DEFS) -iquote tests/lib -iquote .
$(BUILD)/src/base/yaml% $(BUILD)/src/base/regex%: DEFS += $(shell $(PKG) --cflags $(PKGS_CORE))
$(BUILD)/src/edge/wire%: DEFS += $(mpi_cflags)

$(BUILD)/%.o: %.c | $(BUILD)/.deps
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo "  CC    $<")
	$(Q)$(CC) $(STD) $(DEFS) $(CPPFLAGS) $(CFLAGS) $(WARN) -c -o $@ $<

# Asked once for each BUILD: a missing package is named before any compiler sees a missing header.
$(BUILD)/.deps:
	@scripts/check-deps $(PKGS_CORE) $(PKGS_MATH) $(PKGS_EDGE) $(PKGS_JOBS) mpicc
	@mkdir -p $(@D) && touch $@

$(BUILD)/libcore.a: $(CORE_OBJS)
$(BUILD)/libedge.a: $(EDGE_OBJS)
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

define link
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
endef

$(PROG): $(TOP_OBJS) $(BUILD)/libedge.a $(BUILD)/libcore.a
	$(link) $(edge_libs) $(core_libs) $(mpi_libs)

# ---- example trainers ----------------------------------------------------------------------
-include jobs/jobs.mk

# ---- tests ---------------------------------------------------------------------------------
# Unit and property tests link the pure library only, with plain cc: the linker proves that the core needs
# neither MPI nor SQLite nor a process. A fuzz target is linked with a main that replays its corpus; the
# variant of `make fuzz` puts the engine in its place. tests/lib/fake_*.c are programs that tests start.
FAKES     := $(call bins,tests/lib/fake_*.c)
LIB_OBJS  := $(call objs,$(sort $(filter-out tests/lib/fake_%,$(wildcard tests/lib/*.c))))
UNIT_BINS := $(call bins,tests/unit/test_*.c tests/prop/prop_*.c)
FUZZ_BINS := $(call bins,tests/fuzz/fuzz_*.c)
EDGE_BINS := $(call bins,tests/store/test_*.c tests/child/test_*.c)
JOBS_BINS := $(call bins,tests/jobs/*.c)
SIM_BIN   := $(BUILD)/tests/sim/test_sim
FUZZ_MAIN ?= $(BUILD)/tests/fuzz/replay.o

$(BUILD)/libtest.a: $(LIB_OBJS)
$(addprefix $(BUILD)/tests/,unit/test_must bench/bench_resume bench/bench_pipeline): $(call objs,src/drive/must.c)
$(UNIT_BINS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtest.a $(BUILD)/libcore.a
	$(link) $(test_libs) $(core_libs)
$(EDGE_BINS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtest.a $(BUILD)/libedge.a $(BUILD)/libcore.a
	$(link) $(test_libs) $(edge_libs) $(core_libs)
# All of the program but its verbs, with its own wire, children, clock: what a test defines is not taken from
# the library, and what it wraps is called through it.
SIM_WRAPS := getpid read close inotify_init1 inbox_answer inbox_due_ms inbox_look inbox_take output_open sched_new \
    $(addprefix sqlite3_,open_v2 close exec prepare_v2 prepare_v3 finalize) \
    $(addprefix host_,monotonic_ms epoch_ms name cpus bind gpus memory_bytes signals_open signals_take \
    identity process_fd end_with_parent make_dirs dir_empty remove_tree trainer_env) \
    $(addprefix store_,commit close put_trial put_parents put_gone put_unit begin_attempt drop_attempt \
    start_attempt end_attempt put_metric put_output put_worker put_audit put_pick drop_unstarted)
$(SIM_BIN): $(call objs,$(sort $(wildcard tests/sim/*.c))) $(call objs,$(call lib_srcs,drive)) \
    $(BUILD)/libedge.a $(BUILD)/libcore.a
	$(link) $(SIM_WRAPS:%=-Wl,--wrap=%) $(test_libs) $(edge_libs) $(core_libs)
$(FUZZ_BINS): $(BUILD)/%: $(BUILD)/%.o $(filter %.o,$(FUZZ_MAIN)) $(BUILD)/libcore.a
	$(link) $(filter -%,$(FUZZ_MAIN)) $(core_libs)
$(FAKES): $(BUILD)/%: $(BUILD)/%.o
	$(link) -lm

tests: all $(UNIT_BINS) $(FUZZ_BINS) $(SIM_BIN) $(EDGE_BINS) $(JOBS_BINS) $(FAKES) ## build all tests, run none

# Make calls itself where packages must be there first, or for a variant; on all cores unless told otherwise.
again = +@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# What the kinds of tests asked for need; not all of them need all.
needs_unit  := $(UNIT_BINS)
needs_prop  := $(UNIT_BINS)
needs_fuzz  := $(FUZZ_BINS)
needs_store := $(EDGE_BINS) $(FAKES)
needs_sim   := $(SIM_BIN)
kind         = $(firstword $(subst /, ,$(1)))
asked: $(or $(sort $(foreach k,$(KINDS),$(or $(needs_$(call kind,$(k))),tests))),tests)

test: ## install what is missing, build, run every test (KINDS="unit mpi": these only)
	@scripts/install-deps
	$(again) asked
	@BUILD=$(BUILD) tests/run $(KINDS)

# (Warnings are for the plain build: instrumented code makes gcc see what is not there.)
SAN := -fsanitize=address,undefined
san: ## the same tests with address and undefined-behaviour sanitizers
	@scripts/install-deps
	$(again) BUILD=build/san WARN= CFLAGS="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all $(SAN)" \
	    LDFLAGS="$(SAN)" asked
	@BUILD=build/san UBSAN_OPTIONS=print_stacktrace=1 tests/run $(KINDS)

mutants: ## plant each deliberate bug of tests/*/mutants: is it found? (half an hour)
	@scripts/install-deps
	$(again) all tests
	@for x in prop sim seeds; do sh tests/$$x/mutants.sh || exit 1; done

chaos: ## kill trainers, ranks and hosts at random under a study of 5000 units (CHAOS_UNITS, _FAULTS, _SEED)
	@scripts/install-deps
	$(again) all
	@BUILD=$(BUILD) $(foreach v,UNITS FAULTS SEED,$(if $(CHAOS_$(v)),CHAOS_$(v)=$(CHAOS_$(v)))) tests/chaos/chaos.sh

SOAK_SECONDS ?= 3600
soak: ## simulate the whole program for SOAK_SECONDS (3600), with seeds never tried before
	@scripts/install-deps
	$(again) $(SIM_BIN)
	@SOAK_SECONDS=$(SOAK_SECONDS) $(SIM_BIN)

ENDURE_SECONDS ?= 300
endure: ## run no-op units at full rate for ENDURE_SECONDS (300): what memory, descriptors and files do
	@scripts/install-deps
	$(again) all
	@BUILD=$(BUILD) ENDURE_SECONDS=$(ENDURE_SECONDS) scripts/endure

FUZZ_SECONDS ?= 60
fuzz: ## fuzz each target for FUZZ_SECONDS (60) from its corpus; finds stay in build/fuzz
	@scripts/install-deps --dev
	$(again) BUILD=build/fuzz WARN= CC=clang FUZZ_MAIN="-fsanitize=fuzzer" LDFLAGS="$(SAN)" \
	    CFLAGS="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=fuzzer-no-link $(SAN)" fuzzers
	@scripts/fuzz build/fuzz $(FUZZ_SECONDS)
fuzzers: $(FUZZ_BINS)

cover: ## line coverage of the pure library by its unit and property tests
	@scripts/install-deps
	@find build/cover -name '*.gcda' -delete 2>/dev/null || true
	$(again) BUILD=build/cover WARN= CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage units
	@BUILD=build/cover tests/run unit prop; status=$$?; scripts/cover build/cover; exit $$status
units: $(UNIT_BINS)

BENCH_BINS := $(call bins,tests/bench/bench_*.c)
$(BUILD)/tests/bench/bench_resume: $(call objs,$(addprefix src/drive/,adviser.c council.c ledger.c phase_env.c propose.c)) $(BUILD)/libedge.a
SEARCH_BENCHES := $(call bins,$(addprefix tests/bench/bench_,search.c propose.c pipeline.c))
$(SEARCH_BENCHES): $(call objs,$(addprefix tests/bench/,searcher.c task.c task_value.c))
$(BUILD)/tests/bench/bench_pipeline: $(call objs,$(addprefix src/drive/,adviser.c council.c phase_env.c propose.c)) $(BUILD)/libedge.a
$(BENCH_BINS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtest.a $(BUILD)/libcore.a
	$(link) $(BUILD)/libcore.a $(edge_libs) $(core_libs)
bench: ## measure this machine: units a second against other runners, idle ranks, the scheduler
	@scripts/install-deps --dev
	$(again) benches
	@BUILD=$(BUILD) scripts/bench
benches: all $(BENCH_BINS)

bench-search: ## measure searches and Optuna's: regret, time of a proposal (SEEDS=5: fewer runs)
	@scripts/install-deps --dev
	$(again) search-benches
	@BUILD=$(BUILD) scripts/bench-search
search-benches: $(SEARCH_BENCHES)

demo: ## install what is missing, build, and run the DBN study on real digits over 4 ranks
	@scripts/install-deps
	$(again) all
	@BUILD=$(BUILD) scripts/demo

# ---- lint ----------------------------------------------------------------------------------
C_FILES := $(sort $(wildcard include/*.h src/*/*.[ch] tests/*/*.[ch] jobs/*.[ch]))
TIDY    := $(patsubst %.c,$(BUILD)/%.tidy,$(filter src/%.c jobs/%.c tests/fuzz/%.c,$(C_FILES)))

format: ## lay out all C files by .clang-format
	@clang-format -i $(C_FILES)
format-check:
	@clang-format --dry-run -Werror $(C_FILES)

# A stamp for each source: what has not changed is not looked at again. The object comes first for its
# dependencies on headers.
$(BUILD)/%.tidy: $(BUILD)/%.o .clang-tidy
	@echo "  TIDY  $*.c"
	@clang-tidy --quiet $*.c -- $(STD) $(DEFS) -iquote include 2>$@.log || { cat $@.log >&2; exit 1; }
	@touch $@

tidy: $(TIDY)
# What cppcheck got wrong here each time it spoke, and gcc, clang-tidy or the sanitizers see better.
CPPCHECK_OFF := missingIncludeSystem invalidFunctionArg memleak nullPointerArithmeticRedundantCheck \
    returnDanglingLifetime uninitvar
cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance -j2 \
	    --inline-suppr $(CPPCHECK_OFF:%=--suppress=%) \
	    --cppcheck-build-dir=$(BUILD)/cppcheck -Iinclude $(wildcard src jobs)
guards: $(BUILD)/libcore.a
	@scripts/lint-layers
	@scripts/lint-pure $<
	@scripts/lint-shell

lint: ## layout, clang-tidy, cppcheck, shellcheck, and the guards of layering and purity
	@scripts/install-deps --dev
	$(again) format-check guards cppcheck tidy

# ---- the rest ------------------------------------------------------------------------------
install: $(PROG) ## install the program, ranksweep.h, ranksweep.py and batch scripts into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/ranksweep
	install -m 755 $(PROG) $(DESTDIR)$(PREFIX)/bin/ranksweep
	install -m 644 include/ranksweep.h $(DESTDIR)$(PREFIX)/include/ranksweep.h
	install -m 644 include/ranksweep.py $(DESTDIR)$(PREFIX)/share/ranksweep/ranksweep.py
	install -m 644 scripts/ranksweep.sbatch scripts/ranksweep.pbs $(DESTDIR)$(PREFIX)/share/ranksweep/

clean: ## remove everything built
	rm -rf build jobs/bin

help: ## this list
	@grep -hE '^[a-z_-]+:.*##' Makefile $(wildcard jobs/jobs.mk) | sed -E 's/:.*## /\t/' | sort | expand -t 14

.PHONY: all tests asked test san soak mutants chaos endure fuzz fuzzers cover units bench benches bench-search search-benches demo format format-check tidy cppcheck guards \
    lint install clean help jobs
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(wildcard $(addprefix $(BUILD)/,src tests jobs)) -name '*.d' 2>/dev/null)
