/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks through the text of a measurement list, or of its end, line by line (ima §2.1).
 *
 * One pass, no copy of the text, and one piece of memory that grows to the longest line: whatever
 * the text, a line costs no allocation of its own.
 */
#pragma once

#include "evidence/ima/entry.h"

typedef struct {
    Bytes rest;
    bool all_templates;
    uint8_t *memory;
    size_t memory_size;
    /* Of what was returned last, both from 1: */
    guint64 line;  /* number of the line, blank ones counted */
    guint64 entry; /* number among the lines that are not blank; unchanged by a blank one */
} ImaLog;

typedef enum {
    IMA_LOG_END,
    IMA_LOG_BLANK,  /* an empty line; kernels print none */
    IMA_LOG_BROKEN, /* does not parse: it is left out of the replay */
    IMA_LOG_ENTRY,
} ImaLogItem;

/* `text` is borrowed until ima_log_clear(). */
void ima_log_init(ImaLog *log, Bytes text, bool all_templates);
void ima_log_clear(ImaLog *log);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImaLog, ima_log_clear)

/*
 * The next line. *entry is filled for IMA_LOG_ENTRY and valid until the next call; for
 * IMA_LOG_BROKEN only its `line` is, and *reason is a static text.
 */
ImaLogItem ima_log_next(ImaLog *log, ImaEntry *entry, const char **reason);

/* Lines that end in LF: how entries are counted between agent and verifier (ima §9.3). */
guint64 ima_log_count(Bytes text);
