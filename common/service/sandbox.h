/* sandbox - what a taken-over process could still do, as little as possible: rlimits, no-new-privileges, Landlock, seccomp (D9).
 *
 * The profile is a required field of each service. Where the kernel lacks a facility it is named once at start (log event
 * `sandbox`), and the rest still applies. A system call outside the profile ends the process by SIGSYS, after a line on stderr that
 * names it; what libraries merely try (opening a file, asking a terminal's size) is refused with an error instead. */
#ifndef SERVICE_SANDBOX_H
#define SERVICE_SANDBOX_H

#include "base/err.h"

#include <signal.h>

enum {
	SB_STDIO = 1 << 0,   /* read, write, memory, clocks, poll, logging: always there */
	SB_SOCKETS = 1 << 1, /* accept, connect to Unix sockets, send and receive with descriptors */
	SB_INET = 1 << 2,    /* outgoing TCP and UDP too */
	SB_FILES = 1 << 3,   /* open, rename, unlink, stat... below allowed directories */
	SB_FORK = 1 << 4,    /* fork and wait; no exec */
	SB_EXEC = 1 << 5,    /* also exec (master) */
	SB_IDS = 1 << 6,   /* setfsuid, chown, setuid...: local-delivery. No Landlock: any ruleset would turn its rename into EXDEV
			      (D6) */
	SB_NSS = 1 << 7,   /* whatever NSS and PAM modules need: a deny-list instead of an allow-list; all files may be read */
	SB_MEMFD = 1 << 8, /* memfd_create and seals */
};
enum { SB_DIR_READ = 1, SB_DIR_WRITE = 2 };

struct sandbox; /* a profile being built */
struct sandbox *sandbox_new(unsigned flags, struct err *e);
void sandbox_allow_dir(struct sandbox *s, int dirfd, unsigned access); /* dirfd is needed until sandbox_prepare() */
/* Where the number of the system call that broke the profile is left, for a parent to read (shared memory). */
void sandbox_note_to(struct sandbox *s, volatile sig_atomic_t *ret_call);
const char *sandbox_call_name(long call, char dst[32]); /* "openat"; the number when it is unknown */
/* Applies everything to this process, for good. uid-independent. The filter is prepared once (leader) and loaded per worker. */
bool sandbox_prepare(struct sandbox *s, struct err *e) MUST_CHECK;
bool sandbox_enter(struct sandbox *s, struct err *e) MUST_CHECK;
void sandbox_free(struct sandbox *s);
/* What this kernel has: "seccomp yes, landlock abi 7" for `postern check` and the start line. */
void sandbox_facilities(char *dst, size_t size);

#endif
