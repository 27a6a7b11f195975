/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of each kind of policy on the wire, and how a posted one is read.
 */
#pragma once

#include "http/message.h"
#include "verifier/policies/posted_policy.h"

typedef struct {
    PolicyKind kind;
    const char *noun;        /* "Runtime policy", begins upstream's texts */
    const char *short_noun;  /* of its refusal to delete */
    const char *member;      /* holds the policy in requests and answers */
    const char *list_member; /* of the v2 list */
    const char *v3_type;     /* of the v3 resource */
    const char *v3_path;
    /* posted_policy_runtime() or posted_policy_boot(). */
    bool (*read)(const PolicyRules *rules, Json *members, const char *name, PolicyRecord **out,
                 GError **error);
    bool may_be_absent; /* stored as "no policy" */
} PolicyWords;

/* By the path of the request. */
const PolicyWords *policy_words_of(const HttpRequest *request);

/* The members of a stored policy as GET answers them under both versions; new reference. */
Json *policy_members_to_json(const PolicyWords *words, const PolicyRecord *record);
