/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures of a measurement list as the operator reads them: which entry, which file, the digest
 * seen, what the policy has for it, and the rule that failed (ima §11).
 */
#pragma once

#include "evidence/ima/entry.h"
#include "evidence/verdict.h"

/* So many digests of a policy are told. */
#define IMA_REPORT_MAX_EXPECTED 10
/* Longest text of the agent's that is told, in bytes. */
#define IMA_REPORT_MAX_TEXT 1024

typedef struct {
    const char *event_id;
    const char *rule;         /* member of the policy or step that refused: "digests" */
    guint64 entry;            /* number in the whole list, from 1; 0: the list itself */
    const ImaEntry *content;  /* NULL: only `line` is known, or nothing */
    Bytes line;               /* of an entry that does not parse */
    char *const *expected;    /* NULL, or what the policy has */
    const char *expected_one; /* NULL, or the one value that was expected */
    const char *got;          /* NULL, or the value that was found, unless it is the digest */
} ImaReport;

/* Adds the failure. The message is the format's text after "entry N: ". Once the verdict keeps no
 * more of them it is only counted, at no cost. */
void ima_report(Verdict *verdict, const ImaReport *report, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Bytes as a text to read: foreign bytes and control characters as \xHH (decision D53), cut after
 * IMA_REPORT_MAX_TEXT bytes with "...". Newly allocated. */
char *ima_report_text(Bytes bytes);
