/**
 * Maps from queues in JSON bodies. Java's have objects for keys, which is no JSON; fastjson reads a
 * text key that holds the object as well, and so it is written here. Both are read.
 */
import { jsonCount32, type JsonObject, jsonObjectOf, jsonText } from './json-body.js'
import type { QueueName } from './requests/lock-queues.js'

export function queueTable<Row extends QueueName>(
  rows: readonly Row[],
  valueOf: (row: Row) => unknown,
): JsonObject {
  const table = rows.map((row) => {
    const { brokerName, queueId, topic } = row
    return [JSON.stringify({ brokerName, queueId, topic }), valueOf(row)] as const
  })
  return Object.fromEntries(table)
}

/** The queues of a table that `looseJsonObjectOf` read, each with its key. */
export const queuesInTable = (table: JsonObject): (QueueName & { readonly key: string })[] =>
  Object.keys(table).map((key) => {
    const queue = jsonObjectOf(Buffer.from(key, 'utf8'))
    return {
      key,
      topic: jsonText(queue, 'topic'),
      brokerName: jsonText(queue, 'brokerName'),
      queueId: jsonCount32(queue, 'queueId'),
    }
  })
