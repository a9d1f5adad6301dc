/**
 * What can fail at the edge of the event store, as one table. A version conflict and a rejected
 * command are not here: they are expected outcomes and come back as values.
 */
import { defineErrors } from '@sagalog/kernel'

export const EventStoreError = defineErrors('EventStoreError', {
  UNDECODABLE: {
    text: 'event {type} (schema {schema}), version {version} of {category}/{stream}, cannot be read: {reason}',
    advice: 'Add an upcaster or widen the codec; the stored event stays as it is.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_CATEGORY: {
    text: 'category {category} is not there',
    advice: 'Call ensureCategory once before the first append.',
    retry: 'never',
    state: 'unchanged',
  },
  REFUSED: {
    text: 'the store refused {operation} on {category}/{stream}: {reason}',
    advice: 'Check names, sizes and the kind of the topic.',
    retry: 'never',
    state: 'unchanged',
  },
  UNAVAILABLE: {
    text: 'the store cannot be reached for {operation} on {category}/{stream}: {reason}',
    advice: 'Try again; nothing was changed.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  CLOSED: {
    text: 'the connection was closed before {operation} on {category}/{stream}',
    advice: 'Open a new connection.',
    retry: 'after-reopen',
    state: 'unchanged',
  },
  IN_DOUBT: {
    text: 'the answer to an append to {category}/{stream} was lost: {reason}',
    advice: 'Read the stream before appending again: the events may be there.',
    retry: 'after-refresh',
    state: 'unknown',
  },
  CONTENDED: {
    text: '{category}/{stream} changed under each of {attempts} attempts',
    advice: 'Try again later, or let one writer own the stream.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  STREAM_CLOSED: {
    text: '{category}/{stream} is {closed} and takes no change: {reason}',
    advice: 'Open an archived stream again first; the name of a deleted one is never used again.',
    retry: 'never',
    state: 'unchanged',
  },
  PROJECTION_ENDED: {
    text: 'projection {name}, version {version}, runs no more: {reason}',
    advice: 'Mend what stopped it and start it again: it goes on from its checkpoint.',
    retry: 'after-reopen',
    state: 'unchanged',
  },
  PROJECTION_NOT_BUILT: {
    text: 'inline projection {name}, version {version}, lets nobody append: {reason}',
    advice:
      'Stop the writers of its other version, then build this one: `sagalog projection rebuild`.',
    retry: 'never',
    state: 'unchanged',
  },
  PROJECTION_INLINE: {
    text: 'projection {name}, version {version}, is kept by those who append, and no runner may',
    advice: 'Read its rows; to make them anew, raise its version and build that one.',
    retry: 'never',
    state: 'unchanged',
  },
  PROJECTION_SHARED: {
    text: 'projection {name}, version {version}, is shared out over parts, and no runner has all',
    advice: 'Run its parts, or raise its version and build that one first.',
    retry: 'never',
    state: 'unchanged',
  },
  ROW_UNREADABLE: {
    text: 'row {key} of projection {name} cannot be read: {reason}',
    advice: 'Raise the projection version, so that its rows are built anew.',
    retry: 'never',
    state: 'unchanged',
  },
  STREAM_BROKEN: {
    text: '{category}/{stream} answered version {found} where {wanted} was next',
    advice: 'The store broke its promise of dense versions: verify its log.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type EventStoreError = InstanceType<typeof EventStoreError>
