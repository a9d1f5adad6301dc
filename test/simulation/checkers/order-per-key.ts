/**
 * One key, one queue; a producer's acknowledged sends to a key stand in the order in which it made
 * them; an orderly consumer is handed a message only when it knows all before it settled. Pure.
 */
import {
  type Checker,
  type History,
  type LogContents,
  messageIdOf,
  sentOf,
  type TimedEvent,
} from '../history.js'

export const orderPerKey: Checker = {
  promise: 'order-per-key',
  check(history, contents) {
    return [...oneQueue(contents), ...sendOrder(history, contents), ...deliveryOrder(history)]
  },
}

function* oneQueue({ messages }: LogContents): Iterable<string> {
  const queues = new Map<string, number>()
  for (const { id, key, queueId, topic } of messages) {
    const known = queues.get(`${topic} ${key}`)
    if (known === undefined) queues.set(`${topic} ${key}`, queueId)
    else if (known !== queueId)
      yield `key ${key} of ${topic} is in queue ${known}, yet ${id} went to queue ${queueId}`
  }
}

/** However sends of a lane overlap and are repeated, what is acknowledged keeps their order. */
function* sendOrder({ events }: History, { messages }: LogContents): Iterable<string> {
  const acknowledged = new Set<string>()
  for (const event of events)
    if (event.kind === 'acknowledged') acknowledged.add(messageIdOf(event))
  const last = new Map<string, number>()
  for (const { id, topic } of messages) {
    if (!acknowledged.has(id)) continue
    const { key, n, producer } = sentOf(id)
    const lane = `${topic} ${producer} ${key}`
    const before = last.get(lane) ?? -1
    if (n < before) yield `${producer} sent ${n} to key ${key} before ${before}, it stands after it`
    last.set(lane, Math.max(n, before))
  }
}

type Handling = Extract<TimedEvent, { kind: 'handling' }>

/** What one life of an instance knows of one queue. */
interface Known {
  /** Everything below is settled, as an answer of the broker said. */
  next: number
  running: Handling | undefined
}

function* deliveryOrder({ events }: History): Iterable<string> {
  const known = new Map<string, Known>()
  const of = (life: string, queue: string): Known => {
    const key = `${life} ${queue}`
    const found = known.get(key) ?? { next: 0, running: undefined }
    known.set(key, found)
    return found
  }
  for (const event of events) {
    if (event.kind === 'granted') {
      const life = `${event.instance}#${event.life}`
      for (const grant of event.grants) {
        const place = of(life, `${grant.topic}/${grant.queueId}`)
        place.next = Math.max(place.next, grant.watermark)
      }
    }
    if (event.kind !== 'handling' && event.kind !== 'handled') continue
    const queue = `${event.topic}/${event.queueId}`
    const place = of(`${event.instance}#${event.life}`, queue)
    if (event.kind === 'handled') {
      if (event.outcome === 'committed') place.next = Math.max(place.next, event.offset + 1)
      if (place.running?.run === event.run) place.running = undefined
    } else {
      if (event.offset > place.next)
        yield `${event.instance} was handed ${queue}@${event.offset} while ${place.next} was not settled`
      place.running = event
    }
  }
}
