# Postern. `make deps run` shows it working, `make deps check` tests it, `make install` installs it. Variants: VARIANT=release|debug|asan|cov
include config.mk

all: library programs
MODULES := common master smtpd resolve queue-mgr local-delivery remote-delivery bounce spamcheck authd tls-policy logd tools
include $(wildcard $(MODULES:%=%/module.mk))
include scripts/targets.mk

# --- what the module.mk files declare: LIB_SRC (common), <prog>_SRC and PROGRAMS, <prog>_LIBS --------------------------------
# A folder without its main.c is no program yet.
ARCHIVES := $(foreach p,$(PROGRAMS),$(if $($(p)_SRC),$(p)))
PROGRAMS := $(foreach p,$(PROGRAMS),$(if $(wildcard $($(p)_MAIN)),$(p)))
COMMON_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
LIBPOSTERN := $(O)/libcommon.a
library: $(LIBPOSTERN)
$(LIBPOSTERN): $(COMMON_OBJ)
	@rm -f $@ && $(AR) rcs $@ $^

# The paths that programs know, in a header that changes only when they do: `make install PREFIX=/usr` after `make` must not install
# programs that look below the PREFIX of before.
PATHS := $(O)/gen/base/paths.h
$(PATHS): FORCE
	@mkdir -p $(@D)
	@printf '#define POSTERN_%s "%s"\n' CONF '$(SYSCONFDIR)/postern/postern.conf' STATEDIR '$(STATEDIR)' RUNDIR '$(RUNDIR)' \
		LOGDIR '$(LOGDIR)' LIBEXECDIR '$(LIBEXECDIR)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# A program is its main.c and an archive of the rest, which the unit tests link. Sources live in <folder>/.
define ARCHIVE
$(1)_OBJ := $$($(1)_SRC:%.c=$(O)/%.o)
$(O)/lib$(1).a: $$($(1)_OBJ)
	@rm -f $$@ && $(AR) rcs $$@ $$^
-include $$($(1)_OBJ:.o=.d)
endef
define PROGRAM
$(O)/$($(1)_TO)/$(1): $(O)/$($(1)_MAIN:.c=.o) $(O)/lib$(1).a $(LIBPOSTERN)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ $$($(1)_LIBS) $(LIBS)
programs: $(O)/$($(1)_TO)/$(1)
-include $(O)/$($(1)_MAIN:.c=.d)
endef
$(foreach p,$(sort $(ARCHIVES) $(PROGRAMS)),$(eval $(call ARCHIVE,$(p))))
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))
-include $(COMMON_OBJ:.o=.d)

# Includes are relative to common/ or to the file's own top folder; a unit test sees the folder that it tests as well.
FOLDER = $(firstword $(subst /, ,$*))
TESTED = $(word 3,$(subst /, ,$(filter tests/unit/%,$*)))
$(O)/%.o: %.c | $(PATHS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -iquote common -iquote $(O)/gen -iquote $(FOLDER) $(TESTED:%=-iquote %) $(CFLAGS) $(CFLAGS_$(FOLDER)) -MMD -MP -c -o $@ $<

include $(wildcard tests/module.mk)

.DELETE_ON_ERROR:
.PHONY: all library programs clean FORCE
clean:
	rm -rf build
