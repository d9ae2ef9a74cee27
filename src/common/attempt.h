/*
 * common/attempt.h
 *		Doing something that may fail, and knowing why it did.
 */
#ifndef SSOT_ATTEMPT_H
#define SSOT_ATTEMPT_H

/*
 * Run "action" in an internal subtransaction. NULL if it went through, else the
 * error, in the current memory context, with everything undone that was written.
 * Whoever does not know what to do with the error raises it again (ReThrowError).
 */
extern ErrorData *ssot_attempt(void (*action) (void *arg), void *arg);

/*
 * The same where only what was worked on may be at fault (common/errors.h): its
 * message, or NULL. Any other error is raised.
 */
extern char *ssot_attempt_local(void (*action) (void *arg), void *arg);

/*
 * Run "action" in an internal subtransaction and undo what it did if it returns
 * false, or raises an error, which goes on. An error that left an internal
 * subtransaction without closing it would leave the session in it: whoever
 * catches the error rolls back the innermost subtransaction, and that should be
 * their own. So nobody begins one outside of functions like this.
 */
extern bool ssot_keep_if(bool (*action) (void *arg), void *arg);

#endif							/* SSOT_ATTEMPT_H */
