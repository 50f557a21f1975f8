/* crc32c - CRC-32C (Castagnoli, RFC 3720 appendix B.4): detects a torn queue file. By the CPU's instruction where there is one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/defs.h"

/* Continues `crc` (0 at first) over n bytes. crc32c(0, "123456789", 9) is 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The CRC of A followed by B, from crc(A), crc(B) and the length of B. */
uint32_t crc32c_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n); /* what crc32c() is on a CPU without the instruction */

#endif
