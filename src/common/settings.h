/*
 * common/settings.h
 *		The settings under which our own statements run.
 */
#ifndef SSOT_SETTINGS_H
#define SSOT_SETTINGS_H

/*
 * Pin search_path to pg_catalog and every setting that the text form of a value
 * depends on (DateStyle, IntervalStyle, TimeZone, extra_float_digits,
 * bytea_output). With big_memory, work_mem is raised to maintenance_work_mem:
 * a run is maintenance. Returns the nesting level for ssot_settings_end; an
 * error in between restores the settings with the (sub)transaction.
 */
extern int	ssot_settings_begin(bool big_memory);

/*
 * For statements that look a few rows up in large tables: use an index wherever
 * there is one. The planner weighs for a cold disk, and by statistics that know
 * nothing of rows made in C; it would rather read everything once a hundredth is
 * looked up. Ended by ssot_settings_end.
 */
extern int	ssot_settings_use_indexes(void);

/* The search path alone; ended by ssot_settings_end too. */
extern int	ssot_search_path_begin(void);
extern void ssot_settings_end(int level);

/* One more setting, until the level ends. */
extern void ssot_setting(const char *name, const char *value);

/*
 * Does the session run a script of pg_dump or pg_restore? They set
 * check_function_bodies off, and nobody else has reason to.
 */
extern bool ssot_restoring(void);

#endif							/* SSOT_SETTINGS_H */
