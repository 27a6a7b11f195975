/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole log in upstream's JSON: `version`, `events`, `pcrs`, `boot_aggregates` (measured-boot
 * §6.1), as one compact text. It is written event by event, so that a large log does not become a
 * large tree first.
 */
#pragma once

#include "evidence/uefi/replay.h"

/* PCR values are decimal numbers of up to 155 digits, as upstream's are. Newly allocated. */
char *uefi_json_view(const UefiLog *log, const UefiReplay *replay);
