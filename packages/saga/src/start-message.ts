/**
 * The message that starts a saga, to be sent as it is or as a half message. Checked before it
 * leaves.
 */
import type { Topic } from '@sagalog/client'
import { SagaError } from './errors.js'
import { type InboxMessage, LanePlace } from './inbox.js'
import { keyProblem } from './printable-key.js'
import type { Saga } from './saga-types.js'

/** What a producer needs: `producer.send(topic, body, { shardingKey })`. */
export interface StartMessage {
  readonly topic: Topic<InboxMessage>
  readonly body: InboxMessage
  /** The lane's key, or the saga's id: all that a saga hears stands in one queue. */
  readonly shardingKey: string
}

/**
 * The start of saga `id`. The same id starts one saga, however often it is sent. Throws ID_INVALID,
 * INPUT_INVALID, LANE_INVALID or BUSINESS_KEY_INVALID.
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
  const businessKey = saga.businessKeyOf(input)
  const businessKeyProblem = businessKey === undefined ? undefined : keyProblem(businessKey)
  if (businessKeyProblem !== undefined)
    throw new SagaError('BUSINESS_KEY_INVALID', { saga: saga.name, id, reason: businessKeyProblem })
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
