/*
 * identity/queue.c
 *		Bytes from one member of a team to another.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/queue.h"

#include "miscadmin.h"

/* Longer messages would be copied once more on their way. */
#define MESSAGE			(32 * 1024)

void
ssot_queue_put(shm_mq_handle *queue, const void *bytes, Size size)
{
	for (Size done = 0; done < size;)
	{
		Size		part = Min(size - done, MESSAGE);

		/* a receiver that is gone has left an error, which is raised here */
		if (shm_mq_send(queue, part, (const char *) bytes + done, false, true) != SHM_MQ_SUCCESS)
		{
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a parallel worker of matching is gone")));
		}
		done += part;
	}
}

void
ssot_queue_take(shm_mq_handle *queue, void *bytes, Size size)
{
	for (Size done = 0; done < size;)
	{
		Size		part;
		void	   *message;

		if (shm_mq_receive(queue, &part, &message, false) != SHM_MQ_SUCCESS)
		{
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a parallel worker of matching is gone")));
		}
		if (part > size - done)
			elog(ERROR, "a message of matching is too long");
		memcpy((char *) bytes + done, message, part);
		done += part;
	}
}
