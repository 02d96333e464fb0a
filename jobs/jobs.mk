# The example trainers: jobs/*.c but the programs' main files are shared by all of them.
# They are linked under $(BUILD) and copied to jobs/bin/, so that a variant build (another BUILD) is what
# jobs/bin/ holds after it, and the objects of the two never mix.

JOBS_PROGS  := mlp dbn
JOBS_SHARED := $(filter-out $(JOBS_PROGS:%=jobs/%.c),$(sort $(wildcard jobs/*.c)))
JOBS_BUILT  := $(JOBS_PROGS:%=$(BUILD)/jobs/bin/%)
JOBS_OBJS   := $(JOBS_SHARED:%.c=$(BUILD)/%.o)

$(BUILD)/jobs/%: DEFS = -D_POSIX_C_SOURCE=200809L $(shell $(PKG) --cflags $(PKGS_JOBS))

$(JOBS_BUILT): $(BUILD)/jobs/bin/%: $(BUILD)/jobs/%.o $(JOBS_OBJS)
$(BUILD)/tests/jobs/gradient: $(BUILD)/tests/jobs/gradient.o $(JOBS_OBJS)
$(JOBS_BUILT) $(BUILD)/tests/jobs/gradient:
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG) --libs $(PKGS_JOBS)) -lm

jobs: $(JOBS_BUILT) ## build the example trainers into jobs/bin/
	@mkdir -p jobs/bin
	@for p in $(JOBS_PROGS); do cmp -s $(BUILD)/jobs/bin/$$p jobs/bin/$$p || \
	    install -m 755 $(BUILD)/jobs/bin/$$p jobs/bin/$$p; done

test-jobs: jobs $(BUILD)/tests/jobs/gradient ## test the example trainers alone
	@status=0; for t in $(BUILD)/tests/jobs/gradient $(filter-out %/check.sh,$(wildcard tests/jobs/*.sh)); do \
	    echo "# $$t"; ./$$t || status=1; done; exit $$status

.PHONY: jobs test-jobs
