/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision on one entry of a measurement list (ima §5): its template hash, then the rules of
 * its template against the runtime policy, the key rings and the device-mapper policy.
 */
#pragma once

#include "evidence/ima/device_mapper.h"
#include "evidence/ima/entry.h"
#include "evidence/ima/rules.h"
#include "evidence/ima/signature_cache.h"
#include "evidence/verdict.h"
#include "policy/runtime_policy.h"

/* Buffers of a list that are tried as keys; a machine measures some dozens. */
#define IMA_MAX_KEYS 10000

typedef struct {
    /* Lent for the whole list. */
    const RuntimePolicy *policy; /* NULL: no policy object, all files pass */
    const ImaRules *rules;
    const GPtrArray *boot_aggregates; /* of GBytes; may be NULL */
    ImaKeyrings *rings;               /* learns; NULL: signatures and keys count for nothing */
    ImaSignatureCache *cache;         /* may be NULL */
    ExcludeScratch *scratch;
    DeviceMapperPolicy *device_policy; /* NULL: none */
    DeviceMapper *devices;             /* learns */
    Verdict *verdict;
    /* Set before each entry. */
    guint64 entry; /* its number in the whole list, from 1 */
    bool covered;  /* the quote vouches for it: keys are learned */
    /* Its own account. */
    guint keys_tried;
} ImaJudge;

typedef struct {
    const uint8_t *column; /* what the template hash should be, with the log's algorithm */
    size_t size;
    bool violation; /* the template hash is all zero */
} ImaTemplateCheck;

void ima_judge_entry(ImaJudge *judge, const ImaEntry *entry, const ImaTemplateCheck *check);
/* A line that does not parse. */
void ima_judge_broken(ImaJudge *judge, Bytes line, const char *reason);
/* The first entry of a whole list (decision D43). */
void ima_judge_first(ImaJudge *judge, const ImaEntry *entry);
/* After the list: the state of the device-mapper's devices. */
void ima_judge_devices(ImaJudge *judge);
