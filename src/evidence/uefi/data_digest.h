/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes of an event its digests cover (measured-boot §14). Only digests are bound to the
 * TPM's PCRs; what an event says is true only when it hashes to them.
 */
#pragma once

#include "evidence/uefi/event_log.h"

typedef enum {
    UEFI_DATA_UNBOUND, /* the digest covers something that is not in the log, or that may differ */
    UEFI_DATA_BOUND,   /* the data hash to the digest */
    UEFI_DATA_FALSE,   /* they should and do not, or there is no digest to compare with */
} UefiDataBinding;

/* How the event's data stand to its digest in a bank. */
UefiDataBinding uefi_data_binding(const UefiEvent *event, uint16_t algorithm);
