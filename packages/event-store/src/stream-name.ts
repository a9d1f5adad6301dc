/** What a stream may be called: it becomes a message's key and an event's attribute in the log. */
import { EventStoreError } from './errors.js'

/** Bytes of a stream's name in UTF-8. */
export const STREAM_NAME_BYTES_MAX = 1_024

/** Half a character, or one that separates the parts of a message's properties. */
const FORBIDDEN = /[\p{Surrogate}\p{Control}]/u

/** Why `stream` can not name a stream, as a sentence; undefined when it can. */
export function streamNameProblem(stream: string): string | undefined {
  if (stream === '') return 'the stream has no name'
  if (FORBIDDEN.test(stream)) return 'a stream name holds neither control nor half characters'
  if (Buffer.byteLength(stream) > STREAM_NAME_BYTES_MAX)
    return `a stream name has at most ${STREAM_NAME_BYTES_MAX} bytes`
  return undefined
}

/** Throws REFUSED for a name that no stream can have. */
export function checkStreamName(operation: string, category: string, stream: string): void {
  const reason = streamNameProblem(stream)
  if (reason === undefined) return
  throw new EventStoreError('REFUSED', {
    operation,
    category,
    stream: JSON.stringify(stream.slice(0, 80)),
    reason,
  })
}
