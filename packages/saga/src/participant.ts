/**
 * The side of a service that takes part in sagas. Commands are ordinary messages with properties
 * that say whose they are; a reply goes out in the same commit as what the service did. It keeps no
 * state: a service's own streams say what was done, under the command's key.
 */
import { type Topic, topic, type Tx } from '@sagalog/client'
import { SagaError } from './errors.js'
import { InboxMessage } from './inbox.js'

/** The names of the properties that travel with a command. */
export const SagaProperty = {
  saga: 'sagalog.saga.name',
  sagaId: 'sagalog.saga.id',
  step: 'sagalog.saga.step',
  action: 'sagalog.saga.action',
  lane: 'sagalog.saga.lane',
  replyTo: 'sagalog.saga.reply-to',
} as const

/** Who sent a command, and for what. */
export interface SagaCommand {
  /** The saga's definition. */
  readonly saga: string
  readonly sagaId: string
  readonly step: string
  /** `<saga id>/<step>`: the same for `run` and `undo`, and each time that either is delivered. */
  readonly key: string
  readonly action: 'run' | 'undo'
  /** The key of the saga's lane, or the saga's id when it has none. Commands are sharded by it. */
  readonly laneKey: string
  /** The topic that the reply goes to. */
  readonly replyTo: string
}

/** Anything with the properties of a command. */
export interface WithProperties {
  readonly properties: Readonly<Record<string, string>>
}

/** How a service answers: `done` and `refused` to a run, `undone` to an undo. */
export type Outcome<A = unknown, E = unknown> =
  | { readonly done: A }
  | { readonly refused: E }
  | { readonly undone: true }

export const stepKey = (sagaId: string, step: string): string => `${sagaId}/${step}`

/** The properties of a command that is sent on behalf of a saga. */
export function commandProperties(
  command: Omit<SagaCommand, 'key'>,
): Readonly<Record<string, string>> {
  return {
    [SagaProperty.saga]: command.saga,
    [SagaProperty.sagaId]: command.sagaId,
    [SagaProperty.step]: command.step,
    [SagaProperty.action]: command.action,
    [SagaProperty.lane]: command.laneKey,
    [SagaProperty.replyTo]: command.replyTo,
  }
}

/** Reads whose command a message is. Throws NOT_A_COMMAND when a property is missing. */
export function commandOf({ properties }: WithProperties): SagaCommand {
  const read = (name: string): string => {
    const value = properties[name]
    if (value === undefined || value === '')
      throw new SagaError('NOT_A_COMMAND', { reason: `it has no property ${name}` })
    return value
  }
  const action = read(SagaProperty.action)
  if (action !== 'run' && action !== 'undo')
    throw new SagaError('NOT_A_COMMAND', { reason: `its action is ${action}` })
  const sagaId = read(SagaProperty.sagaId)
  const step = read(SagaProperty.step)
  return {
    saga: read(SagaProperty.saga),
    sagaId,
    step,
    key: stepKey(sagaId, step),
    action,
    laneKey: read(SagaProperty.lane),
    replyTo: read(SagaProperty.replyTo),
  }
}

/**
 * The properties to send along when a service moves a command to a topic of its own, so that it can
 * still be read by `commandOf` and answered later.
 */
export function forwardedProperties(message: WithProperties): Readonly<Record<string, string>> {
  return commandProperties(commandOf(message))
}

function replyBody({ sagaId, step }: SagaCommand, outcome: Outcome): InboxMessage {
  if ('undone' in outcome) return { kind: 'undone', sagaId, step }
  if ('done' in outcome) return { kind: 'done', sagaId, step, result: outcome.done }
  return { kind: 'refused', sagaId, step, refusal: outcome.refused }
}

const inboxes = new Map<string, Topic<InboxMessage>>()

function inboxOf(name: string): Topic<InboxMessage> {
  const known = inboxes.get(name)
  if (known !== undefined) return known
  const inbox = topic(name, InboxMessage)
  // A name comes from a message; strangers must not fill the memory.
  if (inboxes.size < 1_000) inboxes.set(name, inbox)
  return inbox
}

/**
 * Answers a command in the commit of `tx`, to the saga that sent it. `done` and `refused` are
 * values as the step's codecs encode them. A reply that the saga no longer waits for is ignored
 * there.
 */
export function reply<A, E>(
  tx: Pick<Tx, 'send'>,
  message: WithProperties,
  outcome: Outcome<A, E>,
): void {
  const command = commandOf(message)
  const options = { shardingKey: command.laneKey }
  tx.send(inboxOf(command.replyTo), replyBody(command, outcome), options)
}
