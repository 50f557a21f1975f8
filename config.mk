# Where things go and how they are built. Every value may be set on the command line.
VARIANT ?= release
BUILD   ?= build
O       := $(BUILD)/$(VARIANT)
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/postern
# What belongs to the system lies in the system's directories, unless PREFIX is a place of its own, as /opt/postern: then they are below it.
PRIVATE := $(filter-out /usr /usr/local,$(patsubst %/,%,$(PREFIX)))
SYSCONFDIR ?= $(PRIVATE)/etc
STATEDIR ?= /var/spool/postern
RUNDIR  ?= /run/postern
LOGDIR  ?= /var/log
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PRIVATE)/lib/systemd/system
SYSUSERSDIR ?= $(or $(PRIVATE),/usr)/lib/sysusers.d
TMPFILESDIR ?= $(or $(PRIVATE),/usr)/lib/tmpfiles.d
LOGROTATEDIR ?= $(SYSCONFDIR)/logrotate.d
SYSTEM_SBIN ?= $(or $(PRIVATE),/usr)/sbin
SYSTEM_BIN ?= $(or $(PRIVATE),/usr)/bin
INSTALL_VARS := O DESTDIR SBINDIR LIBEXECDIR SYSCONFDIR MANDIR UNITDIR SYSUSERSDIR TMPFILESDIR LOGROTATEDIR STATEDIR \
	RUNDIR LOGDIR SYSTEM_MTA SYSTEM_SBIN SYSTEM_BIN

CC ?= gcc
AR ?= ar
Q  := $(if $(V),,@)
VERSION := 0.1.0

CPPFLAGS += -D_GNU_SOURCE -include common/base/banned.h -DPOSTERN_VERSION='"$(VERSION)"'
CFLAGS_WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers $(if $(CI),-Werror)
CFLAGS_HARD := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-strict-aliasing
LDFLAGS_HARD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 $(CFLAGS_HARD)
CFLAGS_debug := -Og -g3 $(CFLAGS_HARD)
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DPOSTERN_ASAN=1
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DPOSTERN_ASAN=1
CFLAGS_cov := -O0 -g --coverage
LDFLAGS_release := $(LDFLAGS_HARD)
LDFLAGS_debug := $(LDFLAGS_HARD)
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
LDFLAGS_cov := --coverage
CFLAGS += -std=gnu11 $(CFLAGS_$(VARIANT)) $(CFLAGS_WARN)
LDFLAGS += $(LDFLAGS_$(VARIANT))
LIBS := -lseccomp -ldb -lidn2 -lidn -lunbound -lpcre2-8
