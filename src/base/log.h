/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event, for the operator. Thread-safe; whole lines are written with one write(2).
 *
 * The name says which part of the program speaks, as upstream's loggers do ("keylime.verifier",
 * "keylime.web", configuration-and-operations §7.2). No secret is ever an argument.
 */
#pragma once

#include "base/log_line.h"

#include <stdbool.h>

typedef enum {
    LOG_LEVEL_CRITICAL, /* only where upstream's scripts look for that word */
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_TRACE,
} LogLevel;

typedef enum {
    LOG_FORMAT_TEXT,    /* 2026-11-24 06:51:00.123 - keylime.verifier - INFO - message */
    LOG_FORMAT_JSON,    /* one JSON object a line */
    LOG_FORMAT_JOURNAL, /* <6>keylime.verifier: message */
    LOG_FORMAT_SYSLOG,  /* <30>keylime.verifier: message, a datagram to syslog(3)'s socket */
} LogFormat;

/* One of the places where lines go. */
typedef struct {
    LogFormat format;
    LogLevel level;
    int fd;
    bool is_file;        /* that log_replace_file() may exchange */
    LogLine *line;       /* form of text; NULL = that of `format` */
    int facility;        /* SYSLOG: as in <syslog.h> */
    const char *address; /* SYSLOG: path of the socket, "/dev/log"; lasts */
} LogSink;

#define LOG_SINKS_MAX 4

/*
 * Where lines go. Call once, before threads start. TEXT becomes JOURNAL by itself when `fd` is the
 * journal, which has its own time stamps; whatever goes there has its priority before it.
 */
void log_open(int fd, LogFormat format, LogLevel level);
/* 1 to LOG_SINKS_MAX places; takes their lines and file descriptors over. */
void log_open_sinks(const LogSink *sinks, size_t count);
/* From now on, sink `index` writes into the file of `fd`, if it is one that writes into a file; no
 * line is lost. Takes `fd`. */
void log_replace_file(size_t index, int fd);
/* $JOURNAL_STREAM (systemd.exec(5)) names this very stream. */
bool log_is_journal(int fd);
/* Change what is written from now on (SIGHUP): of all sinks, of one. */
void log_set_level(LogLevel level);
void log_set_sink_level(size_t index, LogLevel level);
bool log_enabled(LogLevel level);
/* `critical error warning warn info debug trace` in any case; false for another word. */
bool log_level_from_text(const char *text, LogLevel *out);

/* The message's text is written as log_line_append_text() does: one event is one line. */
void log_write(const char *name, LogLevel level, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* A heading and, on a line of its own, a text: the tenant's results, where scripts take the second
 * line. */
void log_write_text(const char *name, LogLevel level, const char *heading, const char *text);

/* errno of the first line that standard output did not take whole; 0 = it took all, or gets none.
 */
int log_output_error(void);

/* A request id that every line of this thread carries until it is set to NULL (borrowed). */
void log_set_request_id(const char *request_id);

/*
 * Between the two, lines of this thread below WARNING are gathered and written together, in their
 * order and with their own times: a request's. A graver line takes what was gathered along at once.
 */
void log_gather(void);
void log_gather_end(void);

/* Each source file says `#define LOG_NAME "keylime.<part>"` before it includes this header. */
#define log_critical(...) log_write(LOG_NAME, LOG_LEVEL_CRITICAL, __VA_ARGS__)
#define log_error(...) log_write(LOG_NAME, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_NAME, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_NAME, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                          \
            log_write(LOG_NAME, LOG_LEVEL_DEBUG, __VA_ARGS__);                                     \
    } while (0)
