# Unit tests: every tests/unit/<folder>/test_<module>.c is found by its name. `make unit`, or build/<variant>/tests/unit [-v] [SUITE...]
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_AID_SRC := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*/*.c)) # what several tests share
UNIT_OBJ := $(O)/tests/unit/main.o $(UNIT_SRC:%.c=$(O)/%.o) $(UNIT_AID_SRC:%.c=$(O)/%.o)
CFLAGS_tests := -iquote $(O)/tests -iquote .

# Changed only when the list of files did: everything that includes unit.h depends on it.
$(O)/tests/suites.inc: FORCE
	@mkdir -p $(@D)
	@printf 'SUITE(%s)\n' $(patsubst test_%.c,%,$(notdir $(UNIT_SRC))) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(UNIT_OBJ): | $(O)/tests/suites.inc

$(O)/tests/unit-tests: $(UNIT_OBJ) $(ARCHIVES:%=$(O)/lib%.a) $(LIBPOSTERN)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(foreach p,$(ARCHIVES),$($(p)_LIBS)) $(LIBS) -lssl -lcrypto -lcunit
-include $(UNIT_OBJ:.o=.d)

.PHONY: unit FORCE
unit: $(O)/tests/unit-tests
	$(Q)$<

include tests/fuzz.mk
# For master's tests: a daemon that does as it is told.
$(O)/tests/fake-daemon: $(O)/tests/lib/fake_daemon.o $(LIBPOSTERN)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(O)/tests/unit-tests: | $(O)/tests/fake-daemon
# For the sandbox test: one system call inside another process.
$(O)/tests/intruder: $(O)/tests/lib/intruder.o $(LIBPOSTERN)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
# For the tests of size: many queue files.
$(O)/tests/fill-queue: $(O)/tests/lib/fill_queue.o $(O)/libpostern-queue-mgr.a $(LIBPOSTERN)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(postern-queue-mgr_LIBS) $(LIBS)
# For the tests of faults and clocks: loaded into the daemons.
$(O)/tests/faults.so: tests/lib/faults.c | $(PATHS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) -iquote common -iquote $(O)/gen -fPIC -shared -o $@ $<
