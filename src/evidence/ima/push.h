/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurement lists in push mode (ima §9; decisions D39, D40, D47, D52 to D54): which part of its
 * list an agent is asked for, whether what came is that part, and what is remembered between
 * attestations. Pure.
 *
 * One attestation: ima_push_offset() at negotiation, ima_push_check_entries() when the evidence
 * comes, ima_push_appraise() once the quote was verified. The state is stored after each of the
 * last, whatever its verdict.
 */
#pragma once

#include "evidence/ima/appraisal.h"

typedef struct {
    gint64 boot_time_tolerance;     /* seconds: clocks step, boots do not (decision D39) */
    bool refuse_earlier_boot;       /* upstream: a boot time before the last one is an error */
    bool reverify_on_policy_change; /* ima_reverify_on_policy_change (decision D47) */
} ImaPushRules;

extern const ImaPushRules ima_push_rules_default;
extern const ImaPushRules ima_push_rules_upstream;

/* What is remembered of an agent. */
typedef struct {
    bool known;            /* a list of the present boot passed: */
    ImaState *list;        /* never NULL */
    gint64 boot_time;      /* seconds, as the agent said then */
    uint32_t reset_count;  /* of the TPM, as it was signed then */
    char *policy_checksum; /* of the policy that judged every certified entry; NULL: none did */
    bool restart_told;     /* a whole list was asked for in the boot of `restart_boot` */
    uint32_t restart_boot; /* resetCount */
} ImaPushState;

ImaPushState *ima_push_state_new(void);
void ima_push_state_free(ImaPushState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaPushState, ima_push_state_free)
char *ima_push_state_to_text(const ImaPushState *state);
/* Strict: the text is ours. IMA_STATE_ERROR and others. */
ImaPushState *ima_push_state_from_text(Bytes text, GError **error);

/* --- negotiation (ima §9.2) ------------------------------------------------------------------ */

typedef struct {
    gint64 boot_time;            /* seconds, as the agent says */
    guint64 entry_count;         /* as the agent says */
    uint16_t bank;               /* that will be quoted */
    const char *policy_checksum; /* of all that will judge the list */
} ImaNegotiation;

typedef enum {
    IMA_OFFSET_CHOSEN,
    IMA_OFFSET_NO_ENTRIES,   /* the agent counts 0 */
    IMA_OFFSET_EARLIER_BOOT, /* upstream's rules only */
    IMA_OFFSET_BEYOND_LIST,  /* the agent counts fewer than are certified */
} ImaOffsetResult;

/* *offset: entries to leave out, set for IMA_OFFSET_CHOSEN and IMA_OFFSET_BEYOND_LIST. `state`
 * NULL: nothing is known. */
ImaOffsetResult ima_push_offset(const ImaPushState *state, const ImaNegotiation *negotiation,
                                const ImaPushRules *rules, guint64 *offset);
/* Upstream's words for a refusal, after "Attribute '...' "; newly allocated. */
char *ima_offset_result_text(ImaOffsetResult result, guint64 offset);

/* --- evidence (ima §9.3) --------------------------------------------------------------------- */

typedef struct {
    guint64 offset;      /* that was asked for */
    guint64 entry_count; /* that the agent reported at negotiation */
    guint64 requested;   /* most entries that were asked for; 0: no limit */
    Bytes entries;
    bool has_raw; /* the exact bytes came too (decision D53) */
    Bytes raw;
} ImaEntriesCheck;

typedef enum {
    IMA_ENTRIES_FIT,
    IMA_ENTRIES_TOO_MANY,
    IMA_ENTRIES_TOO_FEW,
    IMA_ENTRIES_RAW_DIFFER, /* `entries_raw` has another number of lines */
} ImaEntriesResult;

/* Entries are counted by LF. */
ImaEntriesResult ima_push_check_entries(const ImaEntriesCheck *check);
/* Upstream's words, as above; newly allocated. */
char *ima_entries_result_text(ImaEntriesResult result, const ImaEntriesCheck *check);

/* --- appraisal (ima §9.4, §9.5) -------------------------------------------------------------- */

typedef struct {
    guint64 offset;              /* that was asked for */
    gint64 boot_time;            /* that was negotiated */
    uint32_t reset_count;        /* that the TPM signed */
    const char *policy_checksum; /* of all that judges this list */
} ImaRound;

typedef struct {
    guint64 certified; /* entries up to the quote; 0 unless it passed */
    guint64 received;  /* lines that are not blank */
    bool forgiven;     /* failed, but only because the list must come whole, for the first time in
                          this boot: it does not count as a failure (decision D39) */
} ImaRoundResult;

/*
 * Appraises input->list. A new boot drops what is known of the old one; then, or when the offset is
 * not where *state stands, the list is replayed from zero. If it does not reach the quote so, the
 * only failure is `ima.log_restart_required`, and the next offset is 0.
 */
ImaRoundResult ima_push_appraise(const ImaInput *input, const ImaRound *round, ImaPushState *state,
                                 Verdict *verdict);
