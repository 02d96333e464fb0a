# ranksweep: one Makefile. `make help` lists the targets.
#
# A variant is another BUILD with other flags, not another rule:
#   make BUILD=build/san CFLAGS="-O1 -g -fsanitize=address,undefined" LDFLAGS=-fsanitize=address,undefined
# A file belongs to the library of its folder; nothing here names single sources.

BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
V       ?= 0
Q       := $(if $(filter 0,$(V)),@)

PKGS_CORE := libfyaml libpcre2-8
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

CORE_OBJS := $(call objs,$(call lib_srcs,base core search))
EDGE_OBJS := $(call objs,$(call lib_srcs,edge))
TOP_OBJS  := $(call objs,$(call lib_srcs,drive cmd))
PROG      := $(BUILD)/ranksweep

core_libs = $(shell $(PKG) --libs $(PKGS_CORE)) -lm
edge_libs = $(shell $(PKG) --libs $(PKGS_EDGE))
mpi_cflags = $(shell mpicc --showme:compile)
mpi_libs   = $(shell mpicc --showme:link)

all: $(PROG) jobs ## build ranksweep and the example trainers (the default)

# ---- objects -------------------------------------------------------------------------------
$(BUILD)/src/base/%.o $(BUILD)/src/core/%.o $(BUILD)/src/search/%.o: DEFS = $(PURE_DEFS)
$(BUILD)/src/edge/%.o $(BUILD)/src/drive/%.o $(BUILD)/src/cmd/%.o $(BUILD)/tests/%.o: DEFS = $(EDGE_DEFS)
$(BUILD)/src/base/yaml.o $(BUILD)/src/base/regex.o: DEFS += $(shell $(PKG) --cflags $(PKGS_CORE))
$(BUILD)/src/edge/wire.o: DEFS += $(mpi_cflags)
$(BUILD)/tests/%.o: DEFS += -iquote tests/lib -iquote .

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo "  CC    $<")
	$(Q)$(CC) $(STD) $(DEFS) $(CPPFLAGS) $(CFLAGS) $(WARN) -c -o $@ $<

$(BUILD)/libcore.a: $(CORE_OBJS)
$(BUILD)/libedge.a: $(EDGE_OBJS)
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(PROG): $(TOP_OBJS) $(BUILD)/libedge.a $(BUILD)/libcore.a
	@$(if $(filter 0,$(V)),echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(edge_libs) $(core_libs) $(mpi_libs)

# ---- example trainers ----------------------------------------------------------------------
-include jobs/jobs.mk

# ---- tests ---------------------------------------------------------------------------------
# Unit and property tests link the pure library only, with plain cc: the linker proves that the
# core needs neither MPI nor SQLite nor a process.
TEST_LIB  := $(call objs,$(sort $(wildcard tests/lib/*.c)))
UNIT_BINS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c tests/prop/prop_*.c)))
EDGE_BINS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/store/test_*.c tests/child/test_*.c)))

$(UNIT_BINS): $(BUILD)/%: $(BUILD)/%.o $(TEST_LIB) $(BUILD)/libcore.a
	@$(if $(filter 0,$(V)),echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG) --libs $(PKGS_TEST)) $(core_libs)
$(EDGE_BINS): $(BUILD)/%: $(BUILD)/%.o $(TEST_LIB) $(BUILD)/libedge.a $(BUILD)/libcore.a
	@$(if $(filter 0,$(V)),echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG) --libs $(PKGS_TEST)) $(edge_libs) $(core_libs) $(mpi_libs)

-include scripts/targets.mk

install: $(PROG) ## install into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROG) $(DESTDIR)$(PREFIX)/bin/ranksweep

clean: ## remove everything built
	rm -rf build jobs/bin

help: ## this list
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

.PHONY: all install clean help jobs
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
