/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of PCRs in a file: what `tpm2_pcrread` prints, or JSON,
 * {"sha256": {"0": "hex", ...}, ...}.
 */
#pragma once

#include "tpm/pcr.h"

#define PCR_FILE_ERROR (pcr_file_error_quark())
typedef enum { PCR_FILE_ERROR_FORM } PcrFileError;
GQuark pcr_file_error_quark(void);

/* The values; error: the line or member and what is wrong with it. Banks of algorithms that no
 * quote is appraised in are left out. Released with g_free(). */
PcrValues *pcr_file_parse(Bytes content, GError **error);
