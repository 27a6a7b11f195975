/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between agent and registrar (registrar-api §5, §6, §10, §11; push-agent §19.1-19.3).
 * Pure.
 */
#pragma once

#include "base/json.h"

#define MESSAGE_ERROR (message_error_quark())
typedef enum { MESSAGE_ERROR_MALFORMED } MessageError;
GQuark message_error_quark(void);
/* Sets MESSAGE_ERROR_MALFORMED: "the <what> lacks <member>". Always returns false. */
bool message_lacks(GError **error, const char *what, const char *member);

typedef struct {
    Bytes ak_public, ek_public;  /* TPM2B_PUBLIC */
    const char *ek_certificates; /* PEM, leaf first; NULL when the TPM holds none */
    Bytes iak_public, idevid_public, iak_attest, iak_signature; /* empty without device identity */
    Bytes iak_certificate, idevid_certificate;                  /* DER; empty = null */
    const char *contact_ip;
    unsigned contact_port;
} RegistrationRequest;

/* Compact JSON, newly allocated. */
char *registration_request_write(const RegistrationRequest *request);
/* The credential blob of the answer; NULL and MESSAGE_ERROR. New reference. */
GBytes *registration_answer_read(Json *body, GError **error);

char *activation_request_write(const char *auth_tag);
/* False and MESSAGE_ERROR when it is no v2 answer. */
bool activation_answer_read(Json *body, GError **error);

/* `supported` (NULL-terminated, newly allocated array of borrowed texts) of GET /version. */
const char **version_answer_read(Json *body, GError **error);
/*
 * The version to use: the highest 2.x that both sides have; 3.0 only when it is the only one
 * configured (decision D89). `offered` NULL: the registrar does not tell, the highest wanted one is
 * tried. Borrowed from `wanted`; NULL when they have none in common.
 */
const char *version_choose(char *const *wanted, const char *const *offered);
