/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handler of logging.conf: where lines go, and in which form (configuration-and-operations §7.1).
 * Inner header of config/.
 */
#pragma once

#include "base/log.h"
#include "config/config.h"

/* What a program does with its standard streams. */
typedef struct {
    int usual;    /* where lines go if no file says another */
    bool results; /* standard output is for results: standard error stands for it */
} LoggingStreams;

/* For ConfigSchema.check: `section` is one that exists. Opens nothing. */
void logging_handler_check(const Config *config, const char *section, GPtrArray *problems);
/* Fills `out` but for the level. The handler was checked. `json`: whatever the formatter says. */
bool logging_handler_open(const Config *config, const char *section, const LoggingStreams *streams,
                          bool json, LogSink *out, GError **error);
/* The file of a FileHandler, opened for appending; LOGGING_FILE_NONE for another handler,
 * LOGGING_FILE_FAILED and an error. */
#define LOGGING_FILE_NONE (-1)
#define LOGGING_FILE_FAILED (-2)
int logging_handler_open_file(const Config *config, const char *section, GError **error);
/* One WARNING for each thing that Python would do and this does not. */
void logging_handler_warn(const Config *config, const char *section);
