/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the appraisal of a measurement list can be set: operators' options, and what upstream's
 * verifier does otherwise than we (decisions D39 to D49; the known answers run both).
 */
#pragma once

#include <stdbool.h>

/* Entries whose file changed while it was measured, or was open for writing (decision D42). */
typedef enum {
    IMA_VIOLATIONS_PATH,   /* pass when the policy lists or excludes the path */
    IMA_VIOLATIONS_IGNORE, /* pass: ignore_tomtou_errors = False */
    IMA_VIOLATIONS_FAIL,   /* ima.validation.tomtou: ignore_tomtou_errors = True, or absent upstream
                            */
} ImaViolations;

/* Empty lines, which kernels do not print (decision D52). */
typedef enum {
    IMA_BLANK_LINES_FAIL,  /* ima.parser.entry */
    IMA_BLANK_LINES_SKIP,  /* pass, and are no entries */
    IMA_BLANK_LINES_COUNT, /* as upstream: pass, and move the offset */
} ImaBlankLines;

typedef struct {
    ImaViolations violations;
    ImaBlankLines blank_lines;
    bool all_templates;             /* also those that upstream cannot read (decision D48) */
    bool require_boot_aggregate;    /* a whole list begins with it and reaches the quote with at
                                       least one entry (decision D43) */
    bool check_buffers;             /* a buffer hashes to its digest (decision D44) */
    bool learn_beyond_quote;        /* upstream: keys of entries that the quote does not cover */
    bool excludes_admit_keys;       /* upstream: exclude patterns hold for names of keyrings too */
    bool device_mapper_is_settled;  /* the devices must be as the policy wants them after each list
                                       (decision D49) */
    bool device_mapper_as_upstream; /* evidence/ima/device_mapper.h */
    bool ones_are_violations; /* upstream: with IMA_VIOLATIONS_FAIL a template hash of ff bytes
                                 is told as a violation; it fails in any case (decision D41) */
} ImaRules;

extern const ImaRules ima_rules_default;
/* With violations ignored, as upstream's files have it. */
extern const ImaRules ima_rules_upstream;
