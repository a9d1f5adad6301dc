/** One message for people and for programs. What strangers wrote reaches no terminal raw. */
import type { ReceivedMessage } from '@sagalog/client'
import { bodyText, escaped } from './body-text.js'
import { timeText } from './time-text.js'
import { bytesText } from './words.js'

/** Its fields, and its whole body in `utf8` or in `hex`. */
export function messageJson({ body, ...envelope }: ReceivedMessage): object {
  const { form, text } = bodyText(body, body.length, 'raw')
  return { ...envelope, bytes: body.length, [form]: text }
}

/** A line for each thing that is known of it, and `bytes` of its body. */
export function messageText(message: ReceivedMessage, bytes: number): string {
  const { bornAtMs, body, id, keys, offset, position, queueId, storedAtMs, tags, topic } = message
  const own: readonly (readonly [string, string | undefined])[] = [
    ['id', id],
    ['place', `${topic}/${queueId}@${offset}`],
    ['position', String(position)],
    ['sharding key', message.key],
    ['tags', tags],
    ['keys', keys.length === 0 ? undefined : keys.join(' ')],
    ['born', timeText(bornAtMs)],
    ['stored', timeText(storedAtMs)],
    ...Object.entries(message.properties).map(([name, value]) => [`: ${name}`, value] as const),
  ]
  const lines = own.flatMap(([name, value]) =>
    value === undefined ? [] : [`${escaped(name).padEnd(14)} ${escaped(value)}`],
  )
  const shown = bodyText(body, bytes).text
  return `${[...lines, `body, ${bytesText(body.length)}`, shown].join('\n')}\n`
}
