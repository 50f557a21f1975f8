#include "holder.h"
#include "base/fd.h"
#include "base/num.h"

#include <dirent.h>
#include <fcntl.h>

#define TABLE_MAX 65536 /* listening sockets stand before all others */
#define IP_HEX_MAX 33
#define STATE_LISTEN 0x0a

/* As the kernel prints it: words of four bytes, each as a number of this machine. */
static void hex_of(const struct addr *at, char dst[IP_HEX_MAX])
{
	for (size_t i = 0; i < (at->family == AF_INET6 ? 4u : 1u); i++) {
		uint32_t word;
		memcpy(&word, at->ip + 4 * i, sizeof(word));
		snprintf(dst + 8 * i, 9, "%08X", (unsigned)word);
	}
}

static bool is_any(struct sv hex)
{
	for (size_t i = 0; i < hex.n; i++)
		if (hex.p[i] != '0')
			return false;
	return true;
}

/* "  0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 ..." */
static bool listens_there(struct sv line, const struct addr *at, uint64_t *ret_inode)
{
	char own[IP_HEX_MAX];
	struct sv word[10];
	uint64_t port, state;
	for (size_t i = 0; i < COUNT(word); i++)
		if (!sv_word(&line, &word[i]))
			return false;
	ptrdiff_t colon = sv_chr(word[1], ':');
	if (colon < 0 || !num_hex(sv_skip(word[1], (size_t)colon + 1), UINT16_MAX, &port) || port != at->port ||
		!num_hex(word[3], UINT8_MAX, &state) || state != STATE_LISTEN)
		return false;
	struct sv ip = sv_sub(word[1], 0, (size_t)colon);
	hex_of(at, own);
	return (is_any(sv_of(own)) || is_any(ip) || sv_eqs(ip, own)) && num_u64(word[9], 1, UINT64_MAX, ret_inode);
}

static bool find_inode(const char *table, const struct addr *at, uint64_t *ret_inode)
{
	char text[TABLE_MAX];
	size_t n = 0;
	bool found = false;
	int fd = open(table, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !fd_pread(fd, text, sizeof(text), 0, &n, NULL))
		n = 0;
	fd_close(&fd);
	struct sv rest = { text, n }, line;
	while (!found && sv_cut(&rest, '\n', &line))
		found = listens_there(line, at, ret_inode);
	return found;
}

static bool has_socket(int proc, const char *pid, const char *socket)
{
	char path[32], target[40];
	bool found = false;
	snprintf(path, sizeof(path), "%.20s/fd", pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		fd_close(&fd);
		return false;
	}
	for (const struct dirent *d; !found && (d = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target));
		found = n > 0 && sv_eqs((struct sv){ target, (size_t)n }, socket);
	}
	closedir(dir);
	return found;
}

static void name_process(int proc, const char *pid, char dst[HOLDER_MAX])
{
	char path[32];
	struct buf name = BUF_INIT(32);
	snprintf(path, sizeof(path), "%.20s/comm", pid);
	if (fd_read_path(proc, path, &name, NULL)) {
		struct sv s = sv_trim(buf_sv(&name));
		snprintf(dst, HOLDER_MAX, "%.*s[%.10s]", (int)s.n, s.p, pid);
	}
	buf_free(&name);
}

static void find_process(uint64_t inode, char dst[HOLDER_MAX])
{
	char socket[40];
	uint64_t pid;
	DIR *dir = opendir("/proc");
	if (!dir)
		return;
	snprintf(socket, sizeof(socket), "socket:[%llu]", (unsigned long long)inode);
	for (const struct dirent *d; dst[0] == '\0' && (d = readdir(dir));)
		if (num_u64(sv_of(d->d_name), 1, INT32_MAX, &pid) && has_socket(dirfd(dir), d->d_name, socket))
			name_process(dirfd(dir), d->d_name, dst);
	closedir(dir);
}

const char *port_holder(const struct addr *at, char dst[HOLDER_MAX])
{
	uint64_t inode;
	dst[0] = '\0';
	/* A socket for all of IPv6 may have IPv4 as well. */
	if ((at->family == AF_INET && find_inode("/proc/net/tcp", at, &inode)) || find_inode("/proc/net/tcp6", at, &inode))
		find_process(inode, dst);
	return dst;
}
