/** LIST_STREAMS: the streams of a category, with their versions and states. */
import { streamVersion } from '@sagalog/kernel'
import type { ListStreamsRequest, StreamSummary } from '@sagalog/protocol'
import { admitCategory, admitNumbers, COUNT } from '../admit.js'
import type { Call } from '../core.js'
import { LIST_STREAMS_MAX } from '../limits.js'

export function listStreams(call: Call, request: ListStreamsRequest): void {
  const { log, state } = call.core
  const { after, category, maxStreams } = request
  const problem = admitCategory(call.core, category) ?? admitNumbers({ after, maxStreams }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const all = state.streams.all(category)
  const page = all.slice(after, after + Math.min(maxStreams, LIST_STREAMS_MAX))
  const streams = page.map(({ length, stream }): StreamSummary => {
    const summary = { stream, version: streamVersion(length) }
    const closed = state.streamStates.get(category, stream)
    if (closed === undefined) return summary
    return { ...summary, closed: { state: closed.state, reason: closed.reason } }
  })
  // It tells of the sequenced state, so it waits for all of it.
  call.answer({ total: all.length, streams }, log.watermark('memory'))
}
