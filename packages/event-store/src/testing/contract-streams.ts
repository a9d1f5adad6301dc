/** Streams as the contract's tests speak of them: drafts of events, short appends, short pages. */
import {
  type EventDraft,
  type ExpectedVersion,
  type Metadata,
  type StreamVersion,
  streamVersion,
} from '@sagalog/kernel'
import type { EventPosition, EventStorePort } from '../event-store-port.js'

export const CONTRACT_CATEGORY = 'account'

export const draft = (type: string, data = '', metadata?: Metadata): EventDraft => ({
  type,
  schema: 1,
  data: Buffer.from(data),
  ...(metadata === undefined ? {} : { metadata }),
})

export const drafts = (count: number, prefix = 'e'): EventDraft[] =>
  Array.from({ length: count }, (_, index) => draft('Noted', `${prefix}${index + 1}`))

/** What an append came to, without its position, which no test can know. */
export type Outcome =
  | { readonly appended: StreamVersion }
  | { readonly repeated: StreamVersion }
  | { readonly conflict: StreamVersion }

/** A stream of the suite's category. */
export function streamOf(port: EventStorePort, stream: string, category = CONTRACT_CATEGORY) {
  return {
    async append(
      events: readonly EventDraft[],
      expected: ExpectedVersion = 'any',
      key?: string,
    ): Promise<Outcome> {
      const options = key === undefined ? {} : { key }
      const result = await port.append({ category, stream, expected, events }, options)
      if ('conflict' in result) return result
      return result.isRepeat ? { repeated: result.appended } : { appended: result.appended }
    },
    page: (from = 1, maxEvents = 100) =>
      port.readPage({ category, stream, fromVersion: streamVersion(from), maxEvents }),
    backward: (from: number, maxEvents = 100) =>
      port.readPage({
        category,
        stream,
        fromVersion: streamVersion(from),
        maxEvents,
        isBackward: true,
      }),
    asOf: (asOf: EventPosition) =>
      port.readPage({ category, stream, fromVersion: streamVersion(1), maxEvents: 100, asOf }),
    change: (events: readonly EventDraft[], expected: ExpectedVersion) => ({
      category,
      stream,
      expected,
      events,
    }),
  }
}
