/* defs - the few macros that every file may use. Macros here name things; none holds control flow. */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Ends the process when an invariant of our own code is broken: never for bytes from a peer. */
#define BUG_IF(cond) ((cond) ? bug_at(__FILE__, __LINE__, #cond) : (void)0)
void bug_at(const char *file, int line, const char *what) NORETURN;

#endif
