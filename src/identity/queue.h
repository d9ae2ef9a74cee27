/*
 * identity/queue.h
 *		Bytes from one member of a team to another.
 */
#ifndef SSOT_QUEUE_H
#define SSOT_QUEUE_H

#include "storage/shm_mq.h"

/* Send "size" bytes; they may be freed afterwards. */
extern void ssot_queue_put(shm_mq_handle *queue, const void *bytes, Size size);

/* Receive as many; error if the other side is gone. */
extern void ssot_queue_take(shm_mq_handle *queue, void *bytes, Size size);

#endif							/* SSOT_QUEUE_H */
