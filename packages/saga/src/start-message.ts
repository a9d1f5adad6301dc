/**
 * The message that starts a saga, to be sent as it is or as a half message. Checked before it
 * leaves.
 */
import type { Topic } from '@sagalog/client'
import { SagaError } from './errors.js'
import { type InboxMessage, LanePlace } from './inbox.js'
import type { Saga } from './saga.js'

/** What a producer needs: `producer.send(topic, body, { shardingKey })`. */
export interface StartMessage {
  readonly topic: Topic<InboxMessage>
  readonly body: InboxMessage
  /** The lane's key, or the saga's id: all that a saga hears stands in one queue. */
  readonly shardingKey: string
}

const KEY_CHARS_MAX = 200
// Keys and ids travel in properties of messages, which end at control characters.
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+$/u

function keyProblem(key: string): string | undefined {
  if (key.length === 0) return 'it is empty'
  if (key.length > KEY_CHARS_MAX) return `it is longer than ${KEY_CHARS_MAX} characters`
  return PRINTABLE.test(key) ? undefined : 'it has characters that cannot be printed'
}

/**
 * The start of saga `id`. The same id starts one saga, however often it is sent. Throws ID_INVALID,
 * INPUT_INVALID or LANE_INVALID.
 */
export function startMessage<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  id: string,
  input: Input,
): StartMessage {
  const idProblem = keyProblem(id)
  if (idProblem !== undefined)
    throw new SagaError('ID_INVALID', { id: JSON.stringify(id), reason: idProblem })
  if (!saga.input.is(input)) {
    const reason = `it is not a ${saga.input.name}`
    throw new SagaError('INPUT_INVALID', { saga: saga.name, id, reason })
  }
  const lane = saga.laneOf(input)
  if (lane !== undefined) {
    const problem =
      keyProblem(lane.key) ??
      (LanePlace.is(lane) ? undefined : 'its place is not a whole number from 1')
    if (problem !== undefined)
      throw new SagaError('LANE_INVALID', { saga: saga.name, id, reason: problem })
  }
  return {
    topic: saga.inbox,
    body: { kind: 'start', sagaId: id, input: saga.encodeInput(input), lane, parent: undefined },
    shardingKey: lane?.key ?? id,
  }
}
