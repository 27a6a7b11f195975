/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of binary TCG PC Client event logs ("crypto agile" form, measured-boot §4) over borrowed
 * bytes.
 *
 * uefi_log_parse() goes through the whole log once: framing, sizes, and the structures inside the
 * events (§6.8). A log that passed is then walked with a cursor that cannot fail:
 *
 *     UefiLog log;
 *     if (!uefi_log_parse(bytes, &rules, &log, error))
 *         return false;
 *     UefiLogCursor cursor = uefi_log_begin(&log);
 *     UefiEvent event;
 *     while (uefi_log_next(&cursor, &event))
 *         ...
 *
 * Nothing is copied or allocated; the log's bytes must outlive everything taken from it.
 */
#pragma once

#include "base/bytes.h"
#include "evidence/uefi/event_type.h"
#include "tpm/algorithm.h"

/* Banks in a header. Real ones have one to four (measured-boot §4.1). */
#define UEFI_LOG_MAX_BANKS 16
/* Digests of one event: what honest firmware writes is one a bank; the laxer rules of upstream
 * let an event list an algorithm twice. */
#define UEFI_EVENT_MAX_DIGESTS (2 * UEFI_LOG_MAX_BANKS)
/* Index of the last PCR of a PC Client TPM, and of the last one that upstream takes. */
#define UEFI_LAST_PCR 23
#define UEFI_LAST_PCR_UPSTREAM 31

/* Limits of decision D58: far above any machine (the largest real log seen has 72,817 bytes and
 * 124 events), and small enough that a hostile log costs milliseconds. */
#define UEFI_LOG_MAX_SIZE (16 * 1024 * 1024)
#define UEFI_LOG_MAX_EVENTS 262144

typedef struct {
    size_t max_size;   /* bytes */
    size_t max_events; /* after the header event */
    /* Rule P1: the header describes itself exactly, each event has one digest of each declared
     * bank, there is at least one event, and no PCR above 23. Without it, only what upstream
     * requires. */
    bool strict;
} UefiLogRules;

#define UEFI_LOG_RULES_STRICT ((UefiLogRules){UEFI_LOG_MAX_SIZE, UEFI_LOG_MAX_EVENTS, true})
#define UEFI_LOG_RULES_UPSTREAM ((UefiLogRules){UEFI_LOG_MAX_SIZE, UEFI_LOG_MAX_EVENTS, false})

/* A message is "offset N: reason", or "event E at offset N: reason". */
#define UEFI_LOG_ERROR (uefi_log_error_quark())
typedef enum { UEFI_LOG_ERROR_SYNTAX, UEFI_LOG_ERROR_LIMIT } UefiLogError;
GQuark uefi_log_error_quark(void);
/* The failure's id: "measured_boot.parser.tpm2_eventlog.error", the one upstream's tools know
 * (measured-boot §6.8), or "measured_boot.parser.limit". Static. */
const char *uefi_log_error_event_id(const GError *error);

typedef struct {
    uint16_t algorithm;
    uint16_t digest_size; /* as the header declares it */
} UefiBank;

typedef struct {
    Bytes bytes;          /* the whole log */
    uint32_t header_size; /* EventSize of the header event */
    Bytes signature;      /* 16 bytes, "Spec ID Event03\0" under strict rules */
    uint32_t platform_class;
    uint8_t version_minor, version_major, errata, uintn_size;
    size_t bank_count;
    UefiBank bank[UEFI_LOG_MAX_BANKS];
    Bytes vendor_info;
    size_t first_event; /* offset of the event after the header */
    size_t event_count; /* without the header event */
} UefiLog;

typedef struct {
    uint16_t algorithm;
    Bytes value;
} UefiDigest;

typedef struct {
    size_t number; /* 1 for the event after the header, which is 0 */
    size_t offset; /* of its first byte in the log */
    uint32_t pcr;  /* any value for EV_NO_ACTION; 0xFFFFFFFF occurs in the field */
    uint32_t type; /* EV_*, or any other value */
    size_t digest_count;
    UefiDigest digest[UEFI_EVENT_MAX_DIGESTS]; /* the first `digest_count` are set */
    Bytes data;                                /* Event[EventSize] */
} UefiEvent;

/* False and UEFI_LOG_ERROR when the log breaks a rule; `log` is then unspecified. */
bool uefi_log_parse(Bytes bytes, const UefiLogRules *rules, UefiLog *log, GError **error);

typedef struct {
    const UefiLog *log;
    size_t offset, number;
} UefiLogCursor;

/* At the first event after the header. `log` must have passed uefi_log_parse(). */
UefiLogCursor uefi_log_begin(const UefiLog *log);
/* The next event; false at the end. */
bool uefi_log_next(UefiLogCursor *cursor, UefiEvent *event);

/* The first digest of an algorithm; empty view when the event has none. */
Bytes uefi_event_digest(const UefiEvent *event, uint16_t algorithm);
/* Position of a bank in the header, or -1. */
int uefi_log_bank_index(const UefiLog *log, uint16_t algorithm);
