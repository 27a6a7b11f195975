/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text after --tpm_policy to the text that is posted: PCRs checked, values as lists in
 * lower case, `mask` appended (tenant-and-management-api §2.8).
 */
#pragma once

#include <glib.h>

/* NULL text = no policy. `judged`: bits of the PCRs that other policies judge, which join the mask
 * and may not be named. Newly allocated JSON text; *mask_text (newly allocated) is the mask of the
 * text alone, "0x8000". */
char *policy_option_read(const char *text, unsigned judged, char **mask_text, GError **error);
