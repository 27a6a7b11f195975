/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors in the form of the API version that was asked: the envelope of version 2, or JSON:API with
 * the error word of the status, for handlers that serve both.
 */
#pragma once

#include "http/message.h"

/* `pointer`: JSON pointer into the body of version 3, or NULL. */
void reply_error(HttpResponse *response, const HttpRequest *request, unsigned status,
                 const char *pointer, const char *format, ...) G_GNUC_PRINTF(5, 6);
/* A database error (verifier/database_trouble.h). */
void reply_trouble(HttpResponse *response, const HttpRequest *request, const GError *error);
/* The text of a member that may be absent (*out NULL); false, and the answer is given, when it is
 * no text. `pointer` is the member's. */
bool reply_text_member(HttpResponse *response, const HttpRequest *request, Json *object,
                       const char *name, const char *pointer, const char **out);
/* 204 without a body, the same in both. */
void reply_deleted(HttpResponse *response);
