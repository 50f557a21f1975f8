#include "ipc/ipc.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define SAMPLE(F, T) F(T, STR, name, 8) F(T, U64, count, 1000) F(T, STR, rest, 4)
#define WITH_FD(F, T) F(T, U64, size, 10) F(T, FD, file, 0)
IPC_DECLARE(sample, SAMPLE);
IPC_DEFINE(sample, 0x701, 2, SAMPLE);
IPC_DECLARE(with_fd, WITH_FD);
IPC_DEFINE(with_fd, 0x702, 1, WITH_FD);

#define WAIT_MS 2000

/* type 0x0701, version 2, "ab", 258, "" */
static const char good[] = "\x01\x07\x02\x00"
			   "\x02\x00\x00\x00"
			   "ab"
			   "\x02\x01\x00\x00\x00\x00\x00\x00"
			   "\x00\x00\x00\x00";
#define GOOD_LEN (sizeof good - 1)

static void a_message_is_little_endian_in_the_order_of_its_declaration(void)
{
	struct sample s = { .name = "ab", .count = 258, .rest = "" };
	struct buf out = BUF_INIT(100);
	ipc_encode(&sample_desc, &s, &out);
	CU_ASSERT(sv_eq(buf_sv(&out), (struct sv){ good, GOOD_LEN }));
	buf_free(&out);
}

static void what_was_encoded_decodes_to_the_same(void)
{
	struct sample in = { .name = "12345678", .count = 1000, .rest = "wxyz" }, out = { 0 };
	struct buf b = BUF_INIT(100);
	struct err e = { 0 };
	ipc_encode(&sample_desc, &in, &b);
	CU_ASSERT_TRUE(ipc_decode(&sample_desc, buf_sv(&b), NULL, 0, &out, &e));
	CU_ASSERT_STRING_EQUAL(out.name, in.name);
	CU_ASSERT_STRING_EQUAL(out.rest, in.rest);
	CU_ASSERT_EQUAL(out.count, in.count);
	buf_free(&b);
}

static void every_shorter_and_longer_form_is_refused(void)
{
	char longer[sizeof good];
	struct sample out;
	struct err e;
	memcpy(longer, good, sizeof good); /* its NUL is the byte too many */
	for (size_t n = 0; n <= sizeof longer; n++) {
		bool ok = ipc_decode(&sample_desc, (struct sv){ longer, n }, NULL, 0, &out, &e);
		CU_ASSERT_EQUAL(ok, n == GOOD_LEN);
		if (!ok)
			CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	}
}

static void values_out_of_range_are_refused_and_name_their_field(void)
{
	static const struct {
		size_t at;
		char byte;
		const char *why;
	} t[] = {
		{ 0, 0x02, "type" },                   /* another type */
		{ 2, 0x01, "version" },                /* another version */
		{ 4, 0x09, "field name is over" },     /* longer than its limit */
		{ 7, 0x7f, "field name is over" },     /* longer than anything */
		{ 8, 0x00, "field name holds a NUL" }, /* NUL in a text */
		{ 11, 0x04, "field count is over" },   /* 1026 */
		{ 17, 0x40, "field count is over" },
		{ 18, 0x01, "field rest is cut" }, /* its byte is missing */
		{ 18, 0x05, "field rest is over" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char bytes[GOOD_LEN];
		struct sample out = { .name = "as was", .count = 7 };
		struct err e = { 0 };
		memcpy(bytes, good, GOOD_LEN);
		bytes[t[i].at] = t[i].byte;
		CU_ASSERT_FALSE(ipc_decode(&sample_desc, (struct sv){ bytes, GOOD_LEN }, NULL, 0, &out, &e));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].why));
		CU_ASSERT_STRING_EQUAL(out.name, "as was");
		CU_ASSERT_EQUAL(out.count, 7);
	}
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void a_wrong_number_of_descriptors_is_refused_and_closes_them(void)
{
	struct sample out;
	struct err e;
	int pipe_fds[2];
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
	CU_ASSERT_FALSE(ipc_decode(&sample_desc, (struct sv){ good, GOOD_LEN }, pipe_fds, 2, &out, &e));
	CU_ASSERT_FALSE(is_open(pipe_fds[0]));
	CU_ASSERT_FALSE(is_open(pipe_fds[1]));
}

static void a_descriptor_travels_beside_the_bytes(void)
{
	int pair[2], pipe_fds[2];
	struct err e = { 0 };
	char byte = 0;
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_SEQPACKET, pair, &e));
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
	struct with_fd in = { .size = 3, .file = pipe_fds[0] }, out = { .file = -1 };
	CU_ASSERT_TRUE(ipc_send(pair[0], &with_fd_desc, &in, WAIT_MS, &e));
	CU_ASSERT_TRUE(is_open(in.file));
	CU_ASSERT_TRUE(ipc_recv_msg(pair[1], &with_fd_desc, &out, WAIT_MS, &e));
	CU_ASSERT_EQUAL(write(pipe_fds[1], "x", 1), 1);
	CU_ASSERT_EQUAL(read(out.file, &byte, 1), 1);
	CU_ASSERT_EQUAL(byte, 'x');
	close(out.file);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(pipe_fds[i]);
	}
}

static void a_call_without_an_answer_ends_at_its_deadline(void)
{
	int pair[2];
	struct err e = { 0 };
	struct sample s = { .name = "q" }, answer;
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_SEQPACKET, pair, &e));
	CU_ASSERT_FALSE(ipc_call(pair[0], &sample_desc, &s, &sample_desc, &answer, 30, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	close(pair[1]);
	CU_ASSERT_FALSE(ipc_call(pair[0], &sample_desc, &s, &sample_desc, &answer, WAIT_MS, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	close(pair[0]);
}

static void descriptors_nobody_took_are_closed_with_the_packet(void)
{
	int pair[2], pipe_fds[2], got;
	struct err e = { 0 };
	struct ipc_packet p = IPC_PACKET_INIT;
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_SEQPACKET, pair, &e));
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
	struct with_fd in = { .size = 3, .file = pipe_fds[0] };
	CU_ASSERT_TRUE(ipc_send(pair[0], &with_fd_desc, &in, WAIT_MS, &e));
	CU_ASSERT_TRUE(ipc_recv(pair[1], &p, WAIT_MS, &e));
	CU_ASSERT_EQUAL_FATAL(p.n_fds, 1);
	got = p.fds[0];
	ipc_packet_free(&p);
	CU_ASSERT_FALSE(is_open(got));
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(pipe_fds[i]);
	}
}

void suite_ipc(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_message_is_little_endian_in_the_order_of_its_declaration),
		UNIT(what_was_encoded_decodes_to_the_same),
		UNIT(every_shorter_and_longer_form_is_refused),
		UNIT(values_out_of_range_are_refused_and_name_their_field),
		UNIT(a_wrong_number_of_descriptors_is_refused_and_closes_them),
		UNIT(a_descriptor_travels_beside_the_bytes),
		UNIT(a_call_without_an_answer_ends_at_its_deadline),
		UNIT(descriptors_nobody_took_are_closed_with_the_packet),
		UNIT_END,
	};
	unit_suite("ipc", cases);
}
