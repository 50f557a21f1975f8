/* form - the fixed texts of a queue file's header, for the writer and the reader. Private to spool/; docs/QUEUE.md explains them.
 */
#ifndef SPOOL_FORM_H
#define SPOOL_FORM_H

#define FORM_PATH "Return-Path: "
#define FORM_DELIVERED "Delivered-To: "
#define FORM_ORIG "X-Original-To: "
#define FORM_TO "Postern-To: "
#define FORM_TO_LEN (sizeof(FORM_TO) - 1) /* the status byte follows */
#define FORM_POSTERN "X-Postern: "
#define FORM_RECEIVED "Received: "
#define FORM_ID "\n\tid "
#define FORM_S " (s="
#define FORM_S_DIGITS 10
#define FORM_C " c="
#define FORM_C_DIGITS 8
#define FORM_T " t="

#endif
