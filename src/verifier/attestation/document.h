/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON:API document around the attributes of an attestation request (verifier-push-api §2.5,
 * decisions D71, D76).
 */
#pragma once

#include "http/message.h"

/* The resource of `data`; an array of one counts as the one. Borrowed; NULL when there is none. */
Json *attestation_document_resource(Json *document);
/* Its type is "attestation". */
bool attestation_document_is_attestation(Json *resource);
/* Its attributes; NULL when there are none, or they are no object. Borrowed. */
Json *attestation_document_attributes(Json *resource);
