/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of the log as one line, in the form that a formatter of logging.conf asks for:
 * Python's
 * `%(levelname)-8s` and the like (configuration-and-operations §7.1). Pure.
 */
#pragma once

#include <glib.h>
#include <time.h>

typedef struct {
    struct timespec time;
    const char *name;       /* of the logger: "keylime.verifier" */
    const char *level;      /* "WARNING" */
    int level_number;       /* Python's: 30 */
    const char *message;    /* any bytes */
    const char *request_id; /* "" = none */
} LogRecord;

#define LOG_LINE_FORMAT "%(asctime)s.%(msecs)03d - %(name)s - %(levelname)s - %(message)s"
#define LOG_LINE_DATES "%Y-%m-%d %H:%M:%S"

typedef struct LogLine LogLine;

/*
 * `format` knows asctime msecs name levelname levelno message process thread reqid reqidf, with a
 * width and the flags `-` and `0`; names of other fields are added to `unknown` and stand for
 * nothing. `dates`: strftime()'s, for asctime; "" is Python's own form, with milliseconds.
 *
 * NULL and a reason, newly allocated: what is no format at all.
 */
LogLine *log_line_parse(const char *format, const char *dates, GPtrArray *unknown, char **reason);
void log_line_free(LogLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogLine, log_line_free)

/* Without an end of line. A request id stands before the message where the form has no place for
 * it. */
void log_line_append(const LogLine *line, const LogRecord *record, GString *out);

/* Local time of `record` in strftime()'s form; `dates` must live as long as the thread. */
void log_line_append_time(const LogRecord *record, const char *dates, GString *out);
void log_line_append_milliseconds(const LogRecord *record, GString *out);

/*
 * A text of anybody's, so that it can neither begin a line of its own nor steer a terminal: control
 * and formatting characters as \n, \xNN and \u{NNNN}, and bytes that are no UTF-8 as \xNN.
 */
void log_line_append_text(GString *out, const char *text);
/* A JSON text in valid UTF-8, such characters in its strings as \uXXXX: it says the same. */
void log_line_append_json(GString *out, const char *json);
