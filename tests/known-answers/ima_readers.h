/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of the IMA vector files, one file a topic; the form of each is described in
 * tests/known-answers/ima/README.md. A new one is declared here and entered in ima_files.c.
 */
#pragma once

#include "vector.h"

void read_convert(Json *document, Tally *tally);
void read_dsse(Json *document, Tally *tally);
void read_excludes(Json *document, Tally *tally);
void read_keys(Json *document, Tally *tally);
void read_manifest(Json *document, Tally *tally);
void read_templates(Json *document, Tally *tally);
void read_signatures(Json *document, Tally *tally);
void read_device_mapper(Json *document, Tally *tally);
void read_boot_aggregates(Json *document, Tally *tally);
void read_push(Json *document, Tally *tally);
void read_policies(Json *document, Tally *tally);
void read_severity(Json *document, Tally *tally);
