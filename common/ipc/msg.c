/* The tables of all messages. Numbers are never reused: docs/IPC.md. */
#include "ipc/msg_auth.h"
#include "ipc/msg_control.h"
#include "ipc/msg_queue.h"
#include "ipc/msg_resolve.h"
#include "ipc/msg_spam.h"
#include "ipc/msg_tls.h"

IPC_DEFINE(resolve_req, 0x10, 1, RESOLVE_REQ);
IPC_DEFINE(resolve_rcpt, 0x11, 1, RESOLVE_RCPT);
IPC_DEFINE(resolve_box_req, 0x12, 1, RESOLVE_BOX_REQ);
IPC_DEFINE(resolve_box, 0x13, 1, RESOLVE_BOX);
IPC_DEFINE(resolve_uid_req, 0x14, 1, RESOLVE_UID_REQ);
IPC_DEFINE(resolve_uid, 0x15, 1, RESOLVE_UID);
IPC_DEFINE(resolve_table_req, 0x16, 1, RESOLVE_TABLE_REQ);
IPC_DEFINE(resolve_table, 0x17, 1, RESOLVE_TABLE);
IPC_DEFINE(resolve_name_req, 0x18, 1, RESOLVE_NAME_REQ);
IPC_DEFINE(resolve_name, 0x19, 1, RESOLVE_NAME);

IPC_DEFINE(queue_lend, 0x20, 1, QUEUE_LEND);
IPC_DEFINE(queue_lent, 0x21, 1, QUEUE_LENT);
IPC_DEFINE(queue_full, 0x22, 1, QUEUE_FULL);
IPC_DEFINE(queue_note, 0x23, 1, QUEUE_NOTE);
IPC_DEFINE(queue_unused, 0x24, 1, QUEUE_UNUSED);
IPC_DEFINE(queue_read, 0x25, 1, QUEUE_READ);
IPC_DEFINE(queue_reader, 0x26, 1, QUEUE_READER);
IPC_DEFINE(deliver_req, 0x28, 2, DELIVER_REQ);
IPC_DEFINE(deliver_res, 0x29, 2, DELIVER_RES);
IPC_DEFINE(deliver_ack, 0x2d, 1, DELIVER_ACK);
IPC_DEFINE(bounce_req, 0x2a, 1, BOUNCE_REQ);
IPC_DEFINE(bounce_rcpt, 0x2b, 1, BOUNCE_RCPT);
IPC_DEFINE(bounce_res, 0x2c, 1, BOUNCE_RES);

IPC_DEFINE(spam_req, 0x30, 1, SPAM_REQ);
IPC_DEFINE(spam_res, 0x31, 1, SPAM_RES);
IPC_DEFINE(spam_learn, 0x32, 1, SPAM_LEARN);
IPC_DEFINE(spam_learn_done, 0x33, 1, SPAM_LEARN_DONE);
IPC_DEFINE(spam_learnt, 0x34, 1, SPAM_LEARNT);

IPC_DEFINE(queue_filter, 0x40, 1, QUEUE_FILTER);
IPC_DEFINE(queue_entry, 0x41, 1, QUEUE_ENTRY);
IPC_DEFINE(queue_entry_rcpt, 0x42, 1, QUEUE_ENTRY_RCPT);
IPC_DEFINE(queue_content, 0x43, 1, QUEUE_CONTENT);
IPC_DEFINE(queue_done, 0x44, 1, QUEUE_DONE);
IPC_DEFINE(queue_dest, 0x45, 2, QUEUE_DEST);
IPC_DEFINE(control_req, 0x48, 1, CONTROL_REQ);
IPC_DEFINE(status_service, 0x49, 1, STATUS_SERVICE);
IPC_DEFINE(control_done, 0x4a, 1, CONTROL_DONE);

IPC_DEFINE(auth_offer, 0x5e, 1, AUTH_OFFER);
IPC_DEFINE(auth_offered, 0x5f, 1, AUTH_OFFERED);
IPC_DEFINE(auth_start, 0x60, 1, AUTH_START);
IPC_DEFINE(auth_next, 0x61, 1, AUTH_NEXT);
IPC_DEFINE(auth_answer, 0x62, 1, AUTH_ANSWER);
IPC_DEFINE(auth_spend, 0x63, 1, AUTH_SPEND);
IPC_DEFINE(auth_spent, 0x64, 1, AUTH_SPENT);
IPC_DEFINE(auth_ask, 0x65, 1, AUTH_ASK);
IPC_DEFINE(auth_verdict, 0x66, 1, AUTH_VERDICT);
IPC_DEFINE(user_req, 0x68, 2, USER_REQ);
IPC_DEFINE(user_row, 0x69, 1, USER_ROW);
IPC_DEFINE(user_done, 0x6a, 1, USER_DONE);

IPC_DEFINE(sts_ask, 0x70, 1, STS_ASK);
IPC_DEFINE(sts_answer, 0x71, 1, STS_ANSWER);
IPC_DEFINE(tls_fact, 0x72, 1, TLS_FACT);
IPC_DEFINE(fetch_ask, 0x78, 1, FETCH_ASK);
IPC_DEFINE(fetch_answer, 0x79, 1, FETCH_ANSWER);
IPC_DEFINE(report_ask, 0x7a, 1, REPORT_ASK);
IPC_DEFINE(report_answer, 0x7b, 1, REPORT_ANSWER);

IPC_DEFINE(leader_ready, 0x50, 1, LEADER_READY);
IPC_DEFINE(leader_load, 0x51, 1, LEADER_LOAD);
IPC_DEFINE(leader_do, 0x52, 1, LEADER_DO);
