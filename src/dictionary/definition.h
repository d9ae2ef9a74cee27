/*
 * dictionary/definition.h
 *		Versions of definitions: how they come to be, and when they are in force.
 */
#ifndef SSOT_DEFINITION_H
#define SSOT_DEFINITION_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A version about to be kept. */
typedef struct SsotDefinition
{
	const char *name;
	const char *variant;		/* "": the only one */
	const char *kind;			/* "term", "entity" or "metric" */
	const char *description;	/* or NULL */
	const char *owner;			/* or NULL: whoever declares it */
	const char *canonical_system;	/* or NULL */
	const char *entity;			/* that is defined, or NULL */
	bool		has_signers;	/* else those of the version before */
	List	   *signers;		/* names of roles */
	bool		has_effective_from;
	TimestampTz effective_from;
	bool		draft;			/* not to be signed yet */
	Jsonb	   *declared;		/* of a metric, or NULL */
	Jsonb	   *compiled;
	Jsonb	   *reads;			/* what it stands on; NULL: nothing */

	/* out */
	int			version;
	bool		canonical;
} SsotDefinition;

/* A version by name; as arguments of most functions here. */
typedef struct SsotVersionName
{
	const char *name;
	const char *variant;
	int			version;
} SsotVersionName;

/* A name and a variant (or NULL) that can be told from "name:variant". */
extern void ssot_require_definition_name(const char *name, const char *variant);

/*
 * Keep a new version and number it; the first variant of a name is its canonical
 * one. Signers must be roles. It is proposed, or a draft; ssot_definition_approve
 * approves it if it needs no signature. Concurrent calls wait for each other.
 */
extern void ssot_definition_keep(SsotDefinition *definition);

/* Keep everybody else from making or approving a version until the transaction ends. */
extern void ssot_definitions_lock(void);

/* The state of a version, locked against changes with all of its variant, and the
 * tables that it reads against DDL; error with a hint if there is none. "variant" may be NULL for the canonical one and is filled in. */
extern char *ssot_definition_lock(SsotVersionName *version);

/*
 * approve.c: approve a version if it has all the signatures that it needs, of which one is not
 * its author's: put it in force, end its predecessor, and if it is a metric make its
 * views. Returns whether it is approved. The version is locked.
 */
extern bool ssot_definition_approve(const SsotVersionName *version);

/* The variant by which a system reports, or NULL where that was not declared. */
extern char *ssot_used_variant(const char *system, const char *name);

#endif							/* SSOT_DEFINITION_H */
