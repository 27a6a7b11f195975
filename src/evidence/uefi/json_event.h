/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event as upstream's policies and tools see it (measured-boot §6.2-6.4): its key names, order
 * and types.
 */
#pragma once

#include "base/json.h"
#include "evidence/uefi/event_log.h"

/* The header event, number 0. New reference. */
Json *uefi_json_header(const UefiLog *log);
/* An event of a parsed log. New reference. Takes memory in proportion to the event. */
Json *uefi_json_event(const UefiEvent *event);

/* Name of an algorithm as the JSON shows it: "sha256", or "0x0050" when it has none. */
char *uefi_json_algorithm(uint16_t algorithm);
