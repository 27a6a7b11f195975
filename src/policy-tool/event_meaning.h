/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event says, in words for people at a terminal. It comes from the machine: control
 * characters are shown as \xNN and never reach the terminal.
 */
#pragma once

#include "evidence/uefi/event_log.h"

/* One or more lines without the last newline. Newly allocated. */
char *event_meaning(const UefiEvent *event);
