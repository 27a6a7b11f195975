/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exchange with a server came to, beyond success: the states are moved by these codes.
 */
#pragma once

#include <glib.h>

#define PROTOCOL_ERROR (protocol_error_quark())
typedef enum {
    PROTOCOL_ERROR_REFUSED,      /* an answer that waiting may mend */
    PROTOCOL_ERROR_UNAUTHORISED, /* 401: the token does not count any more */
    PROTOCOL_ERROR_NOT_ENROLLED, /* 404 of the verifier, or a proof that it does not take */
    PROTOCOL_ERROR_FORBIDDEN,    /* 403 of the registrar: another identity holds this id */
} ProtocolError;
GQuark protocol_error_quark(void);
