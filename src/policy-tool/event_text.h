/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in words, for people at a terminal. What a log says comes from the machine: control
 * characters are shown as \xNN and never reach the terminal.
 */
#pragma once

#include "evidence/uefi/replay.h"

/* What the event's data mean, one or more lines without the last newline. Newly allocated. */
char *event_meaning(const UefiEvent *event);

/* The whole log: header, a block for each event, and the PCRs that follow from it. Newly allocated.
 */
char *event_log_text(const UefiLog *log, const UefiReplay *replay);
