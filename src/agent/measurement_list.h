/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's IMA measurement list (ascii_runtime_measurements) as the agent reads it: opened
 * once, while the process may, then counted and read on from where it was, so that nothing is read
 * twice that was sent already (push-agent §4.1, §9.3; decisions D53, D54).
 *
 * An entry is a line with its newline. A last line without one is still being written and does not
 * count yet.
 */
#pragma once

#include "base/bytes.h"

#define MEASUREMENT_LIST_ERROR (measurement_list_error_quark())
typedef enum {
    MEASUREMENT_LIST_ERROR_READ,   /* the file cannot be opened or read */
    MEASUREMENT_LIST_ERROR_OFFSET, /* entries were asked for that the list does not have */
    MEASUREMENT_LIST_ERROR_SIZE,   /* more text than can be sent */
} MeasurementListError;
GQuark measurement_list_error_quark(void);

/* Of text in one piece of evidence: beyond every limit that a verifier has. */
#define MEASUREMENT_LIST_MAX_TEXT (256 * 1024 * 1024)

typedef struct MeasurementList MeasurementList;

/* Never NULL. A file that is not there is a WARNING now, and is looked for again at each count. */
MeasurementList *measurement_list_open(const char *path);
void measurement_list_free(MeasurementList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MeasurementList, measurement_list_free)

/* Entries that the list has now; reads only what came since the last count. 0 when there is no
 * list. A list that became shorter (an emulated one that was made anew) is counted from its start.
 */
bool measurement_list_count(MeasurementList *list, guint64 *entries, GError **error);

/*
 * The text of the entries from number `first` (the first entry is 0) to the present end, at most
 * `limit` of them (0 = all), each with its newline; *entries is their number. `first` may equal the
 * list's length: no entries, then. New reference.
 */
GBytes *measurement_list_read(MeasurementList *list, guint64 first, guint64 limit, guint64 *entries,
                              GError **error);
