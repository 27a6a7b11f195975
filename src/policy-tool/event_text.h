/* SPDX-License-Identifier: Apache-2.0 */
/* A whole event log for people at a terminal. */
#pragma once

#include "evidence/uefi/replay.h"

/* Header, a block for each event with its meaning, its digest and how its data stand to that, and
 * the PCRs that follow from the log. Newly allocated. */
char *event_log_text(const UefiLog *log, const UefiReplay *replay);
