/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects what a server answers, within limits.
 */
#pragma once

#include "http/client.h"

#include <curl/curl.h>

typedef struct AnswerReader AnswerReader;

/* Sets the handle's callbacks. Free after the transfer. */
AnswerReader *answer_reader_new(CURL *easy, size_t max_body);
void answer_reader_free(AnswerReader *reader);
/* Body or headers were over their limit: the transfer was ended for that. */
bool answer_reader_too_large(const AnswerReader *reader);
HttpAnswer *answer_reader_finish(AnswerReader *reader, CURL *easy);
