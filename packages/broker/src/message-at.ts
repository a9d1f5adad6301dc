/**
 * A message by a position that a client named. Bytes inside a message could be made to look like a
 * record, so the queues have the last word: only what stands at its offset there is a message.
 */
import type { LogRecord, Position } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import { storedQueueId, storedQueueOffset, storedTopic } from '@sagalog/protocol'
import type { Core } from './core.js'
import { storedMessageStart } from './records/event-record.js'

/** The record, or undefined when no message of a queue stands there. */
export async function messageAt(core: Core, at: Position): Promise<LogRecord | undefined> {
  let record: LogRecord
  try {
    record = await core.log.read(at)
  } catch (error) {
    if (LogError.is(error) && error.code === 'POSITION_UNKNOWN') return undefined
    throw error
  }
  if (record.kind !== 'message' && record.kind !== 'event') return undefined
  const start = storedMessageStart(record)
  const { source } = record
  const queue = core.state.queues.find(storedTopic(source, start), storedQueueId(source, start))
  const offset = storedQueueOffset(source, start)
  if (queue === undefined) return undefined
  const { positions } = queue
  if (offset < positions.start || offset >= positions.length) return undefined
  return positions.at(offset) === at ? record : undefined
}
